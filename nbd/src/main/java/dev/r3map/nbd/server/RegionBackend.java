package dev.r3map.nbd.server;

import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.Ranges;
import dev.r3map.spi.FrontendRegion;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** A region, as what an export is made of. The region stays the caller's. */
public final class RegionBackend implements Backend {
  private final FrontendRegion region;

  public RegionBackend(Region region) {
    if (!(region instanceof FrontendRegion known)) {
      throw new IllegalArgumentException("not a region of this library: " + region);
    }
    this.region = known;
  }

  FrontendRegion region() {
    return region;
  }

  @Override
  public long size() {
    return region.size();
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    region.read(dst, offset);
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    region.write(src, offset);
  }

  /** As durable as an fsync of the region's other frontends. */
  @Override
  public void sync() throws IOException {
    region.flush();
  }

  @Override
  public Geometry geometry() {
    return region.readOnly() ? Geometry.ANY.asReadOnly() : Geometry.ANY;
  }

  /** What is not local is data: nobody knows better without asking the remote. */
  @Override
  public List<Extent> extents(long offset, long length) {
    Ranges.check(offset, length, size());
    List<Extent> extents = new ArrayList<>();
    LocalView view = region.local().orElse(null);
    if (view == null && length > 0) {
      extents.add(Extent.data(offset, length));
    } else if (view != null) {
      view.runs(
          offset,
          Math.min(length, BlockStatus.WINDOW),
          (at, run, zeros) -> extents.add(new Extent(at, run, zeros)));
    }
    return extents;
  }

  @Override
  public void close() {}

  @Override
  public String toString() {
    return region.toString();
  }
}
