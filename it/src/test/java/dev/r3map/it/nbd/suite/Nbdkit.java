package dev.r3map.it.nbd.suite;

import static dev.r3map.nbd.protocol.Handshake.OPT_EXTENDED_HEADERS;
import static dev.r3map.nbd.protocol.Handshake.OPT_STRUCTURED_REPLY;

import dev.r3map.nbd.NbdServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.URLEncoder;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;

/**
 * What {@code nbdkit} is for libnbd's tests: our server behind that command line. A shell script
 * starts it, puts a socket that is handed over on standard input, and answers for it what does not
 * need a server.
 */
public final class Nbdkit {
  private static final int ALL_FLAGS = 0xffff;

  private final CommandLine line;
  private final OpenedExports exports;

  private Nbdkit(CommandLine line) throws IOException {
    this.line = line;
    Parameters parameters = line.parameters();
    Plugin plugin = Plugins.of(line.plugin(), parameters);
    for (String filter : line.filters().reversed()) {
      plugin = Filters.of(filter, parameters, plugin);
    }
    exports = new OpenedExports(plugin, line.has("-r"));
  }

  public static void main(String[] arguments) throws Exception {
    int status;
    try {
      status = new Nbdkit(CommandLine.parse(arguments)).run();
    } catch (IllegalArgumentException e) {
      System.err.println("nbdkit: not imitated: " + e.getMessage());
      status = 1;
    }
    System.exit(status);
  }

  private int run() throws IOException, InterruptedException {
    Channel given = System.inheritedChannel();
    if (line.has("-s")) {
      serveOne((SocketChannel) given);
      return 0;
    }
    if (given instanceof ServerSocketChannel socket) {
      return serve("", socket);
    }
    if (line.has("-p")) {
      int port = Integer.parseInt(line.value("-p").get());
      return serve("", loopback("127.0.0.1", port), loopback("::1", port));
    }
    String path = line.value("-U").orElse("-");
    if (!path.equals("-")) {
      return serve(path, unix(Path.of(path)));
    }
    Path folder = Files.createTempDirectory("nbdkit");
    try {
      Path socket = folder.resolve("socket");
      return serve(socket.toString(), unix(socket));
    } finally {
      Files.deleteIfExists(folder.resolve("socket"));
      Files.deleteIfExists(folder);
    }
  }

  private static ServerSocketChannel loopback(String host, int port) throws IOException {
    return ServerSocketChannel.open()
        .bind(new InetSocketAddress(InetAddress.getByName(host), port));
  }

  private static ServerSocketChannel unix(Path path) throws IOException {
    return ServerSocketChannel.open(StandardProtocolFamily.UNIX)
        .bind(UnixDomainSocketAddress.of(path));
  }

  private int serve(String unixSocket, ServerSocketChannel... sockets)
      throws IOException, InterruptedException {
    for (ServerSocketChannel socket : sockets) {
      if (isEdited()) {
        editAll(socket);
      } else {
        server().listen(socket).start();
      }
    }
    writePid();
    if (line.has("--run")) {
      return command(unixSocket);
    }
    new CountDownLatch(1).await();
    return 0;
  }

  private void writePid() throws IOException {
    if (line.has("-P")) {
      Files.writeString(Path.of(line.value("-P").get()), ProcessHandle.current().pid() + "\n");
    }
  }

  /** A program that uses the server; the server ends with it. */
  private int command(String unixSocket) throws IOException, InterruptedException {
    String name = line.value("-e").orElse("");
    String encoded = URLEncoder.encode(name, StandardCharsets.UTF_8).replace("+", "%20");
    ProcessBuilder builder =
        new ProcessBuilder("/bin/sh", "-c", line.value("--run").get()).inheritIO();
    builder.environment().put("unixsocket", unixSocket);
    builder.environment().put("exportname", name);
    builder.environment().put("uri", "nbd+unix:///%s?socket=%s".formatted(encoded, unixSocket));
    return builder.start().waitFor();
  }

  private NbdServer.Builder server() {
    NbdServer.Builder server = NbdServer.serve(exports);
    String tls = line.value("--tls").orElse("off");
    if (tls.equals("off") || tls.equals("no")) {
      return server;
    }
    Path folder = Path.of(line.value("--tls-certificates").orElseThrow());
    server.tls(folder.resolve("server-cert.pem"), folder.resolve("server-key.pem"));
    if (line.has("--tls-verify-peer")) {
      server.clientCa(folder.resolve("ca-cert.pem"));
    }
    return server.plaintextToo(tls.equals("on"));
  }

  private void serveOne(SocketChannel client) throws IOException {
    writePid();
    if (isEdited()) {
      editor(client, hidden()).run();
    } else {
      server().serveOne(client);
    }
  }

  /** Whether clients are to be told less than what our server can do. */
  private boolean isEdited() {
    return Set.of("sh", "eval").contains(line.plugin())
        || line.filters().contains("nozero")
        || line.has("--no-sr")
        || line.has("--no-eh")
        || line.has("--mask-handshake");
  }

  private void editAll(ServerSocketChannel socket) throws IOException {
    Path server = hidden();
    Thread.ofPlatform()
        .daemon()
        .start(() -> {
          try {
            while (true) {
              Thread.ofPlatform().daemon().start(editor(socket.accept(), server));
            }
          } catch (IOException e) {
            System.err.println("nbdkit: cannot accept: " + e);
          }
        });
  }

  /** Our server, where only an editor finds it. */
  private Path hidden() throws IOException {
    Path folder = Files.createTempDirectory("nbdkit");
    NbdServer server = server().listen(folder.resolve("socket")).start();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(() -> {
              try {
                server.close();
                Files.delete(folder);
              } catch (IOException e) {
                System.err.println("nbdkit: cannot clean up: " + e);
              }
            }));
    return folder.resolve("socket");
  }

  private HandshakeEditor editor(SocketChannel client, Path server) throws IOException {
    Set<Integer> refused = new HashSet<>();
    if (line.has("--no-sr")) {
      refused.addAll(List.of(OPT_STRUCTURED_REPLY, OPT_EXTENDED_HEADERS));
    }
    if (line.has("--no-eh")) {
      refused.add(OPT_EXTENDED_HEADERS);
    }
    return new HandshakeEditor(
        client,
        SocketChannel.open(UnixDomainSocketAddress.of(server)),
        exports,
        refused,
        line.value("--mask-handshake").map(Integer::decode).orElse(ALL_FLAGS));
  }
}
