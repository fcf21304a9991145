package dev.r3map.cli.copy;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.testkit.BackendCall;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;

/** A backend that takes whole blocks only. */
final class Blocks extends ForwardingBackend {
  private final int block;

  Blocks(Backend backend, int block) {
    super(backend);
    this.block = block;
  }

  @Override
  public Geometry geometry() {
    return new Geometry(block, 0, Integer.MAX_VALUE, false);
  }

  @Override
  protected <T> T around(BackendCall call, Step<T> step) throws IOException {
    boolean whole = call.offset() % block == 0 && call.length() % block == 0;
    if (!whole
        && switch (call.kind()) {
          case READ, WRITE, ZERO, DISCARD -> true;
          default -> false;
        }) {
      throw new IllegalArgumentException("not whole blocks: " + call);
    }
    return step.run();
  }
}
