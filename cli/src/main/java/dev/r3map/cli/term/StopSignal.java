package dev.r3map.cli.term;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import sun.misc.Signal;

/**
 * Ctrl-C and its like (INT, TERM, HUP) as a request to come to an orderly end; the second one asks
 * to end at once. One for each process.
 *
 * <p>A signal that the parent process has ignored stays ignored, as nohup wants it.
 */
public final class StopSignal {
  /** How long a forced end may take before the process ends without it. */
  private static final long FORCE_MILLIS = 10_000;

  private final CountDownLatch requested = new CountDownLatch(1);
  private final AtomicInteger count = new AtomicInteger();
  private final int forcedExitCode;
  private volatile Runnable first = () -> {};
  private volatile Runnable second = () -> {};

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
      Signal.handle(new Signal(name), signal -> stop.received());
    }
    return stop;
  }

  /** What to do at the first signal, in a thread of its own, besides ending {@link #await}. */
  public StopSignal onFirst(Runnable action) {
    first = action;
    return this;
  }

  /** What to do at the second signal, in a thread of its own, before the process is ended. */
  public StopSignal onSecond(Runnable action) {
    second = action;
    return this;
  }

  public boolean isRequested() {
    return requested.getCount() == 0;
  }

  /** Waits for the first signal. */
  public void await() throws InterruptedException {
    requested.await();
  }

  /** Does what a first signal does. */
  public void request() {
    if (count.compareAndSet(0, 1)) {
      requested.countDown();
    }
  }

  private void received() {
    if (count.getAndIncrement() == 0) {
      requested.countDown();
      first.run();
    } else {
      force();
    }
  }

  private void force() {
    Thread.ofPlatform()
        .daemon()
        .name("force")
        .start(
            () -> {
              try {
                Thread.sleep(FORCE_MILLIS);
              } catch (InterruptedException e) {
                return;
              }
              Runtime.getRuntime().halt(forcedExitCode);
            });
    try {
      second.run();
    } finally {
      Runtime.getRuntime().halt(forcedExitCode);
    }
  }
}
