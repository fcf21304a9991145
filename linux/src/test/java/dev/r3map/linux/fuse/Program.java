package dev.r3map.linux.fuse;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;

/**
 * A program that uses a mount: another process, told line by line what to do. What it answers
 * begins with {@code ok} or {@code error}.
 */
final class Program implements AutoCloseable {
  private final Process process;
  private final BufferedReader answers;
  private final PrintStream commands;

  private Program(Process process) {
    this.process = process;
    answers = process.inputReader(StandardCharsets.UTF_8);
    commands = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
  }

  static Program start(String... prefix) throws IOException {
    List<String> command = new ArrayList<>(List.of(prefix));
    command.addAll(java());
    command.addAll(List.of("-cp", Classes.tests().toString(), Program.class.getName()));
    return new Program(
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start());
  }

  /** A JVM that starts fast. */
  static List<String> java() {
    return List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
        "-Xmx64m");
  }

  /** Does something and gives what comes of it. */
  String tell(String command) throws IOException {
    begin(command);
    return answer();
  }

  /** Does something that must work. */
  String ok(String command) throws IOException {
    String answer = tell(command);
    if (!answer.startsWith("ok")) {
      throw new AssertionError(command + ": " + answer);
    }
    return answer.substring("ok".length()).trim();
  }

  /** Begins something; {@link #answer} gives what came of it. */
  void begin(String command) {
    commands.println(command);
  }

  String answer() throws IOException {
    String line = answers.readLine();
    return line == null ? "dead" : line;
  }

  Process process() {
    return process;
  }

  @Override
  public void close() throws IOException {
    process.destroyForcibly();
    try {
      process.waitFor(5, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** What a CRC of these bytes is called in answers. */
  static String crc(byte[] bytes) {
    CRC32 crc = new CRC32();
    crc.update(bytes);
    return Long.toHexString(crc.getValue());
  }

  // The other process

  public static void main(String[] args) throws IOException {
    Session session = new Session();
    try (BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String answer;
        try {
          answer = "ok " + session.run(line.split(" ", line.startsWith("open") ? 3 : -1));
        } catch (Throwable t) {
          answer = "error " + t;
        }
        System.out.println(answer);
        System.out.flush();
      }
    }
  }

  private static final class Session {
    private FileChannel file;
    private Arena arena;
    private MemorySegment map;

    String run(String[] words) throws Exception {
      boolean opens = words[0].equals("open");
      long a = words.length > 1 && !opens ? Long.parseLong(words[1]) : 0;
      long b = words.length > 2 && !opens ? Long.parseLong(words[2]) : 0;
      long c = words.length > 3 ? Long.parseLong(words[3]) : 0;
      switch (words[0]) {
        case "open" -> file = FileChannel.open(Path.of(words[2]), options(words[1]));
        case "close" -> file.close();
        case "size" -> {
          return Long.toString(file.size());
        }
        case "read" -> {
          return read(a, (int) b);
        }
        case "write" -> write(a, (int) b, (byte) c);
        case "rewrite" -> {
          for (long i = 0; i < a; i++) {
            write(0, (int) b, (byte) (c + i));
          }
        }
        case "sync" -> file.force(true);
        case "truncate" -> file.truncate(a);
        case "map" -> {
          arena = Arena.ofShared();
          map = file.map(MapMode.READ_ONLY, a, b, arena);
        }
        case "mapwrite" -> {
          arena = Arena.ofShared();
          map = file.map(MapMode.READ_WRITE, a, b, arena);
        }
        case "get" -> {
          return crc(map.asSlice(a, b).toArray(ValueLayout.JAVA_BYTE));
        }
        case "put" -> map.asSlice(a, b).fill((byte) c);
        case "msync" -> map.force();
        case "unmap" -> arena.close();
        case "together" -> {
          return together((int) a, b, at -> read(at, (int) c).equals(crc(pattern(at, (int) c))));
        }
        case "writetogether" -> {
          return together(
              (int) a,
              b,
              at -> {
                write(at, (int) c, (byte) 1);
                return true;
              });
        }
        default -> throw new IllegalArgumentException(words[0]);
      }
      return "";
    }

    private static Set<StandardOpenOption> options(String mode) {
      return switch (mode) {
        case "r" -> Set.of(StandardOpenOption.READ);
        case "sync" -> Set.of(StandardOpenOption.WRITE, StandardOpenOption.SYNC);
        case "dsync" -> Set.of(StandardOpenOption.WRITE, StandardOpenOption.DSYNC);
        case "rw" -> Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE);
        case "a" -> Set.of(StandardOpenOption.APPEND);
        case "trunc" -> Set.of(StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
        default -> throw new IllegalArgumentException(mode);
      };
    }

    /** The CRC of what was read and how many bytes that were. */
    private String read(long offset, int length) throws IOException {
      ByteBuffer buffer = ByteBuffer.allocateDirect(length);
      while (buffer.hasRemaining()) {
        if (file.read(buffer, offset + buffer.position()) < 0) {
          break;
        }
      }
      byte[] bytes = new byte[buffer.flip().remaining()];
      buffer.get(bytes);
      return bytes.length == length ? crc(bytes) : crc(bytes) + " " + bytes.length;
    }

    private void write(long offset, int length, byte value) throws IOException {
      byte[] bytes = new byte[length];
      java.util.Arrays.fill(bytes, value);
      ByteBuffer buffer = ByteBuffer.allocateDirect(length).put(bytes).flip();
      while (buffer.hasRemaining()) {
        file.write(buffer, offset + buffer.position());
      }
    }

    /** By many threads at once, and how many of them did well. */
    private static String together(int threads, long stride, Action action) throws Exception {
      List<Thread> all = new ArrayList<>();
      java.util.concurrent.atomic.AtomicInteger good =
          new java.util.concurrent.atomic.AtomicInteger();
      for (int i = 0; i < threads; i++) {
        long offset = i * stride;
        all.add(
            Thread.ofPlatform()
                .start(() -> {
                  try {
                    if (action.didWellAt(offset)) {
                      good.incrementAndGet();
                    }
                  } catch (IOException e) {
                    // Not well.
                  }
                }));
      }
      for (Thread thread : all) {
        thread.join();
      }
      return Integer.toString(good.get());
    }

    private interface Action {
      boolean didWellAt(long offset) throws IOException;
    }

    /** The same as {@code TestRegion.pattern}, which needs classes that are not here. */
    private static byte[] pattern(long offset, int length) {
      byte[] bytes = new byte[length];
      for (int i = 0; i < length; i++) {
        long at = offset + i;
        bytes[i] = (byte) ((at * 31 + (at >> 12) * 7 + (at >> 16)) ^ 0x5a);
      }
      return bytes;
    }
  }
}
