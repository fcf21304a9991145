package dev.r3map.store;

import dev.r3map.Region;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Objects;

/**
 * A region as a file of fixed size. Reads are short only at the end, as a file's are; a write that
 * would go past it is refused whole.
 */
final class RegionChannel extends FileChannel {
  /** Pieces of transferTo and transferFrom: large enough for the backend's streams. */
  private static final int PIECE = 1 << 20;

  private final Region region;
  private long position;

  RegionChannel(Region region) {
    this.region = region;
  }

  @Override
  public synchronized int read(ByteBuffer dst) throws IOException {
    int count = read(dst, position);
    position += Math.max(0, count);
    return count;
  }

  @Override
  public int read(ByteBuffer dst, long at) throws IOException {
    checkOpen();
    if (at < 0) {
      throw new IllegalArgumentException("negative position: " + at);
    }
    if (!dst.hasRemaining()) {
      return 0;
    }
    if (at >= region.size()) {
      return -1;
    }
    int count = (int) Math.min(dst.remaining(), region.size() - at);
    ByteBuffer piece = dst.slice(dst.position(), count);
    region.read(piece, at);
    dst.position(dst.position() + count);
    return count;
  }

  @Override
  public synchronized long read(ByteBuffer[] dsts, int offset, int length) throws IOException {
    Objects.checkFromIndexSize(offset, length, dsts.length);
    long total = 0;
    for (int i = offset; i < offset + length; i++) {
      int count = read(dsts[i]);
      if (count < 0) {
        return total == 0 ? -1 : total;
      }
      total += count;
    }
    return total;
  }

  @Override
  public synchronized int write(ByteBuffer src) throws IOException {
    int count = write(src, position);
    position += count;
    return count;
  }

  @Override
  public int write(ByteBuffer src, long at) throws IOException {
    checkWritable();
    if (at < 0) {
      throw new IllegalArgumentException("negative position: " + at);
    }
    int count = src.remaining();
    if (at > region.size() - count) {
      throw new IOException(
          "the file cannot grow (position=%d, length=%d, size=%d): %s"
              .formatted(at, count, region.size(), region));
    }
    region.write(src, at);
    return count;
  }

  @Override
  public synchronized long write(ByteBuffer[] srcs, int offset, int length) throws IOException {
    Objects.checkFromIndexSize(offset, length, srcs.length);
    long total = 0;
    for (int i = offset; i < offset + length; i++) {
      total += write(srcs[i]);
    }
    return total;
  }

  @Override
  public synchronized long position() throws IOException {
    checkOpen();
    return position;
  }

  @Override
  public synchronized FileChannel position(long newPosition) throws IOException {
    checkOpen();
    if (newPosition < 0) {
      throw new IllegalArgumentException("negative position: " + newPosition);
    }
    position = newPosition;
    return this;
  }

  @Override
  public long size() throws IOException {
    checkOpen();
    return region.size();
  }

  @Override
  public synchronized FileChannel truncate(long size) throws IOException {
    checkWritable();
    if (size < 0) {
      throw new IllegalArgumentException("negative size: " + size);
    }
    if (size < region.size()) {
      throw new IOException("the size of a resource is fixed: " + region);
    }
    position = Math.min(position, size);
    return this;
  }

  @Override
  public void force(boolean metaData) throws IOException {
    checkOpen();
    region.flush();
  }

  @Override
  public long transferTo(long at, long count, WritableByteChannel target) throws IOException {
    checkOpen();
    ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(count, PIECE));
    long done = 0;
    while (done < count) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), count - done));
      if (read(buffer, at + done) < 0) {
        break;
      }
      int wanted = buffer.flip().remaining();
      int written = target.write(buffer);
      done += written;
      if (written < wanted) {
        break;
      }
    }
    return done;
  }

  @Override
  public long transferFrom(ReadableByteChannel source, long at, long count) throws IOException {
    checkWritable();
    long room = Math.min(count, region.size() - at);
    ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(Math.max(room, 0), PIECE));
    long done = 0;
    while (done < room) {
      buffer.clear().limit((int) Math.min(buffer.capacity(), room - done));
      int got = source.read(buffer);
      if (got <= 0) {
        break;
      }
      write(buffer.flip(), at + done);
      done += got;
    }
    return done;
  }

  @Override
  public MappedByteBuffer map(MapMode mode, long at, long size) {
    throw new UnsupportedOperationException("mount the region as a path to map it: " + region);
  }

  @Override
  public FileLock lock(long at, long size, boolean shared) {
    throw new UnsupportedOperationException("a region has no locks: " + region);
  }

  @Override
  public FileLock tryLock(long at, long size, boolean shared) {
    throw new UnsupportedOperationException("a region has no locks: " + region);
  }

  private void checkOpen() throws IOException {
    if (!isOpen()) {
      throw new ClosedChannelException();
    }
  }

  private void checkWritable() throws IOException {
    checkOpen();
    if (region.readOnly()) {
      throw new NonWritableChannelException();
    }
  }

  @Override
  protected void implCloseChannel() {}
}
