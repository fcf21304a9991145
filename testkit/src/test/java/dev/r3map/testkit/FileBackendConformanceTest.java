package dev.r3map.testkit;

import java.nio.file.Path;

class FileBackendConformanceTest extends FileBackendConformance {
  FileBackendConformanceTest() {
    super(Path.of(System.getProperty("java.io.tmpdir")));
  }
}
