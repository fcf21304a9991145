package dev.r3map.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ServeCommandTest {
  private static final byte[] CONTENT = "what is served".getBytes(ISO_8859_1);

  @TempDir private Path folder;

  private Path file;
  private String uri;

  @BeforeEach
  void makeAFile() throws IOException {
    file = Files.write(folder.resolve("file"), CONTENT);
    uri = "grpc+unix://" + folder.resolve("socket");
  }

  @Test
  void aReadOnlyServerRefusesWritesAndSaysThatItDoes() throws Exception {
    try (Cli server =
        Cli.start("serve", file.toString(), "--listen", uri, "--read-only", "--json")) {
      assertThat(server.awaitEvent("ready")).containsEntry("readOnly", true);
      try (Backend backend = Backends.open(URI.create(uri), BackendOptions.DEFAULT)) {
        assertThat(backend.geometry().readOnly()).isTrue();
        assertThatThrownBy(() -> backend.write(ByteBuffer.allocate(1), 0))
            .isInstanceOf(ReadOnlyException.class);
        ByteBuffer bytes = ByteBuffer.allocate(CONTENT.length);
        backend.read(bytes, 0);
        assertThat(bytes.array()).isEqualTo(CONTENT);
      }
      server.signal("TERM");
      assertThat(server.end().code()).isZero();
      assertThat(file).hasBinaryContent(CONTENT);
    }
  }

  @Test
  void nbdServesSeveralResourcesByName() throws Exception {
    Path socket = folder.resolve("nbd");
    try (Cli server =
        Cli.start(
            "serve",
            "disk=" + file,
            "memory:1MiB",
            "--listen",
            "nbd+unix://" + socket,
            "--read-only",
            "--json")) {
      assertThat(server.awaitEvent("ready"))
          .containsEntry("listen", "nbd+unix:///?socket=" + socket)
          .containsEntry("export", "disk")
          .containsEntry("readOnly", true);
      try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
        ByteBuffer greeting = ByteBuffer.allocate(8);
        while (greeting.hasRemaining()) {
          assertThat(client.read(greeting)).isPositive();
        }
        assertThat(new String(greeting.array(), StandardCharsets.US_ASCII)).isEqualTo("NBDMAGIC");
      }
      server.signal("TERM");
      assertThat(server.end().code()).isZero();
    }
    assertThat(socket).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "FILE FILE --listen grpc+unix:///s; one resource",
        "name=FILE --listen grpc+unix:///s; one resource",
        "a=FILE a=memory:1MiB --listen nbd://127.0.0.1:0; two exports named 'a'",
        "FILE --listen nbd://127.0.0.1:0 --rtt 1s; --rtt is for gRPC",
        "FILE --listen nbd://0.0.0.0:0; in plaintext",
        "FILE --listen nbd://127.0.0.1:0 --tls-cert x; --tls-key",
        "FILE --listen nbds://127.0.0.1:0; TLS needs --tls-cert",
        "FILE --listen nbd://127.0.0.1:0 --tls-only x; there is no such export",
        "FILE --listen nbd://127.0.0.1:0 --description x=y; there is no such export",
        "FILE --listen nbd://127.0.0.1:0 --token-file x; NBD has no tokens",
        "FILE --managed; --managed needs --listen nbd://",
        "FILE --cache x --listen nbd://127.0.0.1:0; need --managed",
        "FILE a=FILE --managed --cache x --listen nbd://127.0.0.1:0; --cache holds one",
        "FILE --listen http://127.0.0.1; expected grpc://",
      })
  void whatDoesNotFitIsRefused(String words) throws Exception {
    String[] parts = words.split("; ", 2);
    List<String> arguments = new ArrayList<>(List.of("serve"));
    arguments.addAll(List.of(parts[0].replace("FILE", file.toString()).split(" ")));
    Cli.Result refused = Cli.run(arguments.toArray(String[]::new));
    assertThat(refused.code()).isEqualTo(2);
    assertThat(refused.err()).contains(parts[1]);
  }

  @Test
  void plaintextBeyondThisHostIsRefusedUnlessItIsMeant() throws Exception {
    String everywhere = "grpc://0.0.0.0:0";

    Cli.Result refused = Cli.run("serve", file.toString(), "--listen", everywhere);

    assertThat(refused.code()).isEqualTo(2);
    assertThat(refused.err()).contains("in plaintext").contains("--insecure");
    try (Cli server =
        Cli.start("serve", file.toString(), "--listen", everywhere, "--insecure", "--json")) {
      String listen = (String) server.awaitEvent("ready").get("listen");
      try (Backend backend = Backends.open(URI.create(listen), BackendOptions.DEFAULT)) {
        assertThat(backend.size()).isEqualTo(CONTENT.length);
      }
      server.signal("TERM");
      assertThat(server.end().code()).isZero();
    }
  }

  @Test
  void itSaysNothingOfClientsThatStopWaitingInTheMiddleOfAReply() throws Exception {
    byte[] large = new byte[64 << 20];
    new Random(7).nextBytes(large);
    Files.write(file, large);
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
