package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.Ranges;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** An export that a script reads and writes. */
final class ScriptBackend implements Backend {
  private final Script script;
  private final String handle;
  private final long size;
  private final Geometry geometry;
  private final boolean knowsExtents;
  private final boolean trims;
  private final boolean zeroes;
  private final boolean flushes;

  ScriptBackend(Script script, String handle) throws IOException {
    this.script = script;
    this.handle = handle;
    size =
        Parameters.parseSize(
            script.text("get_size", handle).orElseThrow(() -> new IOException("no size")));
    geometry = script.text("block_size", handle).map(ScriptBackend::geometry).orElse(Geometry.ANY);
    knowsExtents = can("extents");
    trims = can("trim");
    zeroes = can("zero");
    flushes = can("flush");
  }

  private boolean can(String what) throws IOException {
    return script.answer("can_" + what, handle).orElse(script.has(what));
  }

  private static Geometry geometry(String sizes) {
    String[] three = sizes.split("\\s+", -1);
    return new Geometry(
        (int) Parameters.parseSize(three[0]),
        (int) Parameters.parseSize(three[1]),
        (int) Math.min(Parameters.parseSize(three[2]), Integer.MAX_VALUE),
        false);
  }

  @Override
  public long size() {
    return size;
  }

  @Override
  public Geometry geometry() {
    return geometry;
  }

  @Override
  public void read(ByteBuffer dst, long offset) throws IOException {
    Ranges.check(offset, dst.remaining(), size);
    int length = dst.remaining();
    ByteBuffer bytes =
        script
            .call(new byte[0], "pread", handle, length, offset, "")
            .orElseThrow(() -> new IOException("no pread"));
    if (bytes.remaining() < length) {
      throw new IOException("pread gave %d bytes of %d".formatted(bytes.remaining(), length));
    }
    dst.put(bytes.limit(length));
  }

  @Override
  public void write(ByteBuffer src, long offset) throws IOException {
    int length = src.remaining();
    byte[] bytes = new byte[length];
    src.get(bytes);
    if (script.call(bytes, "pwrite", handle, length, offset, "").isEmpty()) {
      throw new IOException("no pwrite");
    }
  }

  @Override
  public void sync() throws IOException {
    if (flushes) {
      script.call(new byte[0], "flush", handle);
    }
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    if (!trims) {
      // Clients are not told that there is a trim: for them this is no valid request.
      throw new IndexOutOfBoundsException("trim was not offered");
    }
    script.call(new byte[0], "trim", handle, length, offset, "");
  }

  @Override
  public void zero(long offset, long length) throws IOException {
    if (!zeroes || script.call(new byte[0], "zero", handle, length, offset, "may_trim").isEmpty()) {
      Backend.super.zero(offset, length);
    }
  }

  @Override
  public List<Extent> extents(long offset, long length) throws IOException {
    Optional<String> told =
        knowsExtents ? script.text("extents", handle, length, offset, "") : Optional.empty();
    if (told.isEmpty()) {
      return Backend.super.extents(offset, length);
    }
    List<Extent> extents = new ArrayList<>();
    for (String line : told.get().lines().toList()) {
      String[] words = line.strip().split("\\s+", -1);
      long from = Math.max(offset, Parameters.parseSize(words[0]));
      long to =
          Math.min(
              offset + length, Parameters.parseSize(words[0]) + Parameters.parseSize(words[1]));
      if (from < to) {
        // Zeros that take space, and holes that are no zeros, are more than we know.
        boolean zeros = words.length > 2 && words[2].contains("zero");
        extents.add(new Extent(from, to - from, zeros));
      }
    }
    return extents;
  }

  @Override
  public void close() {}

  @Override
  public String toString() {
    return "script";
  }
}
