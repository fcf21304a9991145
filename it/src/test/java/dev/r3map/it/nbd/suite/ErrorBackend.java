package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/** Fails now and then. */
final class ErrorBackend extends ForwardingBackend {
  private final boolean knowsExtents;
  private final Parameters parameters;

  ErrorBackend(Backend backend, Parameters parameters) {
    super(backend);
    // Where nothing can be asked, nbdkit does not ask.
    this.knowsExtents = !(backend instanceof PatternBackend);
    this.parameters = parameters;
  }

  @Override
  protected <T> T around(BackendCall call, Step<T> step) throws IOException {
    String name =
        switch (call.kind()) {
          case READ -> "pread";
          case WRITE -> "pwrite";
          case ZERO -> "zero";
          case DISCARD -> "trim";
          case EXTENTS -> knowsExtents ? "extents" : "";
          default -> "";
        };
    Optional<String> rate =
        parameters.value("error-" + name + "-rate").or(() -> parameters.value("error-rate"));
    if (!name.isEmpty()
        && rate.isPresent()
        && ThreadLocalRandom.current().nextDouble() < fraction(rate.get())) {
      throw new IOException("injected error: " + name);
    }
    return step.run();
  }

  private static double fraction(String rate) {
    return rate.endsWith("%")
        ? Double.parseDouble(rate.substring(0, rate.length() - 1)) / 100
        : Double.parseDouble(rate);
  }
}
