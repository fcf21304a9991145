package dev.r3map.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.nbd.NbdExport;
import dev.r3map.nbd.NbdServer;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Exports of an NBD server as resources. */
class NbdCommandsTest {
  private static final int SIZE = 8 << 20;

  @TempDir private Path folder;

  @Test
  void anExportIsShownAndCopiedWithItsHoles() throws Exception {
    Path back = folder.resolve("back");
    try (Backend full = file("full", 1 << 20);
        Backend empty = file("empty", 0);
        NbdServer server =
            NbdServer.serve(
                    List.of(
                        NbdExport.of("full", full).withDescription("a full one"),
                        NbdExport.of("empty", empty)))
                .start()) {
      Cli.Result info = Cli.run("info", server.uri() + "/full", "--map");
      Cli.Result json = Cli.run("info", server.uri() + "/full", "--map", "--json");
      Cli.Result between = Cli.run("copy", server.uri() + "/full", server.uri() + "/empty");
      Cli.Result down = Cli.run("copy", server.uri() + "/empty", back.toString(), "--verify");

      assertThat(info.code()).isZero();
      assertThat(info.out())
          .contains("protocol  NBD, extended headers")
          .contains("features  flush, fua, trim, zero")
          .contains("says      a full one")
          .contains("exports   full, empty")
          .containsPattern("0 +1048576  data")
          .containsPattern("1048576 +7340032  hole")
          .contains("usage     1 MiB data, 7 MiB holes");
      assertThat(json.out())
          .contains("\"exports\":[\"full\",\"empty\"]")
          .contains("\"map\":[{\"offset\":0,\"length\":1048576,\"kind\":\"data\"}");
      assertThat(between.err()).contains("7 MiB of it zeros");
      assertThat(down.err()).contains("7 MiB of it zeros; both sides are equal");
    }
    assertThat(back).hasSameBinaryContentAs(folder.resolve("full"));
  }

  @Test
  void whoAsksForNoExportOfTheServersIsToldWhatItHas() throws Exception {
    try (Backend disk = file("disk", 0);
        NbdServer server = NbdServer.serve(List.of(NbdExport.of("disk", disk))).start()) {
      Cli.Result info = Cli.run("info", server.uri() + "/tape");

      assertThat(info.code()).isEqualTo(1);
      assertThat(info.err()).contains("no export 'tape'", "it has: disk");
    }
  }

  private Backend file(String name, int data) throws Exception {
    Path path = folder.resolve(name);
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      byte[] bytes = new byte[data];
      Arrays.fill(bytes, (byte) 7);
      file.write(bytes);
      file.setLength(SIZE);
    }
    return FileBackend.open(path);
  }
}
