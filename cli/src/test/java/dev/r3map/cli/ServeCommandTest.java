package dev.r3map.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServeCommandTest {
  @TempDir private Path folder;

  private Path file;
  private String uri;

  @BeforeEach
  void makeAFile() throws IOException {
    byte[] content = new byte[64 << 20];
    new Random(7).nextBytes(content);
    file = Files.write(folder.resolve("file"), content);
    uri = "grpc+unix://" + folder.resolve("socket");
  }

  @Test
  void itSaysNothingOfClientsThatStopWaitingInTheMiddleOfAReply() throws Exception {
    try (Cli server = Cli.start("serve", file.toString(), "--listen", uri, "-v")) {
      server.awaitError("serving");
      try (Backend backend = Backends.open(URI.create(uri), BackendOptions.DEFAULT)) {
        for (int round = 0; round < 5; round++) {
          List<Thread> readers =
              IntStream.range(0, 4)
                  .mapToObj(_ -> Thread.startVirtualThread(() -> read(backend)))
                  .toList();
          backend.read(ByteBuffer.allocate(4096), 0);
          for (Thread reader : readers) {
            reader.interrupt();
            reader.join();
          }
        }
      }
      server.signal("TERM");

      Cli.Result result = server.end();

      assertThat(result.code()).isZero();
      assertThat(result.err().lines())
          .satisfiesExactly(
              line -> assertThat(line).startsWith("r3map: serving "),
              line -> assertThat(line).isEqualTo("r3map: stopping"),
              line -> assertThat(line).startsWith("r3map: served "));
    }
  }

  private static void read(Backend backend) {
    try {
      backend.read(ByteBuffer.allocateDirect(32 << 20), 0);
    } catch (IOException e) {
      // Interrupted, as is meant.
    }
  }
}
