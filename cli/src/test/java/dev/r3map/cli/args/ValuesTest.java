package dev.r3map.cli.args;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class ValuesTest {
  @ParameterizedTest
  @CsvSource({
    "0, PT0S",
    "20s, PT20S",
    "150ms, PT0.15S",
    "250us, PT0.00025S",
    "2m, PT2M",
    "2min, PT2M",
    "1h, PT1H",
    "1.5s, PT1.5S",
    "' 3 S ', PT3S",
  })
  void timesAreReadAsPeopleWriteThem(String text, Duration expected) {
    assertThat(Durations.parse(text)).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "5", "s", "-1s", "5 days", "1e3s", "99999999999h"})
  void whatIsNoTimeIsRefusedWithItsText(String text) {
    assertThatThrownBy(() -> Durations.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'" + text + "'");
  }

  @ParameterizedTest
  @CsvSource({"0, 0", "5, 0.05", "12.5, 0.125", "100%, 1", "'7 %', 0.07"})
  void percentagesAreParts(String text, double expected) {
    assertThat(new FractionConverter().convert(text)).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(strings = {"-1", "101", "x", "", "NaN"})
  void whatIsNoPercentageIsRefused(String text) {
    assertThatThrownBy(() -> new FractionConverter().convert(text))
        .isInstanceOf(TypeConversionException.class)
        .hasMessageContaining(text);
  }

  @ParameterizedTest
  @CsvSource({
    "grpc://host:1337, grpc://host:1337, host-1337",
    "grpc://me:secret@host:1, grpc://***@host:1, host-1",
    "s3://key:secret@host/bucket/film.mp4?token=secret, s3://***@host/bucket/film.mp4, film.mp4",
    "grpc+unix:///run/film.sock, grpc+unix:///run/film.sock, film.sock",
    "memory:1GiB, memory:1GiB, memory",
    "memory:, memory:, memory",
    "/srv/disk.img, /srv/disk.img, disk.img",
  })
  void resourcesAreShownWithoutSecretsAndNameAFile(String text, String shown, String name) {
    Resource resource = Resource.parse(text);

    assertThat(resource).hasToString(shown);
    assertThat(resource.fileName()).isEqualTo(name);
  }

  @Test
  void onlyFilesHaveAPath() {
    assertThat(Resource.parse("a b?c").file())
        .contains(Path.of("a b?c").toAbsolutePath().normalize());
    assertThat(Resource.parse("grpc://host").file()).isEmpty();
    assertThat(Resource.parse("memory:").isUnsizedMemory()).isTrue();
    assertThat(Resource.parse("memory:1").isUnsizedMemory()).isFalse();
  }
}
