package dev.r3map.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SizesTest {
  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "123, 123",
    "123B, 123",
    "4KiB, 4096",
    "4 KiB, 4096",
    "4k, 4096",
    "1mib, 1048576",
    "1M, 1048576",
    "1GiB, 1073741824",
    "1.5G, 1610612736",
    "0.5K, 512",
    "1TiB, 1099511627776",
    "7EiB, 8070450532247928832",
    "9223372036854775807, 9223372036854775807"
  })
  void sizesAreReadAsPeopleWriteThem(String text, long size) {
    assertThat(Sizes.parse(text)).isEqualTo(size);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "-1", "1e3", "1 2", "KiB", "1KiBB", "1X", "0x10", "1,5G", "."})
  void whatIsNoSizeIsRefusedWithAnExampleOfOne(String text) {
    assertThatThrownBy(() -> Sizes.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'" + text + "'")
        .hasMessageContaining("256KiB");
  }

  @ParameterizedTest
  @ValueSource(strings = {"8EiB", "9223372036854775808", "1.0001K", "0.1"})
  void sizesThatAreNoNumberOfBytesAreRefused(String text) {
    assertThatThrownBy(() -> Sizes.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("whole number of bytes");
  }

  @Test
  void unitsOfTwoMeaningsAreRefusedAndTheClearOneIsNamed() {
    assertThatThrownBy(() -> Sizes.parse("10MB"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("MiB");
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "1, 1",
    "1023, 1023",
    "1024, 1KiB",
    "1536, 1536",
    "4097, 4097",
    "262144, 256KiB",
    "1073741824, 1GiB",
    "68719476736, 64GiB",
    "1152921504606846976, 1EiB"
  })
  void sizesAreWrittenExactly(long size, String text) {
    assertThat(Sizes.format(size)).isEqualTo(text);
    assertThat(Sizes.parse(text)).isEqualTo(size);
  }
}
