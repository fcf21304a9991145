package dev.r3map.internal;

import dev.r3map.backend.PermanentIOException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * The JDK's TLS from PEM files (RFC 7468): certificates, and keys as PKCS #8 or, for RSA, as PKCS
 * #1.
 */
public final class TlsFiles {
  /** The only version that is spoken. */
  public static final String PROTOCOL = "TLSv1.3";

  private static final Pattern KEY =
      Pattern.compile("-----BEGIN (RSA |EC |ENCRYPTED |)PRIVATE KEY-----([^-]+)-----END ");

  private static final List<String> KEY_ALGORITHMS = List.of("RSA", "EC", "EdDSA");

  /** Version 0 and the algorithm rsaEncryption, as PKCS #8 has them before the key (RFC 5208). */
  private static final byte[] RSA_PREFIX = {
    2, 1, 0, 0x30, 13, 6, 9, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 13, 1, 1, 1, 5, 0
  };

  private static final byte DER_SEQUENCE = 0x30;
  private static final byte DER_OCTETS = 4;

  /** The key never leaves the process. */
  private static final char[] NO_PASSWORD = {};

  private TlsFiles() {}

  /**
   * @param ca who has to have signed the peer's certificate; the platform's authorities if empty
   * @param chain our own certificate, and those of who signed it
   * @param key that of the first certificate
   * @throws PermanentIOException if a file is missing or is not what it should be; names it
   */
  public static SSLContext context(Optional<Path> ca, Optional<Path> chain, Optional<Path> key)
      throws IOException {
    try {
      return context(chain, key, ca.isPresent() ? trust(ca.get()) : null);
    } catch (GeneralSecurityException e) {
      throw unusable(e);
    }
  }

  /**
   * The same, for whoever the peer is: only against eavesdroppers that do nothing but listen.
   *
   * @throws PermanentIOException if a file is missing or is not what it should be; names it
   */
  public static SSLContext contextThatTrustsAll(Optional<Path> chain, Optional<Path> key)
      throws IOException {
    try {
      return context(chain, key, new TrustManager[] {new TrustAll()});
    } catch (GeneralSecurityException e) {
      throw unusable(e);
    }
  }

  private static SSLContext context(
      Optional<Path> chain, Optional<Path> key, TrustManager @Nullable [] trust)
      throws IOException, GeneralSecurityException {
    if (chain.isPresent() != key.isPresent()) {
      throw new IllegalArgumentException("a certificate needs its key, and a key its certificate");
    }
    SSLContext context = SSLContext.getInstance(PROTOCOL);
    context.init(
        chain.isPresent() ? keys(chain.get(), key.orElseThrow()).getKeyManagers() : null,
        trust,
        null);
    return context;
  }

  private static PermanentIOException unusable(GeneralSecurityException cause) {
    return new PermanentIOException("cannot use the TLS files: " + cause.getMessage(), cause);
  }

  /** Asked for by name, by who sets {@code tls-verify-peer=false}. */
  private static final class TrustAll extends X509ExtendedTrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }

  private static KeyManagerFactory keys(Path chain, Path key)
      throws IOException, GeneralSecurityException {
    KeyStore store = emptyStore();
    store.setKeyEntry(
        "own", privateKey(key), NO_PASSWORD, certificates(chain).toArray(Certificate[]::new));
    KeyManagerFactory factory =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    factory.init(store, NO_PASSWORD);
    return factory;
  }

  private static TrustManager[] trust(Path ca) throws IOException, GeneralSecurityException {
    KeyStore store = emptyStore();
    int count = 0;
    for (Certificate certificate : certificates(ca)) {
      store.setCertificateEntry("ca" + count++, certificate);
    }
    TrustManagerFactory factory =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    return Arrays.stream(factory.getTrustManagers())
        .map(X509ExtendedTrustManager.class::cast)
        .map(UnnamedAuthorities::new)
        .toArray(TrustManager[]::new);
  }

  private static KeyStore emptyStore() throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    return store;
  }

  private static Collection<? extends Certificate> certificates(Path file)
      throws IOException, GeneralSecurityException {
    Collection<? extends Certificate> all;
    try {
      all =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(bytes(file)));
    } catch (GeneralSecurityException e) {
      throw unusable(file, "holds no PEM certificate", e);
    }
    if (all.isEmpty()) {
      throw unusable(file, "holds no PEM certificate", null);
    }
    return all;
  }

  private static PrivateKey privateKey(Path file) throws IOException, GeneralSecurityException {
    Matcher found = KEY.matcher(new String(bytes(file), StandardCharsets.US_ASCII));
    if (!found.find()) {
      throw unusable(file, "holds no PEM key", null);
    }
    byte[] der;
    try {
      der = Base64.getMimeDecoder().decode(found.group(2));
    } catch (IllegalArgumentException e) {
      throw unusable(file, "holds a key that is not in base64", null);
    }
    byte[] pkcs8 =
        switch (found.group(1)) {
          case "" -> der;
          case "RSA " -> wrapRsa(der);
          default ->
              throw unusable(
                  file,
                  "holds a key that is encrypted or not PKCS #8: openssl pkcs8 -topk8 -nocrypt"
                      + " makes one that will do",
                  null);
        };
    for (String algorithm : KEY_ALGORITHMS) {
      PrivateKey key = parse(algorithm, pkcs8);
      if (key != null) {
        return key;
      }
    }
    throw unusable(file, "holds a key that is none of " + KEY_ALGORITHMS, null);
  }

  /** Null if it is a key of another algorithm. */
  private static @Nullable PrivateKey parse(String algorithm, byte[] pkcs8)
      throws GeneralSecurityException {
    try {
      return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
    } catch (InvalidKeySpecException e) {
      return null;
    }
  }

  /** PKCS #1 in PKCS #8. */
  private static byte[] wrapRsa(byte[] key) {
    ByteArrayOutputStream inner = new ByteArrayOutputStream();
    inner.writeBytes(RSA_PREFIX);
    inner.writeBytes(der(DER_OCTETS, key));
    return der(DER_SEQUENCE, inner.toByteArray());
  }

  private static byte[] der(byte tag, byte[] content) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(tag);
    if (content.length < 0x80) {
      out.write(content.length);
    } else {
      out.write(0x82);
      out.write(content.length >> Byte.SIZE);
      out.write(content.length);
    }
    out.writeBytes(content);
    return out.toByteArray();
  }

  private static byte[] bytes(Path file) throws IOException {
    if (!Files.isReadable(file)) {
      throw new PermanentIOException("cannot read the TLS file " + file);
    }
    return Files.readAllBytes(file);
  }

  private static PermanentIOException unusable(
      Path file, String why, @Nullable GeneralSecurityException cause) {
    return new PermanentIOException("%s %s".formatted(file, why), cause);
  }
}
