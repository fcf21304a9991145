package dev.r3map.nbd;

import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.nbd.protocol.Handshake;
import dev.r3map.nbd.server.RegionBackend;
import java.nio.charset.StandardCharsets;

/**
 * A resource under the name that clients ask for. The backend stays the caller's.
 *
 * @param name what clients ask for; empty for what they get without asking. At most 4096 bytes of
 *     UTF-8, without NUL
 * @param backend what the bytes come from
 * @param description for people, in the list of exports; the same limits
 * @param readOnly clients cannot write, even if the backend could
 * @param tlsOnly clients that talk in plaintext neither see nor get it
 */
public record NbdExport(
    String name, Backend backend, String description, boolean readOnly, boolean tlsOnly) {
  public NbdExport {
    check("name", name);
    check("description", description);
  }

  /** Without a description, and writable if the backend is. */
  public static NbdExport of(String name, Backend backend) {
    return new NbdExport(name, backend, "", false, false);
  }

  /**
   * The same for an open region, whose other frontends see what clients write and the other way
   * round. Flushes of clients are {@link Region#flush}; closing the region ends what they do.
   *
   * <p>Of a managed one, clients can ask what is local ({@code qemu:allocation-depth}: 1, and 2 for
   * what is not) and what is dirty ({@code qemu:dirty-bitmap:dirty}).
   */
  public static NbdExport of(String name, Region region) {
    return of(name, new RegionBackend(region));
  }

  public NbdExport withDescription(String value) {
    return new NbdExport(name, backend, value, readOnly, tlsOnly);
  }

  public NbdExport withReadOnly(boolean value) {
    return new NbdExport(name, backend, description, value, tlsOnly);
  }

  public NbdExport withTlsOnly(boolean value) {
    return new NbdExport(name, backend, description, readOnly, value);
  }

  private static void check(String what, String value) {
    if (value.getBytes(StandardCharsets.UTF_8).length > Handshake.MAX_STRING) {
      throw new IllegalArgumentException("the %s of an export is too long".formatted(what));
    }
    if (value.indexOf('\0') >= 0) {
      throw new IllegalArgumentException("the %s of an export has a NUL".formatted(what));
    }
  }
}
