package dev.r3map.testkit;

import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import java.io.IOException;

class MemoryBackendConformanceTest extends BackendConformance {
  @Override
  protected Backend create(long size) throws IOException {
    return MemoryBackend.of(size);
  }
}
