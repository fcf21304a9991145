package dev.r3map.it.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.Backends;
import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.it.support.ChildJvm;
import dev.r3map.nbd.NbdServer;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/** An NBD server in a process of its own, which can be killed and started again. Owns it. */
final class OtherServer implements AutoCloseable {
  private static final Duration SOON = Duration.ofSeconds(20);

  private final List<String> command;
  private final Class<?> main;
  private final URI uri;
  private Process process;
  private ProcessHandle handle;

  private OtherServer(Class<?> main, List<String> command, URI uri) {
    this.main = main;
    this.command = command;
    this.uri = uri;
  }

  /** Where a server listens: a socket in a folder, or a port. */
  record Place(Path socket, int port, Optional<Certificates> tls) {
    static Place unix(Path folder) {
      return new Place(
          folder.resolve(UUID.randomUUID().toString().substring(0, 8)), 0, Optional.empty());
    }

    /** A port that was free just now. */
    static Place tcp() throws IOException {
      try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        return new Place(Path.of("/"), socket.getLocalPort(), Optional.empty());
      }
    }

    /** The same, encrypted, with certificates of both sides. */
    static Place tls(Certificates certificates) throws IOException {
      return new Place(Path.of("/"), tcp().port, Optional.of(certificates));
    }

    boolean isUnix() {
      return port == 0;
    }

    URI uri(String export) {
      if (tls.isPresent()) {
        return URI.create(
            "nbds://localhost:%d/%s?tls-certificates=%s"
                .formatted(port, export, tls.get().folder()));
      }
      return URI.create(
          isUnix()
              ? "nbd+unix:///%s?socket=%s".formatted(export, socket)
              : "nbd://127.0.0.1:%d/%s".formatted(port, export));
    }
  }

  static OtherServer nbdkit(Place place, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("nbdkit", "-f", "--exit-with-parent"));
    command.addAll(
        place.isUnix()
            ? List.of("-U", place.socket.toString())
            : List.of("-i", "127.0.0.1", "-p", "" + place.port));
    place.tls.ifPresent(certificates ->
        command.addAll(
            List.of(
                "--tls=require",
                "--tls-certificates=" + certificates.folder(),
                "--tls-verify-peer")));
    command.addAll(List.of(arguments));
    return started(null, command, place.uri(""));
  }

  static OtherServer qemuNbd(Place place, Path file, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("qemu-nbd", "-t", "-e", "8", "-f", "raw"));
    command.addAll(
        place.isUnix()
            ? List.of("-k", place.socket.toString())
            : List.of("-b", "127.0.0.1", "-p", "" + place.port));
    place.tls.ifPresent(certificates ->
        command.addAll(
            List.of(
                "--object",
                "tls-creds-x509,id=tls,endpoint=server,verify-peer=yes,dir="
                    + certificates.folder(),
                "--tls-creds=tls")));
    command.addAll(List.of("-x", "disk", "--discard=unmap"));
    command.addAll(List.of(arguments));
    command.add(file.toString());
    return started(null, command, place.uri("disk"));
  }

  static OtherServer nbdServer(Place place, Path file, String... options) throws Exception {
    Path config = file.resolveSibling(file.getFileName() + ".conf");
    List<String> lines = new ArrayList<>(List.of("[generic]", "allowlist = true"));
    lines.addAll(
        place.isUnix()
            // It listens on TCP as well, whatever it is told.
            ? List.of("unixsock = " + place.socket, "port = " + Place.tcp().port)
            : List.of("port = " + place.port));
    lines.add("listenaddr = 127.0.0.1");
    lines.addAll(List.of("[disk]", "exportname = " + file, "flush = true", "trim = true"));
    lines.addAll(List.of(options));
    Files.write(config, lines);
    Path pid = file.resolveSibling(file.getFileName() + ".pid");
    // In the foreground it serves one client and ends.
    return started(
        null,
        List.of("nbd-server", "-C", config.toString(), "-p", pid.toString()),
        place.uri("disk"));
  }

  /** Our own, with a file. */
  static OtherServer ours(Path file, Path socket) throws Exception {
    return started(
        OtherServer.class,
        List.of(file.toString(), socket.toString()),
        URI.create("nbd+unix:///?socket=" + socket));
  }

  private static OtherServer started(Class<?> main, List<String> command, URI uri)
      throws Exception {
    OtherServer server = new OtherServer(main, command, uri);
    server.start();
    return server;
  }

  URI uri() {
    return uri;
  }

  /** Begins to serve, again where it did before. */
  void start() throws Exception {
    if (command.contains("-U")) {
      // It refuses the socket of a dead one.
      Files.deleteIfExists(Path.of(command.get(command.indexOf("-U") + 1)));
    }
    process =
        main == null
            ? new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
            : ChildJvm.start(main, command.toArray(String[]::new));
    handle = process.toHandle();
    long deadline = System.nanoTime() + SOON.toNanos();
    while (true) {
      try (Backend probe = open()) {
        handle = daemon().orElse(handle);
        assertThat(probe.size()).isNotNegative();
        return;
      } catch (IOException e) {
        boolean ended = process.waitFor(20, TimeUnit.MILLISECONDS) && process.exitValue() != 0;
        if (ended || System.nanoTime() - deadline > 0) {
          close();
          throw new AssertionError("%s does not serve".formatted(command), e);
        }
      }
    }
  }

  /** The process that goes on in the background, if there is one. */
  private Optional<ProcessHandle> daemon() throws IOException {
    int option = command.indexOf("-p");
    if (!command.getFirst().equals("nbd-server") || option < 0) {
      return Optional.empty();
    }
    return ProcessHandle.of(
        Long.parseLong(Files.readString(Path.of(command.get(option + 1))).strip()));
  }

  /** A client of it. */
  Backend open() throws IOException {
    return Backends.open(uri, BackendOptions.DEFAULT);
  }

  /** SIGKILL, to it and what it has started. */
  void kill() throws InterruptedException {
    List<ProcessHandle> all = new ArrayList<>(handle.descendants().toList());
    all.add(handle);
    all.forEach(ProcessHandle::destroyForcibly);
    for (ProcessHandle one : all) {
      long deadline = System.nanoTime() + SOON.toNanos();
      while (runs(one)) {
        if (System.nanoTime() - deadline > 0) {
          throw new AssertionError("cannot kill " + one.info());
        }
        process.waitFor(5, TimeUnit.MILLISECONDS);
      }
    }
  }

  /** What is dead and only not yet reaped by its parent holds no port and no file. */
  private static boolean runs(ProcessHandle one) {
    try {
      String stat = Files.readString(Path.of("/proc/%d/stat".formatted(one.pid())));
      return stat.charAt(stat.lastIndexOf(')') + 2) != 'Z';
    } catch (IOException e) {
      return false;
    }
  }

  @Override
  public void close() throws IOException {
    try {
      kill();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /** Serves a file until it is killed or its standard input ends. */
  public static void main(String[] arguments) throws IOException {
    InputStream parent = System.in;
    try (Backend backend = FileBackend.open(Path.of(arguments[0]));
        NbdServer _ = NbdServer.serve(backend).listen(Path.of(arguments[1])).start()) {
      while (parent.read() >= 0) {
        // Until whoever started this is done, or gone.
      }
    }
  }
}
