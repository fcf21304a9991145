package dev.r3map.spi;

import dev.r3map.Region;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What a region offers to its frontends. Every {@link Region} of this library is one. */
public interface FrontendRegion extends Region {

  /** The local bytes, if there are any and they are mapped. */
  Optional<LocalView> local();

  /**
   * Splits a range into runs that are local and runs that are not; nothing of a direct mount is.
   */
  void localRuns(long offset, long length, LocalView.RunVisitor visitor);

  /** Splits a range into runs of bytes that wait to be pushed, and others, in order. */
  void dirtyRuns(long offset, long length, LocalView.RunVisitor visitor);

  /** Waits until a range is local; does nothing for a direct mount. */
  void load(long offset, long length) throws IOException;

  /**
   * Whether a write of this range would have to wait for the remote: always for a direct mount, and
   * for a managed one when it covers an absent block only in part.
   */
  boolean writeWaits(long offset, long length);

  /** Like {@link #write(ByteBuffer, long)}, and tells every frontend but {@code origin} of it. */
  void write(ByteBuffer src, long offset, @Nullable Frontend origin) throws IOException;

  /**
   * Ties a frontend to this region, which closes it before itself.
   *
   * @throws IOException if the region is closed
   */
  void attach(Frontend frontend) throws IOException;

  /** Undoes {@link #attach}; does nothing if it was undone already. */
  void detach(Frontend frontend);

  /** A door onto a region that is told what happens behind it. */
  interface Frontend {
    /** Bytes were written through another door. Returns when no old bytes can be seen here. */
    void written(long offset, long length);

    /** Bytes became local. Called by the thread that pulled them: must return at once. */
    void pulled(long offset, long length);

    /** Ends the frontend; no call of the region is in flight and none comes after it. */
    void close() throws IOException;
  }
}
