package dev.r3map.cli.term;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Ctrl-C and its like (INT, TERM, HUP) as a request to come to an orderly end; the second one asks
 * to end at once. One for each process. Thread-safe.
 *
 * <p>A signal that the parent process has ignored stays ignored, as nohup wants it.
 */
public final class StopSignal {
  /** How long a forced end may take before the process ends without it. */
  private static final Duration FORCE_LIMIT = Duration.ofSeconds(10);

  /** No person is so quick, but timeout(1) and the like signal a process and then its group. */
  private static final Duration ECHO = Duration.ofMillis(300);

  private final CountDownLatch requested = new CountDownLatch(1);
  private final int forcedExitCode;
  private boolean nextForces;
  private long firstNanos;
  private Runnable first = () -> {};
  private Runnable second = () -> {};

  private StopSignal(int forcedExitCode) {
    this.forcedExitCode = forcedExitCode;
  }

  /**
   * Catches the signals from now on.
   *
   * @param forcedExitCode what the process exits with after a second one
   */
  public static StopSignal install(int forcedExitCode) {
    StopSignal stop = new StopSignal(forcedExitCode);
    for (String name : new String[] {"INT", "TERM", "HUP"}) {
      Signals.handle(name, stop::received);
    }
    return stop;
  }

  /**
   * What to do at the first signal, besides ending {@link #await}: in a thread of its own, and
   * quickly. Once this returns, what was set before is not done any more.
   */
  public synchronized StopSignal onFirst(Runnable action) {
    first = action;
    return this;
  }

  /** What to do at the second signal, in a thread of its own, before the process is ended. */
  public synchronized StopSignal onSecond(Runnable action) {
    second = action;
    return this;
  }

  /** Takes the next signal for the second one, because the end has come without a first. */
  public synchronized void nextForces() {
    if (!nextForces) {
      nextForces = true;
      firstNanos = System.nanoTime() - ECHO.toNanos();
    }
  }

  public boolean isRequested() {
    return requested.getCount() == 0;
  }

  /** Waits for the first signal. */
  public void await() throws InterruptedException {
    requested.await();
  }

  /** The same for some time; returns whether it came. */
  public boolean await(Duration time) throws InterruptedException {
    return requested.await(time.toNanos(), TimeUnit.NANOSECONDS);
  }

  private void received() {
    Runnable last;
    synchronized (this) {
      if (!nextForces) {
        nextForces = true;
        firstNanos = System.nanoTime();
        requested.countDown();
        first.run();
        return;
      }
      if (System.nanoTime() - firstNanos < ECHO.toNanos()) {
        return;
      }
      last = second;
    }
    force(last);
  }

  private void force(Runnable last) {
    Thread.ofPlatform().daemon().name("force").start(this::haltLater);
    try {
      last.run();
    } finally {
      Runtime.getRuntime().halt(forcedExitCode);
    }
  }

  private void haltLater() {
    try {
      Thread.sleep(FORCE_LIMIT);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    Runtime.getRuntime().halt(forcedExitCode);
  }
}
