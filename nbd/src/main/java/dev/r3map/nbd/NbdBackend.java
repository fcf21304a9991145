package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Transmission.FLAG_READ_ONLY;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_TRIM;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_WRITE_ZEROES;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.PermanentIOException;
import dev.r3map.backend.Ranges;
import dev.r3map.nbd.client.Blocks;
import dev.r3map.nbd.client.Connector;
import dev.r3map.nbd.client.Failures;
import dev.r3map.nbd.client.Features;
import dev.r3map.nbd.client.RemoteExport;
import dev.r3map.nbd.client.StartTls;
import dev.r3map.nbd.client.Target;
import dev.r3map.nbd.client.Terms;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.List;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * An export of any NBD server. Owns up to four connections with two threads each; whoever opened it
 * closes it, and calls in flight fail then.
 *
 * <p>A lost connection is made again, and the calls in flight notice nothing but the time it took;
 * they fail with a plain {@link IOException} when the options' timeout is over. So does a call
 * whose connection has been silent for that long; a sync, a discard and a zeroing may take six
 * times that. An interrupt ends no call that has been sent.
 *
 * <p>{@link #sync} fails when the server was lost since a write that no earlier sync covered, until
 * those bytes have been written again: NBD does not tell whether it has restarted and forgotten
 * them. A server that offers no flush is believed that what it has acknowledged is durable. A
 * request that went unanswered on a connection that was cut for its silence may, by the protocol,
 * still be carried out after a later one; a server that was restarted cannot do that.
 *
 * <p>Source: the NBD specification, {@code doc/proto.md} and {@code doc/uri.md} of
 * NetworkBlockDevice/nbd.
 */
public final class NbdBackend implements Backend {
  private final Target target;
  private final Connector connector;
  private final RemoteExport export;
  private final Blocks blocks;
  private final Failures failures;
  private final Geometry geometry;

  private NbdBackend(
      Target target, Connector connector, RemoteExport export, Failures failures, Builder how) {
    this.target = target;
    this.connector = connector;
    this.export = export;
    this.failures = failures;
    this.blocks = new Blocks(export, how.options.timeout().toNanos());
    Terms.Limits limits = export.terms().limits();
    boolean readOnly = how.options.readOnly() || export.terms().has(FLAG_READ_ONLY);
    this.geometry = new Geometry(1, limits.preferred(), limits.maximum(), readOnly);
  }

  /** Opens the export that an {@code nbd:} URI names, with the default options. */
  public static NbdBackend open(URI uri) throws IOException {
    return at(uri).open();
  }

  /** A client to be. */
  public static Builder at(URI uri) {
    return new Builder(uri);
  }

  /** Whether the server can do more than the first NBD could, in words. */
  public String protocol() {
    return export.terms().mode().toString();
  }

  /**
   * What the server lets clients ask of the export, by the names that other programs use, such as
   * {@code flush}, {@code trim} or {@code multi-conn}.
   */
  public List<String> features() {
    return Features.of(export.terms());
  }

  /** What the server says of the export, for people; may be empty. */
  public String description() {
    return export.terms().description();
  }

  /**
   * Asks the server for the names of all its exports, over a connection of its own.
   *
   * @throws IOException if it does not tell
   */
  public List<String> exports() throws IOException {
    try {
      return connector.list();
    } catch (IOException e) {
      throw failures.of("list the exports of", e);
    }
  }

  /** How many connections there are at this moment; more than one only once there is much to do. */
  public int connections() {
    return export.width();
  }

  @Override
  public long size() {
    return export.terms().size();
  }

  @Override
  public Geometry geometry() {
    return geometry;
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    Ranges.check(offset, dst.remaining(), size());
    checkOpen("read", offset, dst.remaining());
    blocks.read(dst, offset);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    Ranges.check(offset, src.remaining(), size());
    checkWritable("write", offset, src.remaining());
    blocks.write(src, offset);
  }

  @Override
  public void sync() throws IOException {
    checkOpen("sync", 0, size());
    if (!geometry.readOnly()) {
      export.sync();
    }
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    Ranges.check(offset, length, size());
    checkWritable("discard", offset, length);
    if (export.terms().has(FLAG_SEND_TRIM)) {
      blocks.discard(offset, length);
    }
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    Ranges.check(offset, length, size());
    checkWritable("zero", offset, length);
    if (export.terms().has(FLAG_SEND_WRITE_ZEROES)) {
      blocks.zero(offset, length);
    } else {
      Backend.super.zero(offset, length);
    }
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    Ranges.check(offset, length, size());
    checkOpen("list the extents of", offset, length);
    if (length == 0 || export.terms().context() == null) {
      return Backend.super.extents(offset, length);
    }
    return blocks.extents(offset, length);
  }

  @Override
  public void close() {
    export.close();
  }

  @Override
  public String toString() {
    return target.name();
  }

  private void checkOpen(String verb, long offset, long length) throws IOException {
    if (export.isClosed()) {
      throw failures.of(Failures.action(verb, offset, length), new PermanentIOException("closed"));
    }
  }

  private void checkWritable(String verb, long offset, long length) throws IOException {
    checkOpen(verb, offset, length);
    if (geometry.readOnly()) {
      throw failures.readOnly(Failures.action(verb, offset, length));
    }
  }

  /** Says how to connect. */
  public static final class Builder {
    /** More than one processor can work for one client then; more gains little. */
    private static final int CONNECTIONS = 4;

    private final URI uri;
    private BackendOptions options = BackendOptions.DEFAULT;
    private int connections = CONNECTIONS;
    private @Nullable SSLContext tls;

    private Builder(URI uri) {
      this.uri = uri;
    }

    /** What any backend can be told: the timeout, whether to write, whether plaintext will do. */
    public Builder options(BackendOptions value) {
      this.options = value;
      return this;
    }

    /** How many connections there shall be where the server allows more than one; 4 by default. */
    public Builder connections(int most) {
      if (most < 1) {
        throw new IllegalArgumentException("connections: " + most);
      }
      this.connections = most;
      return this;
    }

    /** Keys and trust for {@code nbds:}, instead of those that the URI or the options name. */
    public Builder tls(SSLContext context) {
      this.tls = context;
      return this;
    }

    /**
     * Connects.
     *
     * @throws IllegalArgumentException if the URI is malformed
     * @throws IOException if the export cannot be had
     */
    public NbdBackend open() throws IOException {
      Target target = Target.of(uri, options.insecure());
      Failures failures = new Failures(target.name());
      Connector connector = new Connector(target, options.timeout(), startTls(target));
      RemoteExport export = RemoteExport.open(connector, connections, failures);
      long size = export.terms().size();
      if (options.size().isPresent() && options.size().getAsLong() != size) {
        export.close();
        throw new PermanentIOException(
            "cannot open %s: it has %d bytes and not %d"
                .formatted(target.name(), size, options.size().getAsLong()));
      }
      return new NbdBackend(target, connector, export, failures, this);
    }

    private @Nullable StartTls startTls(Target target) throws IOException {
      Target.Security security = target.security().orElse(null);
      if (security == null) {
        return null;
      }
      return tls != null ? new StartTls(security, tls) : StartTls.of(security, options.tls());
    }

    /** Asks the server for the names of all its exports, whichever the URI names. */
    public List<String> list() throws IOException {
      Target target = Target.of(uri, options.insecure());
      try (Connector connector = new Connector(target, options.timeout(), startTls(target))) {
        return connector.list();
      } catch (IOException e) {
        throw new Failures(target.name()).of("list the exports of", e);
      }
    }
  }
}
