package dev.r3map.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;

/** What threads of this JVM allocate, as JFR sees it. Owns a recording until {@link #stop}. */
final class Allocations {
  /** A thread that allocates takes memory in buffers, and each of them is an event. */
  private static final String BUFFER = "jdk.ObjectAllocationInNewTLAB";

  private static final String APART = "jdk.ObjectAllocationOutsideTLAB";

  private final Recording recording = new Recording();

  private Allocations() {}

  static Allocations start() {
    Allocations allocations = new Allocations();
    for (String event : List.of(BUFFER, APART)) {
      allocations.recording.enable(event).withoutStackTrace();
    }
    allocations.recording.start();
    return allocations;
  }

  /**
   * Ends it, and tells the bytes that threads whose name begins so have taken beyond the buffer
   * that each of them begins with.
   */
  long stop(String threads) throws IOException {
    Path file = Files.createTempFile("r3map-bench", ".jfr");
    try (recording) {
      recording.stop();
      recording.dump(file);
      long bytes = 0;
      Set<Long> begun = new HashSet<>();
      for (RecordedEvent event : RecordingFile.readAllEvents(file)) {
        if (event.getThread() != null
            && event.getThread().getJavaName() != null
            && event.getThread().getJavaName().startsWith(threads)) {
          boolean buffer = event.getEventType().getName().equals(BUFFER);
          if (!buffer || !begun.add(event.getThread().getJavaThreadId())) {
            bytes += event.getLong(buffer ? "tlabSize" : "allocationSize");
          }
        }
      }
      return bytes;
    } finally {
      Files.delete(file);
    }
  }
}
