package dev.r3map.examples;

import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.Ranges;
import dev.r3map.backend.ReadOnlyException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** A resource of one's own: here, the multiplication table as a file that is computed when read. */
public final class OwnBackend implements Backend {
  private static final int SIDE = 1 << 15;

  @Override
  public long size() {
    return (long) SIDE * SIDE * Integer.BYTES;
  }

  @Override
  public void read(ByteBuffer dst, long offset) {
    Ranges.check(offset, dst.remaining(), size());
    for (long at = offset; dst.hasRemaining(); at++) {
      long cell = at / Integer.BYTES;
      int product = (int) ((cell / SIDE) * (cell % SIDE));
      dst.put((byte) (product >>> (8 * (3 - at % Integer.BYTES))));
    }
  }

  @Override
  public void write(ByteBuffer src, long offset) throws ReadOnlyException {
    Ranges.check(offset, src.remaining(), size());
    throw new ReadOnlyException("the multiplication table is as it is");
  }

  @Override
  public Geometry geometry() {
    return Geometry.ANY.asReadOnly();
  }

  @Override
  public void sync() {}

  @Override
  public void close() {}

  @Override
  public String toString() {
    return "table:";
  }

  public static void main(String[] args) throws IOException {
    int a = Integer.parseInt(args[0]);
    int b = Integer.parseInt(args[1]);
    try (Backend table = new OwnBackend();
        Region region = ManagedMount.on(table).pullWorkers(0).open();
        FileChannel file = region.file()) {
      ByteBuffer cell = ByteBuffer.allocate(Integer.BYTES);
      file.read(cell, ((long) a * SIDE + b) * Integer.BYTES);
      System.out.printf(
          "%d x %d = %d, after fetching %d of %d bytes%n",
          a, b, cell.getInt(0), region.progress().local(), region.size());
    }
  }
}
