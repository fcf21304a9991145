package dev.r3map.grpc;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** A certificate authority of our own, with the JDK's keytool. */
final class Pki {
  private static final String PASSWORD = "for-tests-only";

  private final Path dir;
  private final Path store;
  private final String ca;

  Pki(Path dir, String ca) throws Exception {
    this.dir = dir;
    this.ca = ca;
    this.store = dir.resolve(ca + ".p12");
    keytool("-alias", ca, "-dname", "CN=" + ca, "-ext", "bc:c");
  }

  Path authority() throws Exception {
    return pem(ca + ".pem", List.of(load().getCertificate(ca)));
  }

  /** Certificate and key, in that order. */
  Path[] issue(String name, String... extensions) throws Exception {
    List<String> args =
        new ArrayList<>(List.of("-alias", name, "-dname", "CN=" + name, "-signer", ca));
    for (String extension : extensions) {
      args.add("-ext");
      args.add(extension);
    }
    keytool(args.toArray(String[]::new));
    KeyStore keys = load();
    Path key = dir.resolve(name + "-key.pem");
    byte[] encoded = keys.getKey(name, PASSWORD.toCharArray()).getEncoded();
    Files.writeString(key, block("PRIVATE KEY", encoded));
    return new Path[] {pem(name + ".pem", List.of(keys.getCertificateChain(name))), key};
  }

  private Path pem(String file, List<Certificate> certificates) throws Exception {
    StringBuilder text = new StringBuilder();
    for (Certificate certificate : certificates) {
      text.append(block("CERTIFICATE", certificate.getEncoded()));
    }
    return Files.writeString(dir.resolve(file), text);
  }

  private static String block(String type, byte[] der) {
    return "-----BEGIN %1$s-----%n%2$s%n-----END %1$s-----%n"
        .formatted(type, Base64.getMimeEncoder().encodeToString(der));
  }

  private KeyStore load() throws Exception {
    KeyStore keys = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(store)) {
      keys.load(in, PASSWORD.toCharArray());
    }
    return keys;
  }

  private void keytool(String... args) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-keyalg",
                "EC",
                "-groupname",
                "secp256r1",
                "-storetype",
                "PKCS12",
                "-storepass",
                PASSWORD,
                "-keystore",
                store.toString()));
    command.addAll(List.of(args));
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(dir.resolve("keytool.log").toFile())
            .start();
    if (process.waitFor() != 0) {
      throw new IOException(Files.readString(dir.resolve("keytool.log")));
    }
  }
}
