package dev.r3map.it.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.FileBackend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.it.support.Tool;
import dev.r3map.nbd.NbdExport;
import dev.r3map.nbd.NbdServer;
import dev.r3map.testkit.Watchdog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What the NBD server says to clients that others wrote when these ask for what cannot be. */
@Timeout(120)
class NbdNegativeIT {
  private static final int SIZE = 64 << 20;

  /** 370 in a second is what a server does that waits for acknowledgements. */
  private static final int MIN_REQUESTS_PER_SECOND = 1000;

  @RegisterExtension static final Watchdog WATCHDOG = Watchdog.after(Duration.ofMinutes(5));

  @TempDir Path folder;

  private MemoryBackend memory;
  private NbdServer server;

  /** How clients reach the server. */
  enum Way {
    TCP,
    UNIX
  }

  @BeforeAll
  static void requireTools() {
    Tool.require("nbdsh", "python3-libnbd");
    Tool.require("qemu-img", "qemu-utils");
  }

  @BeforeEach
  void open() throws IOException {
    memory = MemoryBackend.of(SIZE);
  }

  @AfterEach
  void close() throws IOException {
    server.close();
    memory.close();
  }

  private void serve(Way way) throws IOException {
    NbdServer.Builder builder =
        NbdServer.serve(
            List.of(
                NbdExport.of("memory", memory).withDescription("some memory"),
                NbdExport.of("still", memory).withReadOnly(true)));
    server = (way == Way.UNIX ? builder.listen(folder.resolve("socket")) : builder).start();
  }

  private String export(String name) {
    return server.uri().getQuery() == null
        ? server.uri() + "/" + name
        : "nbd+unix:///%s?%s".formatted(name, server.uri().getRawQuery());
  }

  /**
   * Runs a script whose {@code h} is a handle, and whose {@code fails} wants an error that came
   * from the server, with a part of the server's message.
   */
  private static void nbdsh(String script) throws Exception {
    String helpers =
        """
        import errno
        said = []
        h.set_debug_callback(lambda context, message: said.append(message))
        h.set_debug(True)
        h.set_strict_mode(0)

        def fails(expected, text, call):
            said.clear()
            try:
                call()
            except nbd.Error as e:
                assert e.errnum == expected, e
                assert any(text in line for line in said), said
                return
            raise AssertionError("it was done, and no " + text)

        """;
    // Another Python than that of the system would not find the library.
    Tool.text("env", "PATH=/usr/bin:/bin", "nbdsh", "-c", helpers + script);
  }

  @ParameterizedTest
  @EnumSource
  void badRequestsGetTheErrorsOfTheSpecification(Way way) throws Exception {
    serve(way);
    nbdsh(
        """
        h.add_meta_context("base:allocation")
        h.connect_uri("%s")
        size = h.get_size()
        some = bytearray(b"x" * 512)
        status = lambda *extents: 0

        outside = "not within the export"
        fails(errno.EINVAL, outside, lambda: h.pread(512, size))
        fails(errno.EINVAL, outside, lambda: h.pread(512, 2**64 - 256))
        fails(errno.ENOSPC, outside, lambda: h.pwrite(some, size - 1))
        fails(errno.ENOSPC, outside, lambda: h.pwrite(some, 2**64 - 512))
        fails(errno.EINVAL, outside, lambda: h.trim(512, size))
        fails(errno.EINVAL, outside, lambda: h.trim(2**32 - 1, 0))
        fails(errno.ENOSPC, outside, lambda: h.zero(512, 2**63))
        fails(errno.EINVAL, outside, lambda: h.cache(512, size))
        fails(errno.EINVAL, outside, lambda: h.block_status(512, size, status))

        nothing = "no bytes"
        fails(errno.EINVAL, nothing, lambda: h.pread(0, 0))
        fails(errno.EINVAL, nothing, lambda: h.pwrite(bytearray(), 0))
        fails(errno.EINVAL, nothing, lambda: h.trim(0, 0))
        fails(errno.EINVAL, nothing, lambda: h.zero(0, 0))
        fails(errno.EINVAL, nothing, lambda: h.cache(0, 0))
        fails(errno.EINVAL, nothing, lambda: h.block_status(0, 0, status))

        flag = "flag"
        fails(errno.EINVAL, flag, lambda: h.pread(512, 0, nbd.CMD_FLAG_NO_HOLE))
        fails(errno.EINVAL, flag, lambda: h.pread(512, 0, 1 << 15))
        fails(errno.EINVAL, flag, lambda: h.pwrite(some, 0, nbd.CMD_FLAG_DF))
        fails(errno.EINVAL, flag, lambda: h.flush(nbd.CMD_FLAG_DF))
        fails(errno.EINVAL, flag, lambda: h.trim(512, 0, nbd.CMD_FLAG_FAST_ZERO))
        fails(errno.EINVAL, flag, lambda: h.zero(512, 0, nbd.CMD_FLAG_REQ_ONE))

        large = (32 << 20) + 1
        fails(errno.EINVAL, "maximum", lambda: h.pread(large, 0))
        fails(errno.EINVAL, "maximum", lambda: h.pwrite(bytearray(large), 0))

        assert h.pread(512, 0) == bytearray(512)
        h.pwrite(some, 0, nbd.CMD_FLAG_FUA)
        chunks = []
        note = lambda data, offset, status, error: chunks.append((len(data), offset))
        assert h.pread_structured(8192, 0, note, nbd.CMD_FLAG_DF)[:512] == some
        assert chunks == [(8192, 0)], chunks
        h.shutdown()
        """
            .formatted(export("memory")));
  }

  @Test
  void whatWasNotNegotiatedIsRefused() throws Exception {
    serve(Way.UNIX);
    nbdsh(
        """
        h.set_request_structured_replies(False)
        h.connect_uri("%s")
        assert not h.get_structured_replies_negotiated()
        # A simple reply has no room for a text.
        fails(errno.EINVAL, "", lambda: h.pread_structured(512, 0, lambda *a: 0, nbd.CMD_FLAG_DF))
        fails(errno.EINVAL, "", lambda: h.block_status(512, 0, lambda *a: 0))
        assert h.pread(512, 0) == bytearray(512)
        h.shutdown()
        """
            .formatted(export("memory")));
    nbdsh(
        """
        h.connect_uri("%s")
        assert h.is_read_only()
        for call in (lambda: h.pwrite(bytearray(512), 0), lambda: h.trim(512, 0),
                     lambda: h.zero(512, 0)):
            fails(errno.EPERM, "read-only", call)
        fails(errno.EINVAL, "context", lambda: h.block_status(512, 0, lambda *a: 0))
        h.flush()
        h.shutdown()
        """
            .formatted(export("still")));
  }

  @ParameterizedTest
  @EnumSource
  void theHandshakeGoesOnAfterARefusal(Way way) throws Exception {
    serve(way);
    nbdsh(
        """
        h.set_opt_mode(True)
        h.connect_uri("%s")
        names = []
        assert h.opt_list(lambda name, about: names.append((name, about))) == 2
        assert names == [("memory", "some memory"), ("still", "")], names

        h.set_export_name("nothing")
        fails(errno.ENOENT, "", h.opt_info)
        fails(errno.ENOENT, "", h.opt_go)
        fails(errno.ENOTSUP, "", lambda: h.opt_list_meta_context(lambda name: 0))
        h.set_export_name("x" * 4096)
        fails(errno.ENOENT, "", h.opt_info)

        h.set_export_name("still")
        h.opt_info()
        assert h.is_read_only()
        contexts = []
        h.opt_list_meta_context(lambda name: contexts.append(name))
        assert contexts == ["base:allocation"], contexts
        h.add_meta_context("base:allocation")
        h.add_meta_context("other:nothing")
        h.set_export_name("memory")
        h.opt_go()
        assert not h.is_read_only()
        assert h.can_meta_context("base:allocation")
        assert not h.can_meta_context("other:nothing")
        assert h.get_size() == %d
        h.shutdown()

        h = nbd.NBD()
        h.set_opt_mode(True)
        h.connect_uri("%s")
        h.opt_abort()
        assert h.aio_is_closed()
        """
            .formatted(export(""), SIZE, export("")));
  }

  @ParameterizedTest
  @EnumSource
  void whoInsistsOnEncryptionGetsNone(Way way) throws Exception {
    serve(way);
    nbdsh(
        """
        h.set_tls(nbd.TLS_REQUIRE)
        try:
            h.connect_uri("%s")
            raise AssertionError("connected in plaintext")
        except nbd.Error as e:
            assert "TLS" in e.string, e

        h = nbd.NBD()
        h.set_tls(nbd.TLS_ALLOW)
        h.connect_uri("%s")
        assert not h.get_tls_negotiated()
        assert h.pread(512, 0) == bytearray(512)
        h.shutdown()
        """
            .formatted(export("memory"), export("memory")));
  }

  @ParameterizedTest
  @EnumSource
  void nbdClientLists(Way way) throws Exception {
    serve(way);
    String[] where =
        way == Way.UNIX
            ? new String[] {"-unix", folder.resolve("socket").toString()}
            : new String[] {"127.0.0.1", "" + server.port()};
    String said = Tool.text("env", "PATH=/usr/sbin:/sbin", "nbd-client", "-l", where[0], where[1]);
    assertThat(said).contains("memory: some memory", "still");
  }

  @Test
  void aFullDiskIsNoSpaceAndNoMore() throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    Tool.text("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk.toString());
    try {
      Path file = disk.resolve("file");
      Tool.text("truncate", "-s", "16M", file.toString());
      try (FileBackend backend = FileBackend.open(file)) {
        server = NbdServer.serve(backend).listen(folder.resolve("socket")).start();
        nbdsh(
            """
            h.connect_uri("%s")
            piece = bytearray(b"x" * (1 << 20))
            for at in range(3):
                h.pwrite(piece, at << 20)
            fails(errno.ENOSPC, "No space left", lambda: h.pwrite(bytearray(b"y" * (4 << 20)), 8 << 20))
            fails(errno.ENOSPC, "No space left",
                  lambda: h.zero(4 << 20, 12 << 20, nbd.CMD_FLAG_NO_HOLE))
            assert h.pread(1 << 20, 1 << 20) == piece
            h.trim(16 << 20, 0)
            h.pwrite(piece, 0)
            h.flush()
            h.shutdown()
            """
                .formatted(export("")));
        server.close();
      }
    } finally {
      Tool.text("umount", disk.toString());
    }
  }

  @Test
  void smallRequestsOverTcpDoNotWaitForAcknowledgements() throws Exception {
    serve(Way.TCP);
    int count = 20_000;
    List<String> bench =
        List.of("qemu-img", "bench", "-c", "" + count, "-d", "32", "-s", "4096", "-f", "raw");
    List<String> command = new ArrayList<>(bench);
    command.add(export("memory"));
    Tool.run(Duration.ofSeconds(count / MIN_REQUESTS_PER_SECOND), command).succeeded();
    command.add(2, "-w");
    Tool.run(Duration.ofSeconds(count / MIN_REQUESTS_PER_SECOND), command).succeeded();
  }
}
