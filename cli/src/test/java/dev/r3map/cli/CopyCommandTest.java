package dev.r3map.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CopyCommandTest {
  private static final int SIZE = 3_000_001;

  @TempDir private Path folder;

  @Test
  void aFileIsCopiedToAnotherOneAndToMemory() throws Exception {
    Path source = file("source", SIZE);
    Path target = folder.resolve("target");

    Cli.Result toFile = Cli.run("copy", source.toString(), target.toString(), "--verify");
    Cli.Result again = Cli.run("copy", source.toString(), target.toString(), "-q");
    Cli.Result toMemory = Cli.run("copy", source.toString(), "memory:", "--json", "-q");

    assertThat(toFile.code()).isZero();
    assertThat(toFile.err()).matches("r3map: copied 2.86 MiB in .*; both sides are equal");
    assertThat(toFile.out()).isEmpty();
    assertThat(target).hasSameBinaryContentAs(source);
    assertThat(again.code()).isZero();
    assertThat(again.err()).isEmpty();
    assertThat(lastEvent(toMemory))
        .containsEntry("event", "copied")
        .containsEntry("size", (long) SIZE)
        .containsEntry("written", (long) SIZE)
        .containsEntry("verified", false);
  }

  @Test
  void aServedResourceIsCopiedBothWays() throws Exception {
    Path source = file("source", SIZE);
    Path socket = folder.resolve("socket");
    String uri = "grpc+unix://" + socket;
    Path there = folder.resolve("there");
    Path back = folder.resolve("back");
    try (Cli server =
        Cli.start(
            "serve", there.toString(), "--create", "" + SIZE, "--listen", uri, "--json", "-q")) {
      assertThat(server.awaitEvent("ready"))
          .containsEntry("listen", uri)
          .containsEntry("size", (long) SIZE)
          .containsEntry("readOnly", false)
          .containsEntry("pid", server.pid());

      Cli.Result up = Cli.run("copy", source.toString(), uri, "--verify");
      Cli.Result down = Cli.run("copy", uri, back.toString(), "--chunk-size", "64KiB");

      assertThat(up.code()).as(up.err()).isZero();
      assertThat(down.code()).as(down.err()).isZero();
      assertThat(there).hasSameBinaryContentAs(source);
      assertThat(back).hasSameBinaryContentAs(source);
      server.signal("TERM");
      Cli.Result served = server.end();
      assertThat(served.code()).isZero();
      assertThat(lastEvent(served)).containsEntry("event", "stopped");
      assertThat(socket).doesNotExist();
    }
  }

  @Test
  void sizesThatDifferAreAnErrorThatTellsWhatToDo() throws Exception {
    Path source = file("source", SIZE);
    Path target = file("target", 5);

    Cli.Result file = Cli.run("copy", source.toString(), target.toString());
    Cli.Result memory = Cli.run("copy", source.toString(), "memory:1MiB");

    assertThat(file.code()).isEqualTo(1);
    assertThat(file.err()).contains("3000001", " 5", "truncate -s 3000001 " + target);
    assertThat(target).hasSize(5);
    assertThat(memory.code()).isEqualTo(1);
    assertThat(memory.err()).contains("same size");
  }

  @Test
  void aFileIsNotCopiedOntoItself() throws Exception {
    Path source = file("source", SIZE);
    Path link = Files.createSymbolicLink(folder.resolve("link"), source);

    Cli.Result result = Cli.run("copy", source.toString(), link.toString());

    assertThat(result.code()).isEqualTo(2);
    assertThat(result.err()).contains("same file");
  }

  @Test
  void aCopyThatIsInterruptedRemovesTheFileItMade() throws Exception {
    Path source = file("source", SIZE);
    Path target = folder.resolve("target");
    try (Cli server =
        Cli.start(
            "serve",
            source.toString(),
            "--rtt",
            "4s",
            "--listen",
            "grpc://127.0.0.1:0",
            "--json")) {
      String uri = (String) server.awaitEvent("ready").get("listen");
      assertThat(uri).matches("grpc://127.0.0.1:[1-9][0-9]+");

      try (Cli copy = Cli.start("copy", uri, target.toString(), "--json")) {
        copy.awaitEvent("progress");
        assertThat(target).exists();
        copy.signal("INT");

        assertThat(copy.end().code()).isEqualTo(130);
        assertThat(target).doesNotExist();
      }
      server.signal("INT");
      assertThat(server.end().code()).isZero();
    }
  }

  @Test
  void progressIsShownOnATerminalOrWhenItIsAskedFor() throws Exception {
    Path source = file("source", SIZE);
    List<String> copy = Cli.command("copy", source.toString(), "memory:");

    Cli.Result plain = Cli.runProgram(copy);
    Cli.Result asked = Cli.runProgram(with(copy, "--progress"));
    Cli.Result terminal = onTerminal(copy);
    Cli.Result hidden = onTerminal(with(copy, "--no-progress"));
    Cli.Result quiet = onTerminal(with(copy, "--quiet"));

    assertThat(plain.err()).doesNotContain("%", "\033");
    assertThat(asked.err()).contains(" %  ");
    assertThat(terminal.out()).contains(" %  ", "copied 2.86 MiB");
    assertThat(hidden.out()).doesNotContain(" %  ").contains("copied 2.86 MiB");
    assertThat(quiet.out()).isBlank();
  }

  private Cli.Result onTerminal(List<String> command) throws Exception {
    String line = String.join(" ", command.stream().map(word -> "'" + word + "'").toList());
    return Cli.runProgram(List.of("script", "-qec", line, folder.resolve("typescript").toString()));
  }

  private static List<String> with(List<String> command, String option) {
    List<String> longer = new ArrayList<>(command);
    longer.add(option);
    return longer;
  }

  private static Map<String, Object> lastEvent(Cli.Result result) {
    return Json.parse(result.out().lines().toList().getLast());
  }

  private Path file(String name, int size) throws IOException {
    byte[] bytes = new byte[size];
    new Random(3).nextBytes(bytes);
    return Files.write(folder.resolve(name), bytes);
  }
}
