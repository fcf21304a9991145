package dev.r3map.grpc;

import dev.r3map.backend.PermanentIOException;
import dev.r3map.spi.BackendOptions;
import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** TLS 1.3 and nothing older, by the JDK, from PEM files. */
final class Tls {
  private static final String PROTOCOL = "TLSv1.3";

  private Tls() {}

  static SslContext client(BackendOptions.Tls files) throws IOException {
    if (files.certificate().isPresent() != files.key().isPresent()) {
      throw new IllegalArgumentException("a certificate needs its key, and a key its certificate");
    }
    readable(files.ca());
    readable(files.certificate());
    readable(files.key());
    return build(() -> {
      SslContextBuilder builder = SslContextBuilder.forClient();
      files.ca().ifPresent(ca -> builder.trustManager(ca.toFile()));
      if (files.certificate().isPresent() && files.key().isPresent()) {
        builder.keyManager(files.certificate().get().toFile(), files.key().get().toFile());
      }
      return builder;
    });
  }

  /**
   * @param clientCa who signs the certificates that clients must have; none are asked for if empty
   */
  static SslContext server(Path certificate, Path key, Optional<Path> clientCa) throws IOException {
    readable(Optional.of(certificate));
    readable(Optional.of(key));
    readable(clientCa);
    return build(() -> {
      SslContextBuilder builder = SslContextBuilder.forServer(certificate.toFile(), key.toFile());
      clientCa.ifPresent(ca -> builder.trustManager(ca.toFile()).clientAuth(ClientAuth.REQUIRE));
      return builder;
    });
  }

  private static SslContext build(Builder builder) throws IOException {
    try {
      return GrpcSslContexts.configure(builder.get(), SslProvider.JDK).protocols(PROTOCOL).build();
    } catch (IOException | IllegalArgumentException e) {
      throw new PermanentIOException("cannot use the TLS files: " + e.getMessage(), e);
    }
  }

  private static void readable(Optional<Path> file) throws IOException {
    if (file.isPresent() && !Files.isReadable(file.get())) {
      throw new PermanentIOException("cannot read the TLS file " + file.get());
    }
  }

  @FunctionalInterface
  private interface Builder {
    SslContextBuilder get() throws IOException;
  }
}
