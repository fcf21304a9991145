package dev.r3map.examples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.grpc.GrpcServer;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ExamplesTest {
  @TempDir Path folder;

  /** A program that prints. */
  private interface Program {
    void run() throws Exception;
  }

  private static String output(Program program) throws Exception {
    PrintStream before = System.out;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      program.run();
    } finally {
      System.setOut(before);
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  private Path payload() throws Exception {
    byte[] bytes = new byte[3_000_000];
    new Random(1).nextBytes(bytes);
    return Files.write(folder.resolve("payload"), bytes);
  }

  @Test
  void ownBackendComputesWhatIsRead() throws Exception {
    assertThat(output(() -> OwnBackend.main(new String[] {"123", "456"})))
        .startsWith("123 x 456 = 56088, after fetching 262144 of 4294967296 bytes");
  }

  @Test
  void aServedFileCanBeReadWhileItIsPulled() throws Exception {
    try (Backend file = FileBackend.open(payload());
        GrpcServer server = GrpcServer.serve(file).start()) {
      assertThat(output(() -> ReadWhilePulling.main(new String[] {server.uri().toString()})))
          .contains("the last 16 bytes are here")
          .contains("now all of it: 3000000 bytes");
    }
  }

  @Test
  void aMountedFileIsAFileToAnyProgram() throws Exception {
    Path payload = payload();
    Path mounted = folder.resolve("mounted");
    try (Backend file = FileBackend.open(payload);
        GrpcServer server = GrpcServer.serve(file).start()) {
      String[] args = {
        server.uri().toString(), mounted.toString(), "cmp", mounted.toString(), payload.toString()
      };
      assertThat(output(() -> MountAsFile.main(args))).contains("ended with 0");
    }
    assertThat(mounted).doesNotExist();
  }

  @Test
  void aFileIsServedUntilTheProgramIsEnded() throws Exception {
    Path payload = payload();
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Process process =
        new ProcessBuilder(
                java,
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                ServeFile.class.getName(),
                payload.toString(),
                "0")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (BufferedReader out = process.inputReader()) {
      String ready = out.readLine();
      assertThat(ready).startsWith("serving ");
      String uri = ready.substring(ready.lastIndexOf(' ') + 1);
      assertThat(output(() -> ReadWhilePulling.main(new String[] {uri}))).contains("3000000 bytes");
    } finally {
      process.destroyForcibly().waitFor();
    }
  }
}
