package dev.r3map.it.failure;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file system of its own that can be filled to the last block. Owns it until {@link #close}. */
final class SmallDisk implements AutoCloseable {
  /** What the file system is. */
  enum Kind {
    TMPFS,
    EXT4
  }

  private final Path folder;
  private final Path filler;

  private SmallDisk(Path folder) {
    this.folder = folder;
    filler = folder.resolve("filler");
  }

  /** Mounts one. */
  static SmallDisk mount(Kind kind, int mebibytes, Path home)
      throws IOException, InterruptedException {
    Host.requireRoot();
    Path folder = Files.createDirectory(home.resolve("disk"));
    switch (kind) {
      case TMPFS -> Host.run("mount", "-t", "tmpfs", "-o", size(mebibytes), "tmpfs", "" + folder);
      case EXT4 -> {
        Path image = home.resolve("disk.img");
        Host.run("truncate", "-s", mebibytes + "M", "" + image);
        // All of it for whoever writes: no reserve, and a small journal.
        Host.run("mkfs.ext4", "-q", "-m", "0", "-J", "size=4", "" + image);
        Host.run("mount", "-o", "loop", "" + image, "" + folder);
      }
    }
    return new SmallDisk(folder);
  }

  private static String size(int mebibytes) {
    return "size=" + mebibytes + "m";
  }

  Path folder() {
    return folder;
  }

  /** Leaves so many bytes, or a little less. */
  void fillExcept(long bytes) throws IOException {
    fill(Math.max(0, Files.getFileStore(folder).getUsableSpace() - bytes), 1 << 20);
  }

  /** Leaves nothing. */
  void fill() throws IOException {
    for (int piece = 1 << 20; piece >= 512; piece /= 2) {
      fill(Long.MAX_VALUE, piece);
    }
  }

  private void fill(long most, int piece) throws IOException {
    try (FileChannel file =
        FileChannel.open(
            filler,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.APPEND)) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(piece);
      for (long left = most; left > 0; left -= bytes.limit()) {
        bytes.clear().limit((int) Math.min(piece, left));
        while (bytes.hasRemaining()) {
          file.write(bytes);
        }
      }
      file.force(true);
    } catch (IOException e) {
      if (!e.getMessage().contains("No space left")) {
        throw e;
      }
    }
  }

  /** There is room again. */
  void free() throws IOException {
    Files.delete(filler);
  }

  @Override
  public void close() throws IOException {
    try {
      Host.run("umount", folder.toString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while unmounting " + folder, e);
    }
  }
}
