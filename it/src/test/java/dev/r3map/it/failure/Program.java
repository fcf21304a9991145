package dev.r3map.it.failure;

import dev.r3map.testkit.Payload;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * A program that uses a mounted file, as a {@link Child}. Its commands:
 *
 * <pre>
 * open r|rw|direct PATH      direct: past the page cache, multiples of 4096 only
 * read OFFSET LENGTH         ok CRC
 * write OFFSET LENGTH SEED   the bytes that the payload of the seed has there
 * sync
 * map|mapwrite OFFSET LENGTH
 * get OFFSET LENGTH          ok CRC, of the mapping
 * put OFFSET LENGTH SEED     to the mapping
 * msync, unmap
 * </pre>
 */
final class Program {
  private static final int ALIGNMENT = 4096;

  private FileChannel file;
  private Arena arena;
  private MemorySegment map;
  private long mapped;

  private Program() {}

  public static void main(String[] args) throws IOException {
    Program program = new Program();
    Commands.serve(program::run);
  }

  /** What {@code read} and {@code get} answer for these bytes. */
  static String crc(ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes.duplicate());
    return Long.toHexString(crc.getValue());
  }

  private String run(String[] words) throws IOException {
    if (words[0].equals("open")) {
      file = FileChannel.open(Path.of(words[2]), options(words[1]));
      return "";
    }
    long offset = words.length > 1 ? Long.parseLong(words[1]) : 0;
    int length = words.length > 2 ? Integer.parseInt(words[2]) : 0;
    switch (words[0]) {
      case "read" -> {
        return crc(read(offset, length));
      }
      case "write" -> write(payload(words[3], offset, length), offset);
      case "sync" -> file.force(false);
      case "map" -> map(MapMode.READ_ONLY, offset, length);
      case "mapwrite" -> map(MapMode.READ_WRITE, offset, length);
      case "get" -> {
        byte[] copy = map.asSlice(offset - mapped, length).toArray(ValueLayout.JAVA_BYTE);
        return crc(ByteBuffer.wrap(copy));
      }
      case "put" ->
          map.asSlice(offset - mapped, length)
              .copyFrom(MemorySegment.ofBuffer(payload(words[3], offset, length)));
      case "msync" -> map.force();
      case "unmap" -> arena.close();
      case "close" -> {
        if (file != null) {
          file.close();
        }
      }
      default -> throw new IllegalArgumentException(words[0]);
    }
    return "";
  }

  private static Set<? extends OpenOption> options(String mode) {
    return switch (mode) {
      case "r" -> Set.of(StandardOpenOption.READ);
      case "rw" -> Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE);
      case "direct" -> Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, direct());
      default -> throw new IllegalArgumentException(mode);
    };
  }

  /** O_DIRECT. The compiler warns of whoever names its class. */
  private static OpenOption direct() {
    try {
      return (OpenOption)
          Class.forName("com.sun.nio.file.ExtendedOpenOption").getField("DIRECT").get(null);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static ByteBuffer payload(String seed, long offset, int length) {
    ByteBuffer bytes = aligned(length);
    Payload.of(Long.parseLong(seed)).fill(bytes, offset);
    return bytes.flip();
  }

  private ByteBuffer read(long offset, int length) throws IOException {
    ByteBuffer bytes = aligned(length);
    while (bytes.hasRemaining()) {
      if (file.read(bytes, offset + bytes.position()) < 0) {
        throw new IOException("the file ends at " + (offset + bytes.position()));
      }
    }
    return bytes.flip();
  }

  private void write(ByteBuffer bytes, long offset) throws IOException {
    while (bytes.hasRemaining()) {
      file.write(bytes, offset + bytes.position());
    }
  }

  private static ByteBuffer aligned(int length) {
    int rounded = Math.ceilDiv(length, ALIGNMENT) * ALIGNMENT;
    return ByteBuffer.allocateDirect(rounded + ALIGNMENT).alignedSlice(ALIGNMENT).limit(length);
  }

  private void map(MapMode mode, long offset, int length) throws IOException {
    arena = Arena.ofShared();
    map = file.map(mode, offset, length, arena);
    mapped = offset;
  }
}
