package dev.r3map.linux.fuse;

import dev.r3map.linux.FuseOptions;
import dev.r3map.linux.ffi.Errno;
import dev.r3map.linux.ffi.FileCalls;
import dev.r3map.linux.ffi.MemoryCalls;
import dev.r3map.linux.ffi.Native;
import dev.r3map.spi.FrontendRegion;
import dev.r3map.spi.FrontendRegion.Frontend;
import dev.r3map.spi.LocalView;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Answers the requests for one file. What is local is answered by the receiver that calls; what may
 * wait is handed to {@link DeferredRequests}: a WRITE with the memory that it is in, others
 * without, so that a receiver waits for memory only behind a lot of WRITEs. Thread-safe. Owns zeros
 * until {@link #close}.
 */
final class FuseServer implements AutoCloseable {
  /** As on most file systems. */
  private static final int LONGEST_NAME = 255;

  private final FrontendRegion region;
  private final Frontend frontend;
  private final FuseConnection connection;
  private final RequestPool pool;
  private final DeferredRequests deferred;
  private final Notifier notifier;
  private final OpenFiles openFiles;
  private final Passthrough passthrough;
  private final HandedPages handed;
  private final Attributes attributes;
  private final FailureLog log;
  private final @Nullable LocalView view;
  private final long mapping;
  private final MemorySegment zeros;
  private final long size;
  private final boolean readOnly;
  private final long requestLimit;
  private final long flushLimit;
  private final LongAdder reads = new LongAdder();

  /** Nothing is answered yet. */
  FuseServer(
      FrontendRegion region,
      Frontend frontend,
      FuseConnection connection,
      RequestPool pool,
      DeferredRequests deferred,
      Notifier notifier,
      OpenFiles openFiles,
      Passthrough passthrough,
      HandedPages handed,
      Attributes attributes,
      FailureLog log,
      FuseOptions options)
      throws IOException {
    this.region = region;
    this.frontend = frontend;
    this.connection = connection;
    this.pool = pool;
    this.deferred = deferred;
    this.notifier = notifier;
    this.openFiles = openFiles;
    this.passthrough = passthrough;
    this.handed = handed;
    this.attributes = attributes;
    this.log = log;
    view = region.local().orElse(null);
    mapping = view == null ? 0 : view.mapping().address();
    size = region.size();
    readOnly = region.readOnly();
    requestLimit = options.requestTimeout().toNanos();
    flushLimit = options.flushTimeout().toNanos();
    zeros = MemoryCalls.mapZeros(FuseProtocol.MAX_TRANSFER);
  }

  /** How many READs came. */
  long reads() {
    return reads.sum();
  }

  @Override
  public void close() {
    MemoryCalls.unmap(zeros);
  }

  /**
   * Answers a request or has it answered.
   *
   * @return whether {@code request} can be used for the next one; if not, somebody else has it
   */
  boolean serve(Request request) {
    long unique = request.unique();
    int opcode = request.opcode();
    try {
      switch (opcode) {
        case FuseProtocol.READ -> read(request, unique);
        case FuseProtocol.WRITE -> {
          return write(request, unique);
        }
        case FuseProtocol.FSYNC -> flush(request, unique);
        case FuseProtocol.OPEN -> open(request, unique);
        case FuseProtocol.GETATTR -> connection.sendBody(request, unique, attributes.put(request));
        case FuseProtocol.SETATTR -> setAttributes(request, unique);
        case FuseProtocol.FALLOCATE -> connection.sendError(request, unique, allocate(request));
        case FuseProtocol.STATFS -> statFileSystem(request, unique);
        case FuseProtocol.RELEASE -> {
          openFiles.released(request.longArgument(FuseProtocol.RELEASE_IN_FH));
          connection.sendError(request, unique, 0);
        }
        case FuseProtocol.INTERRUPT ->
            deferred.interrupted(request.longArgument(FuseProtocol.INTERRUPT_IN_UNIQUE));
        case FuseProtocol.ACCESS, FuseProtocol.FLUSH, FuseProtocol.DESTROY ->
            connection.sendError(request, unique, 0);
        case FuseProtocol.FORGET, FuseProtocol.BATCH_FORGET -> {
          // The only inode is never forgotten, and no answer is wanted.
        }
        default -> connection.sendError(request, unique, Errno.ENOSYS);
      }
    } catch (RuntimeException | Error e) {
      log.failed(FuseProtocol.name(opcode), 0, 0, e);
      connection.sendError(request, unique, FuseErrors.errno(e, opcode));
    }
    return true;
  }

  private void read(Request request, long unique) {
    reads.increment();
    long offset = request.longArgument(FuseProtocol.IO_IN_OFFSET);
    int wanted = request.intArgument(FuseProtocol.IO_IN_LENGTH);
    int length = Math.clamp(size - offset, 0, wanted);
    if (offset < 0 || length == 0) {
      connection.sendError(request, unique, offset < 0 ? Errno.EINVAL : 0);
      return;
    }
    handed.mark(offset, length);
    LocalView local = view;
    if (local != null && local.isLocal(offset, length)) {
      answerFromMapping(local, request, unique, offset, length);
    } else {
      deferred.start(
          new Deferred(request, offset, length, System.nanoTime() + requestLimit), this::readLater);
    }
  }

  /** Answers with runs of the mapping, without a copy and without an allocation. */
  private void answerFromMapping(
      LocalView local, Request request, long unique, long offset, int length) {
    request.beginVectors(mapping, zeros.address());
    local.runs(offset, length, request);
    int errno =
        request.vectorsHold(length) ? connection.sendVectors(request, unique) : Errno.EINVAL;
    if (errno != 0 && errno != Errno.ENOENT) {
      // EFAULT: the disk under the mapping cannot be read.
      log.failed("read", offset, length, new IOException(Errno.text(errno)));
      connection.sendError(request, unique, Errno.EIO);
    }
  }

  private void readLater(Deferred read) {
    try {
      LocalView local = view;
      if (local != null) {
        region.load(read.offset(), read.length());
        if (local.isLocal(read.offset(), read.length())) {
          answerLater(
              read,
              memory ->
                  answerFromMapping(local, memory, read.unique(), read.offset(), read.length()));
          return;
        }
      }
      readThrough(read);
    } catch (IOException | RuntimeException | Error e) {
      fail(read, e);
    }
  }

  private void readThrough(Deferred read) throws IOException {
    Request memory = pool.take();
    if (memory == null) {
      return;
    }
    try {
      region.read(memory.data(read.length()), read.offset());
      if (read.claim()) {
        memory.beginVectors(0, 0);
        memory.addData(read.length());
        connection.sendVectors(memory, read.unique());
      }
    } finally {
      pool.giveBack(memory);
    }
  }

  /** Answers a request with memory that is taken for as long as that takes. */
  private void answerLater(Deferred request, Consumer<Request> answer) throws IOException {
    Request memory = pool.take();
    if (memory == null) {
      // Closed: nobody waits any more.
      return;
    }
    try {
      if (request.claim()) {
        answer.accept(memory);
      }
    } finally {
      pool.giveBack(memory);
    }
  }

  private boolean write(Request request, long unique) {
    long offset = request.longArgument(FuseProtocol.IO_IN_OFFSET);
    int length = request.intArgument(FuseProtocol.IO_IN_LENGTH);
    if (readOnly) {
      connection.sendError(request, unique, Errno.EROFS);
      return true;
    }
    if (offset < 0 || length < 0 || offset > size - length) {
      connection.sendError(request, unique, Errno.EFBIG);
      return true;
    }
    if (length > 0) {
      handed.mark(offset, length);
    }
    if (region.writeWaits(offset, length)) {
      deferred.start(
          new Deferred(request, offset, length, System.nanoTime() + requestLimit),
          write -> writeLater(write, request));
      return false;
    }
    try {
      store(request, offset, length);
      answerWrite(request, unique, length);
    } catch (IOException | RuntimeException e) {
      log.failed("write", offset, length, e);
      connection.sendError(request, unique, FuseErrors.errno(e, FuseProtocol.WRITE));
    }
    return true;
  }

  private void writeLater(Deferred write, Request request) {
    try {
      store(request, write.offset(), write.length());
      if (write.claim()) {
        answerWrite(request, write.unique(), write.length());
      }
    } catch (IOException | RuntimeException | Error e) {
      fail(write, e);
    } finally {
      pool.giveBack(request);
    }
  }

  private void store(Request request, long offset, int length) throws IOException {
    ByteBuffer data = request.data(length);
    int flags = request.intArgument(FuseProtocol.IO_IN_FLAGS);
    if ((flags & FuseProtocol.WRITE_CACHE) != 0) {
      storeAround(data, offset, offset + length);
    } else {
      region.write(data, offset, frontend);
    }
  }

  /** Stores a page of the kernel's cache, but for what another door wrote after it was cached. */
  private void storeAround(ByteBuffer data, long offset, long end) throws IOException {
    for (long at = offset; at < end; ) {
      Optional<Notifier.Range> newer = notifier.forgetting(at, end);
      long until = Math.max(at, newer.map(Notifier.Range::offset).orElse(end));
      if (until > at) {
        data.limit((int) (until - offset)).position((int) (at - offset));
        region.write(data, at, frontend);
      }
      at = newer.map(range -> Math.min(end, range.end())).orElse(end);
    }
  }

  private void answerWrite(Request request, long unique, int length) {
    attributes.touch();
    request.clearBody(FuseProtocol.WRITE_OUT_SIZE);
    request.put(FuseProtocol.WRITE_OUT_LENGTH, length);
    connection.sendBody(request, unique, FuseProtocol.WRITE_OUT_SIZE);
  }

  private void flush(Request request, long unique) {
    if (readOnly) {
      connection.sendError(request, unique, 0);
    } else {
      deferred.start(new Deferred(request, 0, 0, System.nanoTime() + flushLimit), this::flushLater);
    }
  }

  private void flushLater(Deferred flush) {
    try {
      region.flush();
      answerLater(flush, memory -> connection.sendError(memory, flush.unique(), 0));
    } catch (IOException | RuntimeException | Error e) {
      fail(flush, e);
    }
  }

  private void fail(Deferred request, Throwable cause) {
    int errno = FuseErrors.errno(cause, request.opcode());
    if (deferred.fail(request, errno) && !deferred.isClosed()) {
      String action = FuseProtocol.name(request.opcode());
      log.failed(action, request.offset(), request.length(), cause);
    }
  }

  private void open(Request request, long unique) {
    int flags = request.intArgument(FuseProtocol.OPEN_IN_FLAGS);
    boolean writes = (flags & FileCalls.O_ACCMODE) != FileCalls.O_RDONLY;
    boolean truncates = (flags & FileCalls.O_TRUNC) != 0 && size > 0;
    if (readOnly && (writes || truncates)) {
      connection.sendError(request, unique, Errno.EROFS);
      return;
    }
    if (truncates) {
      connection.sendError(request, unique, Errno.EPERM);
      return;
    }
    long handle = openFiles.open(request.threadId());
    int kind = OpenFiles.kind(handle);
    request.clearBody(FuseProtocol.OPEN_OUT_SIZE);
    request.put(FuseProtocol.OPEN_OUT_FH, handle);
    request.put(
        FuseProtocol.OPEN_OUT_FLAGS,
        switch (kind) {
          // Without KEEP_CACHE, so that the kernel drops what it cached and needs no longer.
          case OpenFiles.PASSTHROUGH -> FuseProtocol.FOPEN_PASSTHROUGH;
          case OpenFiles.DIRECT ->
              FuseProtocol.FOPEN_DIRECT_IO
                  | FuseProtocol.FOPEN_KEEP_CACHE
                  | FuseProtocol.FOPEN_PARALLEL_DIRECT_WRITES
                  | FuseProtocol.FOPEN_NOFLUSH;
          default -> FuseProtocol.FOPEN_KEEP_CACHE | FuseProtocol.FOPEN_NOFLUSH;
        });
    if (kind == OpenFiles.PASSTHROUGH) {
      request.put(FuseProtocol.OPEN_OUT_BACKING_ID, passthrough.backingId());
    }
    if (connection.sendBody(request, unique, FuseProtocol.OPEN_OUT_SIZE) != 0) {
      // Whoever wanted it is gone, and the kernel will not say that it closed it.
      openFiles.released(handle);
    }
  }

  private void setAttributes(Request request, long unique) {
    int valid = request.intArgument(FuseProtocol.SETATTR_IN_VALID);
    boolean resizes =
        (valid & FuseProtocol.FATTR_SIZE) != 0
            && request.longArgument(FuseProtocol.SETATTR_IN_SIZE) != size;
    if (readOnly) {
      connection.sendError(request, unique, Errno.EROFS);
    } else if (resizes) {
      // ftruncate(2): the underlying file system does not support extending a file.
      connection.sendError(request, unique, Errno.EPERM);
    } else {
      attributes.set(request);
      connection.sendBody(request, unique, attributes.put(request));
    }
  }

  /** Space within the file is there already; holes are not made, since that would write zeros. */
  private int allocate(Request request) {
    long offset = request.longArgument(FuseProtocol.FALLOCATE_IN_OFFSET);
    long length = request.longArgument(FuseProtocol.FALLOCATE_IN_LENGTH);
    int mode = request.intArgument(FuseProtocol.FALLOCATE_IN_MODE);
    if ((mode & ~FileCalls.FALLOC_FL_KEEP_SIZE) != 0) {
      return Errno.EOPNOTSUPP;
    }
    return offset < 0 || length < 0 || offset > size - length ? Errno.EFBIG : 0;
  }

  private void statFileSystem(Request request, long unique) {
    request.clearBody(FuseProtocol.STATFS_OUT_SIZE);
    request.put(FuseProtocol.STATFS_BLOCKS, Math.ceilDiv(size, (long) Native.PAGE_SIZE));
    request.put(FuseProtocol.STATFS_FILES, 1L);
    request.put(FuseProtocol.STATFS_BSIZE, Native.PAGE_SIZE);
    request.put(FuseProtocol.STATFS_FRSIZE, Native.PAGE_SIZE);
    request.put(FuseProtocol.STATFS_NAMELEN, LONGEST_NAME);
    connection.sendBody(request, unique, FuseProtocol.STATFS_OUT_SIZE);
  }
}
