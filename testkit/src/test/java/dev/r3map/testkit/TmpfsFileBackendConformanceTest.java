package dev.r3map.testkit;

import java.nio.file.Path;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(OS.LINUX)
class TmpfsFileBackendConformanceTest extends FileBackendConformance {
  TmpfsFileBackendConformanceTest() {
    super(Path.of("/dev/shm"));
  }
}
