package dev.r3map.it.nbd;

import dev.r3map.it.support.Tool;
import dev.r3map.testkit.Pki;
import java.nio.file.Files;
import java.nio.file.Path;

/** Certificates of both sides, in a folder, under the names that programs in C expect. */
record Certificates(Path folder) {

  static Certificates issue(Path folder) throws Exception {
    Path made = Files.createDirectory(folder.resolve("made"));
    Pki authority = new Pki(made, "nbd-test-ca");
    Files.copy(authority.authority(), folder.resolve("ca-cert.pem"));
    copy(authority.issue("server", "san=dns:localhost,ip:127.0.0.1"), folder, "server");
    copy(authority.issue("client"), folder, "client");
    return new Certificates(folder);
  }

  private static void copy(Pki.Issued issued, Path folder, String side) throws Exception {
    Files.copy(issued.certificate(), folder.resolve(side + "-cert.pem"));
    // GnuTLS cannot read the keys of the JDK, which leave the public part out.
    String whole = issued.key() + ".whole";
    String key = folder.resolve(side + "-key.pem").toString();
    Tool.text("openssl", "ec", "-in", issued.key().toString(), "-out", whole);
    Tool.text("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", whole, "-out", key);
  }

  Path ca() {
    return folder.resolve("ca-cert.pem");
  }

  Path serverCertificate() {
    return folder.resolve("server-cert.pem");
  }

  Path serverKey() {
    return folder.resolve("server-key.pem");
  }
}
