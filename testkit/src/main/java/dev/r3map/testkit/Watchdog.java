package dev.r3map.testkit;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;

/**
 * Ends the JVM when a test hangs in a way that nothing else can end: in a system call, or in a page
 * fault that nobody answers.
 *
 * <p>At the deadline a thread prints all threads and halts the JVM. A thread that is stuck in a
 * page fault can keep that from happening, because neither a dump nor a halt nor anything else that
 * needs all threads to stop ever gets them; therefore another process watches too, and a little
 * later prints where each thread is stuck in the kernel and kills the JVM.
 *
 * <pre>{@code
 * @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(2));
 * }</pre>
 */
public final class Watchdog implements BeforeEachCallback, AfterEachCallback {
  /** What the JVM exits with when it is halted. */
  public static final int EXIT_CODE = 86;

  private static final Namespace NAMESPACE = Namespace.create(Watchdog.class);
  private static final Duration DEFAULT_DEADLINE = Duration.ofMinutes(2);

  /** Enough to dump the threads of a JVM that can still do so. */
  private static final Duration GRACE = Duration.ofSeconds(10);

  /**
   * Ends by itself when its standard input does: when this process takes the watch off, or is gone.
   */
  private static final String GUARD =
      """
      timeout "$1" cat >/dev/null
      [ $? = 124 ] || exit 0
      echo "watchdog: $3 hangs and process $2 does not answer; its threads in the kernel:" >&2
      for task in /proc/$2/task/*; do
        echo "$(cat $task/comm): $(cat $task/wchan) $(cat $task/syscall)" >&2
        cat $task/stack >&2
      done 2>/dev/null
      kill -9 "$2"
      """;

  private final Duration deadline;

  /** Waits two minutes for each test; for {@code @ExtendWith}. */
  public Watchdog() {
    this(DEFAULT_DEADLINE);
  }

  private Watchdog(Duration deadline) {
    this.deadline = deadline;
  }

  /** Waits that long for each test, with what comes before and after each; not for a class. */
  public static Watchdog after(Duration deadline) {
    return new Watchdog(deadline);
  }

  /** Watches until the answer is closed. */
  public static Watch watch(String what, Duration deadline) {
    return new Watch(what, deadline, GRACE);
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    String what = context.getRequiredTestClass().getSimpleName() + ": " + context.getDisplayName();
    context.getStore(NAMESPACE).put(context.getUniqueId(), watch(what, deadline));
  }

  @Override
  public void afterEach(ExtensionContext context) {
    Watch watch = context.getStore(NAMESPACE).remove(context.getUniqueId(), Watch.class);
    if (watch != null) {
      watch.close();
    }
  }

  /** Something that must end in time. Owns a thread and a process until it is closed. */
  public static final class Watch implements AutoCloseable {
    private final String what;
    private final Duration deadline;
    private final CountDownLatch over = new CountDownLatch(1);
    private final Optional<Process> guard;

    Watch(String what, Duration deadline, Duration grace) {
      this.what = what;
      this.deadline = deadline;
      this.guard = startGuard(deadline.plus(grace));
      Thread.ofPlatform().daemon().name("watchdog of " + what).start(this::run);
    }

    /** Takes the watch off. */
    @Override
    public void close() {
      over.countDown();
      guard.ifPresent(process -> {
        try {
          process.getOutputStream().close();
        } catch (IOException e) {
          process.destroyForcibly();
        }
      });
    }

    private Optional<Process> startGuard(Duration after) {
      try {
        return Optional.of(
            new ProcessBuilder(
                    "sh",
                    "-c",
                    GUARD,
                    "watchdog",
                    "%d.%03d".formatted(after.toSeconds(), after.toMillisPart()),
                    Long.toString(ProcessHandle.current().pid()),
                    what)
                .redirectOutput(Redirect.DISCARD)
                .redirectError(Redirect.INHERIT)
                .start());
      } catch (IOException e) {
        // No shell here: the thread alone must do.
        return Optional.empty();
      }
    }

    private void run() {
      try {
        if (over.await(deadline.toNanos(), TimeUnit.NANOSECONDS)) {
          return;
        }
      } catch (InterruptedException e) {
        return;
      }
      System.err.println("watchdog: " + what + " hangs since " + deadline + "; all threads:");
      System.err.flush();
      try {
        System.err.println(Leaks.dumpThreads());
      } catch (IOException | RuntimeException e) {
        System.err.println("watchdog: cannot dump the threads: " + e);
      }
      System.err.flush();
      Runtime.getRuntime().halt(EXIT_CODE);
    }
  }
}
