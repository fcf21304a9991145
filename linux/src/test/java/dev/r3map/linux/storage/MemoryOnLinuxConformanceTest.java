package dev.r3map.linux.storage;

import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.testkit.BackendConformance;
import java.io.IOException;

/** Memory with real holes: a memory file of the kernel. */
class MemoryOnLinuxConformanceTest extends BackendConformance {
  @Override
  protected Backend create(long size) throws IOException {
    return MemoryBackend.of(size);
  }
}
