package dev.r3map.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.testkit.ForwardingBackend;
import dev.r3map.testkit.Payload;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CommandsTest {
  private static final Duration RTT = Duration.ofMillis(20);

  @TempDir private Path folder;

  @Test
  void versionIsShownToPeopleAndMachines() throws Exception {
    Cli.Result text = Cli.run("version");
    Cli.Result json = Cli.run("version", "--json");

    assertThat(text.code()).isZero();
    assertThat(text.out()).startsWith("r3map ");
    assertThat(text.err()).isEmpty();
    assertThat(Json.parse(json.out())).containsKeys("version", "jdk", "system", "architecture");
  }

  @Test
  void aWrongCommandLineEndsWithTwoAndAHint() throws Exception {
    Cli.Result none = Cli.run();
    Cli.Result unknown = Cli.run("mont", "a", "b");
    Cli.Result missing = Cli.run("mount", "a");
    Cli.Result badValue = Cli.run("copy", "a", "b", "--chunk-size", "1MB");
    Cli.Result contradiction = Cli.run("mount", "a", "b", "--direct", "--cache", "c");

    assertThat(List.of(none, unknown, missing, badValue, contradiction))
        .allMatch(result -> result.code() == 2)
        .allMatch(result -> result.out().isEmpty());
    assertThat(none.err()).contains("Usage: r3map");
    assertThat(unknown.err()).contains("'mont'", "r3map mount", "Try 'r3map --help'.");
    assertThat(missing.err()).contains("'PATH'", "Try 'r3map mount --help'.");
    assertThat(badValue.err()).contains("1MB", "MiB", "--chunk-size");
    assertThat(contradiction.err()).contains("--direct");
  }

  @Test
  void aFailureIsOneLineAndWithVerboseTheStack() throws Exception {
    String missing = folder.resolve("missing").toString();

    Cli.Result plain = Cli.run("info", missing);
    Cli.Result verbose = Cli.run("info", missing, "-v");
    Cli.Result json = Cli.run("info", missing, "--json");

    assertThat(plain.code()).isEqualTo(1);
    assertThat(plain.err()).startsWith("r3map: ").contains(missing).doesNotContain("\n", "at dev.");
    assertThat(verbose.err()).contains(missing, "\tat dev.r3map");
    assertThat(Json.parse(json.out()))
        .containsEntry("event", "error")
        .containsEntry("exitCode", 1L);
    assertThat((String) Json.parse(json.out()).get("message")).contains(missing);
  }

  @Test
  void infoTellsSizeAndHoles() throws Exception {
    Path file = Files.write(folder.resolve("file"), new byte[] {1, 2, 3});

    Cli.Result json = Cli.run("info", file.toString(), "--json");
    Cli.Result text = Cli.run("info", "memory:1MiB");

    assertThat(Json.parse(json.out()))
        .containsEntry("resource", file.toString())
        .containsEntry("size", 3L)
        .containsEntry("readOnly", false)
        .containsEntry("usage.scanned", 3L)
        .containsKeys("identity", "latencySeconds", "openSeconds");
    assertThat(text.out()).contains("1 MiB (1048576 bytes)", "1 MiB holes", "read and write");
  }

  @Test
  void infoTellsWhatAServerSaysOfItsResource() throws Exception {
    MemoryBackend memory = MemoryBackend.of(1 << 20);
    memory.write(Payload.of(1).bytes(0, 64 << 10), 0);
    try (memory;
        GrpcServer server =
            GrpcServer.serve(new Particular(memory)).readOnly(true).roundTrip(RTT).start()) {
      Cli.Result result = Cli.run("info", server.uri().toString(), "--json");

      Map<String, Object> info = Json.parse(result.out());
      assertThat(info)
          .containsEntry("resource", server.uri().toString())
          .containsEntry("size", 1L << 20)
          .containsEntry("readOnly", true)
          .containsEntry("requiredChunk", 512L)
          .containsEntry("preferredChunk", 128L << 10)
          .containsEntry("identity", "the second edition")
          .containsEntry("usage.scanned", 1L << 20)
          .containsEntry("usage.data", 64L << 10)
          .containsEntry("usage.holes", (1L << 20) - (64 << 10));
      assertThat((long) info.get("maxTransfer")).isGreaterThanOrEqualTo(1 << 20);
      assertThat((double) info.get("openSeconds")).isGreaterThan(seconds(RTT));
      assertThat((double) info.get("latencySeconds")).isGreaterThan(seconds(RTT));
    }
  }

  private static double seconds(Duration time) {
    return time.toNanos() / 1e9;
  }

  /** Of all that a resource may say of itself, nothing is what it mostly is. */
  private static final class Particular extends ForwardingBackend {
    Particular(Backend backend) {
      super(backend);
    }

    @Override
    public Geometry geometry() {
      return new Geometry(512, 128 << 10, Integer.MAX_VALUE, false);
    }

    @Override
    public Optional<String> identity() {
      return Optional.of("the second edition");
    }
  }

  @Test
  void theCompletionScriptIsOneThatBashUnderstands() throws Exception {
    Cli.Result script = Cli.run("completion", "bash");
    Path file = Files.writeString(folder.resolve("completion"), script.out());

    Cli.Result syntax = Cli.runProgram(List.of("bash", "-n", file.toString()));
    Cli.Result sourced =
        Cli.runProgram(List.of("bash", "-c", "source " + file + "; complete -p r3map"));

    assertThat(syntax.code()).isZero();
    assertThat(sourced.out()).contains("r3map");
    assertThat(script.out()).contains("--pull-first", "serve", "doctor");
  }

  @Test
  void theDoctorSaysWhetherResourcesCanBeMounted() throws Exception {
    Cli.Result text = Cli.run("doctor");
    Cli.Result json = Cli.run("doctor", "--json");

    assertThat(text.out()).contains("JDK", "mount", "memory");
    assertThat(json.code()).isEqualTo(text.code());
    List<Map<String, Object>> findings = json.out().lines().map(Json::parse).toList();
    assertThat(findings)
        .anySatisfy(finding ->
            assertThat(finding)
                .containsEntry("check", "mount")
                .containsEntry("result", text.code() == 0 ? "works" : "missing"));
  }

  @Test
  void credentialsInUrisAreNotShownAnywhere() throws Exception {
    Cli.Result unknown = Cli.run("info", "nosuch://me:hunter2@host/x", "--json", "-v");
    Cli.Result grpc = Cli.run("info", "grpc://me:hunter2@127.0.0.1:1", "--json", "-v");
    Cli.Result malformed = Cli.run("info", "grpc://me:hunter2@127.0.0.1:1/%%%", "-v");
    Cli.Result extra = Cli.run("info", "memory:1", "grpc://me:hunter2@127.0.0.1:1");

    assertThat(List.of(unknown, grpc, malformed, extra))
        .allMatch(result -> result.code() != 0)
        .noneMatch(result -> (result.out() + result.err()).contains("hunter2"));
  }
}
