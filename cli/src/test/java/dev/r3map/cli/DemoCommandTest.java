package dev.r3map.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.linux.Fuse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoCommandTest {
  @TempDir private Path folder;

  @BeforeEach
  void requireFuse() {
    assertThat(Fuse.unavailable()).isEmpty();
  }

  @Test
  void itShowsAMountAndLeavesNothingBehind() throws Exception {
    Cli.Result text = demo("--size=8MiB", "--rtt=5ms");
    Cli.Result json = demo("--size=8MiB", "--rtt=5ms", "--json");

    assertThat(text.code()).as(text.err()).isZero();
    assertThat(text.out()).contains("8 MiB", "5 ms late", "dd has read", "sha256sum", "checksum");
    assertThat(text.err()).isEmpty();
    Map<String, Object> event = Json.parse(json.out());
    assertThat(event).containsEntry("event", "demo").containsEntry("size", 8L << 20);
    assertThat((double) event.get("firstReadSeconds")).isPositive();
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).isEmpty();
    }
  }

  @Test
  void onATerminalTheFileStaysUntilCtrlC() throws Exception {
    String command = String.join(" ", command("--size=1MiB", "--rtt=1ms"));
    // Feeds Ctrl-C to the terminal once the file may be looked at.
    String script =
        """
        mkfifo keys
        exec 3<>keys
        script -qec "%s" typescript <keys >screen &
        until grep -q 'until you press Ctrl-C' screen; do sleep 0.1; done
        file=$(grep -o '/[^ ]*/remote.bin' screen | head -1)
        stat -c 'size %%s' "$file"
        printf '\\003' >&3
        wait $!
        echo "code $?"
        test -e "$file" || echo gone
        """
            .formatted(command);

    Cli.Result result =
        Cli.runProgram(List.of("timeout", "100", "bash", "-c", "cd " + folder + "\n" + script));

    assertThat(result.out().lines()).containsExactly("size 1048576", "code 0", "gone");
  }

  private Cli.Result demo(String... options) throws Exception {
    return Cli.runProgram(command(options));
  }

  /** With a temporary folder of its own. */
  private List<String> command(String... options) {
    List<String> command = Cli.command("demo");
    command.add(command.indexOf("-cp"), "-Djava.io.tmpdir=" + folder);
    command.addAll(List.of(options));
    return command;
  }
}
