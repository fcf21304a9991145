package dev.r3map.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What all tables share: the programs, a folder in memory for files and mount points, and how
 * thorough to be. Owns the folder until {@link #close}, which unmounts what is left in it.
 */
final class Bench implements AutoCloseable {
  static final long MIB = 1 << 20;

  /** Of all payload. */
  static final long SEED = 20261;

  private final boolean quick;
  private final int rounds;
  private final Path root;
  private final Path folder;
  private final Programs programs;
  private int files;

  private Bench(boolean quick, int rounds, Path root, Path folder, Programs programs) {
    this.quick = quick;
    this.rounds = rounds;
    this.root = root;
    this.folder = folder;
    this.programs = programs;
  }

  /**
   * Makes the folder and builds the programs.
   *
   * @param root of the source tree
   * @param quick only to see that everything works
   * @param rounds how many, or 0 for as many as each table wants
   */
  static Bench open(Path root, boolean quick, int rounds) throws IOException {
    Path folder = Files.createTempDirectory(Path.of("/dev/shm"), "r3map-bench");
    try {
      return new Bench(
          quick,
          rounds,
          root,
          folder,
          Programs.build(root.resolve("bench").resolve("peers"), folder));
    } catch (IOException | RuntimeException e) {
      delete(folder);
      throw e;
    }
  }

  boolean quick() {
    return quick;
  }

  /** One of two figures: how much to do when it counts, and when it is only tried. */
  <T> T pick(T thorough, T hurried) {
    return quick ? hurried : thorough;
  }

  /** How many rounds, after the one that warms up. */
  int rounds(int wanted) {
    return rounds > 0 ? rounds : quick ? 1 : wanted;
  }

  Path root() {
    return root;
  }

  Programs programs() {
    return programs;
  }

  /** The name of a new file. */
  synchronized Path newFile(String name) {
    return folder.resolve(++files + "-" + name.replaceAll("[^a-z0-9]+", "-"));
  }

  /** A new file in memory with the payload in it. */
  Path tmpfsFile(long size) throws IOException {
    Path file = newFile("tmpfs");
    Programs.run(Duration.ofSeconds(10), "truncate", "-s", Long.toString(size), file.toString());
    fill(file, size);
    return file;
  }

  /** Writes the payload into a file that is there. */
  void fill(Path file, long size) throws IOException {
    programs.load("fill %s %d %s".formatted(file, size, Long.toUnsignedString(SEED)));
  }

  /** Insists that a file has the payload. */
  void verify(String who, Path file, long size) throws IOException {
    programs.load("sum " + file).checkSum(new Payload(SEED).sum(0, size), who);
  }

  @SuppressWarnings("AnnotateFormatMethod") // It is for humans.
  static void say(String format, Object... values) {
    System.err.printf(Locale.ROOT, format + "%n", values);
  }

  /** Begins with another one each round: nobody is always first after somebody. */
  static <T> List<T> rotated(List<T> all, int round) {
    int shift = round % all.size();
    return Stream.concat(all.subList(shift, all.size()).stream(), all.subList(0, shift).stream())
        .toList();
  }

  @Override
  public void close() throws IOException {
    unmountAll(folder);
    delete(folder);
  }

  private static void unmountAll(Path folder) throws IOException {
    List<String> left;
    try (Stream<String> lines = Files.lines(Path.of("/proc/self/mounts"))) {
      left =
          lines
              .map(line -> line.split(" ", -1)[1])
              .filter(point -> point.startsWith(folder + "/"))
              .toList();
    }
    for (String point : left) {
      say("unmounting %s, which was left", point);
      Programs.run(Duration.ofSeconds(10), "umount", "-l", point);
    }
  }

  private static void delete(Path folder) throws IOException {
    try {
      Files.walkFileTree(
          folder,
          new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                throws IOException {
              Files.delete(file);
              return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path each, @Nullable IOException failure)
                throws IOException {
              Files.delete(each);
              return FileVisitResult.CONTINUE;
            }
          });
    } catch (NoSuchFileException e) {
      throw new UncheckedIOException(e);
    }
  }
}
