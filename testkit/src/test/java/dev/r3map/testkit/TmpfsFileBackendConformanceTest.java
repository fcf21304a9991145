package dev.r3map.testkit;

import java.nio.file.Path;

class TmpfsFileBackendConformanceTest extends FileBackendConformance {
  TmpfsFileBackendConformanceTest() {
    super(Path.of("/dev/shm"));
  }
}
