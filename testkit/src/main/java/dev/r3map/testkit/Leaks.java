package dev.r3map.testkit;

import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.HotSpotDiagnosticMXBean.ThreadDumpFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What this process has at one moment, to be compared with what it has later: threads, virtual ones
 * too, open files, mapped files, mounts and child processes. What the JVM opens for itself does not
 * count.
 *
 * <p>Do once what shall be watched before taking the snapshot: classes that are loaded for the
 * first time may start threads that are meant to stay.
 */
public final class Leaks {
  private static final long POLL_NANOS = 20_000_000;

  /** The first line of a thread in a dump; its stack follows, up to an empty line. */
  private static final Pattern THREAD = Pattern.compile("#(\\d+) \"(.*)\" .*");

  private static final Pattern END_OF_STACK = Pattern.compile("\n\n");

  private static final Pattern JVM_THREAD =
      Pattern.compile(
          "ForkJoinPool-1-.*|ForkJoinPool\\.commonPool-.*|CompletableFutureDelayScheduler"
              + "|VirtualThread-unblocker|VirtualThread-unparker|(Read|Write|Master)-Poller"
              + "|Common-Cleaner|Cleaner-\\d+|process reaper.*|Attach Listener|junit-.*"
              + "|watchdog .*");

  /**
   * Jars of class loaders, the runtime image, sources of random numbers, and what this class itself
   * opens. The JVM's own pollers are selectors, which look like everybody's; whoever leaks one
   * leaks the thread that waits for it as well.
   */
  private static final Pattern JVM_FILE =
      Pattern.compile(
          ".*\\.(jar|jsa|so|so\\..*)|.*/lib/modules|/dev/u?random|/proc/.*"
              + "|anon_inode:\\[(eventpoll|eventfd)\\]");

  private final Map<String, String> things;

  private Leaks(Map<String, String> things) {
    this.things = things;
  }

  /** What there is now. */
  public static Leaks snapshot() {
    return new Leaks(look());
  }

  /** What there is now and was not then, one description each. */
  public List<String> since() {
    Map<String, String> now = look();
    now.keySet().removeAll(things.keySet());
    return List.copyOf(now.values());
  }

  /**
   * Waits until there is nothing that was not there then.
   *
   * @throws AssertionError if there still is something after that time, saying what
   */
  public void assertNone(Duration within) {
    long deadline = System.nanoTime() + within.toNanos();
    List<String> left = since();
    while (!left.isEmpty()) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError(
            "left behind after %s:%n%s".formatted(within, String.join("\n", left)));
      }
      LockSupport.parkNanos(POLL_NANOS);
      left = since();
    }
  }

  private static Map<String, String> look() {
    Map<String, String> things = new HashMap<>();
    try {
      addThreads(things);
      addDescriptors(things);
      addLines(things, "mount", "/proc/self/mountinfo");
      addMappings(things);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot look at this process", e);
    }
    ProcessHandle.current()
        .children()
        .filter(ProcessHandle::isAlive)
        .forEach(child -> things.put("process " + child.pid(), "process " + child.info()));
    return things;
  }

  private static void addThreads(Map<String, String> things) throws IOException {
    for (String block : END_OF_STACK.split(dumpThreads(), -1)) {
      Matcher thread = THREAD.matcher(block);
      if (thread.lookingAt() && !JVM_THREAD.matcher(thread.group(2)).matches()) {
        things.put("thread " + thread.group(1), "thread " + block);
      }
    }
  }

  /** All threads with their stacks. Those of {@link Thread#getAllStackTraces} lack virtual ones. */
  static String dumpThreads() throws IOException {
    Path folder = Files.createTempDirectory("r3map-threads");
    Path dump = folder.resolve("dump");
    try {
      ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class)
          .dumpThreads(dump.toString(), ThreadDumpFormat.TEXT_PLAIN);
      return Files.readString(dump);
    } finally {
      Files.deleteIfExists(dump);
      Files.delete(folder);
    }
  }

  private static void addDescriptors(Map<String, String> things) throws IOException {
    Path folder = Path.of("/proc/self/fd");
    if (!Files.isDirectory(folder)) {
      return;
    }
    List<Path> descriptors;
    try (Stream<Path> list = Files.list(folder)) {
      descriptors = list.toList();
    }
    for (Path descriptor : descriptors) {
      try {
        String target = Files.readSymbolicLink(descriptor).toString();
        if (!JVM_FILE.matcher(target).matches()) {
          String what = "descriptor %s -> %s".formatted(descriptor.getFileName(), target);
          things.put(what, what);
        }
      } catch (NoSuchFileException e) {
        // Closed since it was listed.
      }
    }
  }

  /** Counted by file and not by address: the kernel merges and splits neighbours. */
  private static void addMappings(Map<String, String> things) throws IOException {
    for (String line : lines("/proc/self/maps")) {
      String[] fields = line.strip().split("\\s+", 6);
      if (fields.length == 6
          && fields[5].startsWith("/")
          && !JVM_FILE.matcher(fields[5]).matches()) {
        String what = "mapping of %s (inode %s)".formatted(fields[5], fields[4]);
        things.put(what, what);
      }
    }
  }

  private static void addLines(Map<String, String> things, String kind, String path)
      throws IOException {
    for (String line : lines(path)) {
      things.put(kind + " " + line, kind + " " + line);
    }
  }

  private static List<String> lines(String path) throws IOException {
    Path file = Path.of(path);
    return Files.isReadable(file) ? Files.readAllLines(file) : List.of();
  }
}
