package dev.r3map.cli.term;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.ConnectException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TextTest {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Console console =
      new Console(
          new PrintStream(out, true, StandardCharsets.UTF_8),
          new PrintStream(err, true, StandardCharsets.UTF_8));

  @ParameterizedTest
  @CsvSource({
    "0, 0 B",
    "1023, 1023 B",
    "1024, 1 KiB",
    "1536, 1.5 KiB",
    "268435456, 256 MiB",
    "1048575, 1 MiB",
    "13002342, 12.4 MiB",
    "1180591620717, 1.07 TiB",
  })
  void sizesHaveThreeDigits(long bytes, String expected) {
    assertThat(Human.bytes(bytes)).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "PT0.00123S, 1.23 ms",
    "PT0.9994S, 999 ms",
    "PT1S, 1 s",
    "PT12.34S, 12.3 s",
    "PT59.97S, 1 min 00 s",
    "PT125S, 2 min 05 s",
    "PT7500S, 2 h 05 min",
  })
  void timesHaveTheUnitThatFits(Duration time, String expected) {
    assertThat(Human.duration(time)).isEqualTo(expected);
  }

  @Test
  void ratesAreBytesInATime() {
    assertThat(Human.rate(10 << 20, Duration.ofSeconds(4))).isEqualTo("2.5 MiB/s");
    assertThat(Human.rate(1, Duration.ZERO)).endsWith("/s");
  }

  @Test
  void userInfoOfUrisIsMasked() {
    assertThat(Secrets.mask("cannot reach redis://me:secret@host:1/2, me@example.com"))
        .isEqualTo("cannot reach redis://***@host:1/2, me@example.com");
  }

  @Test
  void jsonIsOneLineWhateverIsInIt() {
    String json =
        JsonObject.event("x")
            .with("text", "a \"b\"\n\u0001 c://d:e@f")
            .with("number", 1L << 60)
            .with("truth", true)
            .with("part", new JsonObject().with("half", 0.5))
            .with("list", List.of(new JsonObject()))
            .withAny("nothing", Optional.empty())
            .toString();

    assertThat(json)
        .isEqualTo(
            "{\"event\":\"x\",\"text\":\"a \\\"b\\\"\\n\\u0001 c://***@f\",\"number\":"
                + (1L << 60)
                + ",\"truth\":true,\"part\":{\"half\":0.5},\"list\":[{}]}");
  }

  @Test
  void progressFitsTheTerminalAndTellsWhatIsLeft() {
    var state = new ProgressLine.State(64 << 20, 256 << 20, "3 MiB to push");

    String wide = ProgressLine.render(state, 12 << 20, 119);
    String narrow = ProgressLine.render(state, 12 << 20, 30);

    assertThat(wide)
        .isEqualTo(
            "[%s%s]   25 %%  64 MiB of 256 MiB  12 MiB/s  16 s left  3 MiB to push"
                .formatted("=".repeat(10), " ".repeat(30)));
    assertThat(narrow).hasSize(30).startsWith(" 25 %  64 MiB of 256 MiB");
    assertThat(ProgressLine.render(new ProgressLine.State(0, 0, ""), 0, 40)).contains("100 %");
  }

  @Test
  void messagesDoNotRunIntoTheStatusLine() {
    console.status("50 %");
    console.say("hello");
    console.status("");

    assertThat(err.toString(StandardCharsets.UTF_8))
        .isEqualTo("50 %%\r\033[Kr3map: hello%n50 %%\r\033[K".formatted());
  }

  @Test
  void whoIsQuietSaysOnlyResultsAndErrors() {
    console.beQuiet();

    console.say("hello");
    console.error("bad");
    console.result("42");

    assertThat(err.toString(StandardCharsets.UTF_8)).isEqualTo("r3map: bad%n".formatted());
    assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo("42%n".formatted());
  }

  @Test
  void eventsAreForMachinesOnly() {
    console.event(() -> JsonObject.event("unseen"));
    console.useJson();
    console.event(() -> JsonObject.event("seen"));

    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo("{\"event\":\"seen\"}%n".formatted());
  }

  @Test
  void exceptionsAreOneLineInWords() {
    assertThat(Errors.describe(new NoSuchFileException("/x")))
        .isEqualTo("/x: no such file or folder");
    assertThat(Errors.describe(new AccessDeniedException("/x"))).isEqualTo("/x: permission denied");
    assertThat(Errors.describe(new FileSystemException("/x", null, "Is odd")))
        .isEqualTo("/x: Is odd");
    assertThat(Errors.describe(new UncheckedIOException(new IOException("a\n  b"))))
        .isEqualTo("a b");
    assertThat(Errors.describe(new IOException())).isEqualTo("IOException");
    assertThat(Errors.describe(new IOException("no answer", new ConnectException("refused"))))
        .isEqualTo("no answer; is the server running there?");
    assertThat(Errors.describe(new IOException("cannot listen", new BindException("in use"))))
        .isEqualTo("cannot listen: in use");
    assertThat(Errors.describe(new IllegalArgumentException("bad x"))).isEqualTo("bad x");
    assertThat(Errors.describe(new IllegalStateException("odd")))
        .isEqualTo("odd (IllegalStateException)");
  }
}
