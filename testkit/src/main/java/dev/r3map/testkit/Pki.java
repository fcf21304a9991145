package dev.r3map.testkit;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** A certificate authority for tests, made by the JDK's keytool. */
public final class Pki {
  private static final String PASSWORD = "for-tests-only";

  /**
   * PEM files.
   *
   * @param certificate with those of who signed it
   * @param key as PKCS #8
   */
  public record Issued(Path certificate, Path key) {}

  private final Path dir;
  private final Path store;
  private final String ca;

  /**
   * @param dir where its files go, and those that it issues
   * @param ca its name
   */
  public Pki(Path dir, String ca) throws IOException, InterruptedException {
    this.dir = dir;
    this.ca = ca;
    this.store = dir.resolve(ca + ".p12");
    keytool("-alias", ca, "-dname", "CN=" + ca, "-ext", "bc:c");
  }

  /** Its own certificate, as PEM. */
  public Path authority() throws IOException, GeneralSecurityException {
    return pem(ca + ".pem", List.of(load().getCertificate(ca)));
  }

  /**
   * A certificate and its key, as PEM.
   *
   * @param extensions as keytool's {@code -ext} takes them, such as {@code san=ip:127.0.0.1}
   */
  public Issued issue(String name, String... extensions)
      throws IOException, InterruptedException, GeneralSecurityException {
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
    return new Issued(pem(name + ".pem", List.of(keys.getCertificateChain(name))), key);
  }

  private Path pem(String file, List<Certificate> certificates)
      throws IOException, GeneralSecurityException {
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

  private KeyStore load() throws IOException, GeneralSecurityException {
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
