package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;
import java.time.Duration;

/** Takes its time: some for each request, or for each bit. */
final class SlowBackend extends ForwardingBackend {
  private final Parameters parameters;

  SlowBackend(Backend backend, Parameters parameters) {
    super(backend);
    this.parameters = parameters;
  }

  @Override
  protected <T> T around(BackendCall call, Step<T> step) throws IOException {
    Duration pause =
        switch (call.kind()) {
          case READ -> delay("read").plus(transfer(call.length()));
          case WRITE -> delay("write").plus(transfer(call.length()));
          case ZERO -> delay("zero");
          case DISCARD -> delay("trim");
          default -> Duration.ZERO;
        };
    try {
      Thread.sleep(pause);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    return step.run();
  }

  private Duration delay(String what) {
    return parameters
        .value("delay-" + what)
        .map(seconds -> Duration.ofSeconds(Long.parseLong(seconds)))
        .orElse(Duration.ZERO);
  }

  private Duration transfer(long bytes) {
    return parameters
        .size("rate")
        .map(bitsPerSecond -> Duration.ofNanos(bytes * 8 * 1_000_000_000 / bitsPerSecond))
        .orElse(Duration.ZERO);
  }
}
