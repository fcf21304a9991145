package dev.r3map.it.nbd.suite;

import dev.r3map.backend.FileBackend;
import dev.r3map.nbd.NbdExport;
import dev.r3map.nbd.NbdServer;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What {@code qemu-nbd -f raw} is for libnbd's tests: our server behind that command line. It ends
 * when its client leaves.
 */
public final class QemuNbd {
  private final Map<String, String> options = new HashMap<>();
  private Path file = Path.of("");

  private QemuNbd(String... arguments) {
    for (int i = 0; i < arguments.length; i++) {
      if (arguments[i].equals("-r")) {
        options.put("-r", "");
      } else if (arguments[i].startsWith("-")) {
        options.put(arguments[i], arguments[++i]);
      } else {
        file = Path.of(arguments[i]);
      }
    }
  }

  public static void main(String[] arguments) throws IOException {
    new QemuNbd(arguments).run();
    System.exit(0);
  }

  private void run() throws IOException {
    try (FileBackend backend = FileBackend.open(file);
        ServerSocketChannel socket = socket()) {
      NbdExport export =
          NbdExport.of(options.getOrDefault("-x", ""), backend)
              .withDescription(options.getOrDefault("-D", ""))
              .withReadOnly(options.containsKey("-r"));
      SocketChannel client = socket.accept();
      server(export).serveOne(client);
    }
  }

  private ServerSocketChannel socket() throws IOException {
    if (System.inheritedChannel() instanceof ServerSocketChannel given) {
      return given;
    }
    return ServerSocketChannel.open(StandardProtocolFamily.UNIX)
        .bind(UnixDomainSocketAddress.of(options.get("-k")));
  }

  private NbdServer.Builder server(NbdExport export) {
    NbdServer.Builder server = NbdServer.serve(List.of(export));
    String credentials = options.get("--object");
    if (credentials != null) {
      Path folder = Path.of(credentials.replaceFirst(".*dir=", ""));
      server
          .tls(folder.resolve("server-cert.pem"), folder.resolve("server-key.pem"))
          .clientCa(folder.resolve("ca-cert.pem"));
    }
    return server;
  }
}
