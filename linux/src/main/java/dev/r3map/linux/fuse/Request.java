package dev.r3map.linux.fuse;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.r3map.linux.ffi.FuseCalls;
import dev.r3map.linux.ffi.MemoryCalls;
import dev.r3map.linux.ffi.Native;
import dev.r3map.spi.LocalView.RunVisitor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/**
 * The memory of one request and of its reply, so that neither takes an allocation. Owns a mapping
 * until {@link #free}. Used by one thread at a time: the receiver that read it, or the virtual
 * thread that it was handed to.
 *
 * <p>Layout: a page for {@code errno}, the reply's header and a small body; the vectors of a large
 * one; then the request, placed so that the data of a WRITE begins with a page. The result of a
 * READ that cannot come from the mapping takes that place.
 */
final class Request implements RunVisitor {
  private static final long PAGE = Native.PAGE_SIZE;

  /** Behind {@code errno}, apart from its cache line. */
  private static final long REPLY = 512;

  private static final long VECTORS = PAGE;

  /** Header, and one run for every block of 4 KiB of the largest READ, and one more. */
  static final int MOST_VECTORS = 2 + FuseProtocol.MAX_TRANSFER / 4096;

  private static final long VECTORS_SIZE = roundUp(MOST_VECTORS * FuseCalls.IOVEC_SIZE);
  private static final long DATA = VECTORS + VECTORS_SIZE + PAGE;
  private static final long ARGUMENTS = DATA - FuseProtocol.IO_IN_SIZE;
  private static final long START = ARGUMENTS - FuseProtocol.IN_HEADER_SIZE;
  private static final long SIZE = DATA + FuseProtocol.MAX_TRANSFER;

  private final MemorySegment memory;
  private final MemorySegment errno;
  private final ByteBuffer data;

  private int vectors;
  private long vectorBytes;
  private boolean vectorsOverflowed;
  private long mapping;
  private long zeros;

  Request() throws IOException {
    memory = MemoryCalls.mapAnonymous(SIZE);
    errno = memory.asSlice(0, Native.ERRNO);
    data = memory.asSlice(DATA, FuseProtocol.MAX_TRANSFER).asByteBuffer();
  }

  /** Unmaps the memory; nothing may use this afterwards. */
  void free() {
    MemoryCalls.unmap(memory);
  }

  MemorySegment errno() {
    return errno;
  }

  // What came in

  long address() {
    return memory.address() + START;
  }

  /** How much may come in. */
  long capacity() {
    return SIZE - START;
  }

  int opcode() {
    return memory.get(JAVA_INT, START + FuseProtocol.IN_OPCODE);
  }

  long unique() {
    return memory.get(JAVA_LONG, START + FuseProtocol.IN_UNIQUE);
  }

  int threadId() {
    return memory.get(JAVA_INT, START + FuseProtocol.IN_PID);
  }

  /** A 32 bit argument. */
  int intArgument(int offset) {
    return memory.get(JAVA_INT, ARGUMENTS + offset);
  }

  /** A 64 bit argument. */
  long longArgument(int offset) {
    return memory.get(JAVA_LONG, ARGUMENTS + offset);
  }

  /** The data of a WRITE, or the place for that of a READ. Always the same object. */
  ByteBuffer data(int length) {
    return data.clear().limit(length);
  }

  // What goes out

  /** The body of a reply that is not data. */
  void put(int offset, int value) {
    memory.set(JAVA_INT, REPLY + FuseProtocol.OUT_HEADER_SIZE + offset, value);
  }

  /** The body of a reply that is not data. */
  void put(int offset, long value) {
    memory.set(JAVA_LONG, REPLY + FuseProtocol.OUT_HEADER_SIZE + offset, value);
  }

  /** The body of a reply that is not data. */
  void putShort(int offset, int value) {
    memory.set(JAVA_SHORT, REPLY + FuseProtocol.OUT_HEADER_SIZE + offset, (short) value);
  }

  /** Clears the body of a reply that is not data. */
  void clearBody(int length) {
    memory.asSlice(REPLY + FuseProtocol.OUT_HEADER_SIZE, length).fill((byte) 0);
  }

  /** Begins a reply of data that comes from elsewhere. */
  void beginVectors(long mappingAddress, long zerosAddress) {
    mapping = mappingAddress;
    zeros = zerosAddress;
    vectors = 1;
    vectorBytes = 0;
    vectorsOverflowed = false;
  }

  /** Adds a run of the mapping, or of zeros. */
  @Override
  public void run(long offset, long length, boolean areZeros) {
    if (vectors == MOST_VECTORS) {
      vectorsOverflowed = true;
      return;
    }
    addVector(areZeros ? zeros : mapping + offset, length);
  }

  /** Adds what was put at {@link #data}. */
  void addData(long length) {
    addVector(memory.address() + DATA, length);
  }

  /** Whether the vectors hold exactly so many bytes. */
  boolean vectorsHold(long length) {
    return !vectorsOverflowed && vectorBytes == length;
  }

  /** Ends a reply whose body is in the vectors. */
  void finishVectors(int error, long unique) {
    header((int) (FuseProtocol.OUT_HEADER_SIZE + vectorBytes), error, unique);
    vector(0, memory.address() + REPLY, FuseProtocol.OUT_HEADER_SIZE);
  }

  /** Ends a reply whose body was {@link #put}, or that has none. */
  void finishBody(int bodyLength, int error, long unique) {
    int length = FuseProtocol.OUT_HEADER_SIZE + bodyLength;
    header(length, error, unique);
    vectors = 1;
    vector(0, memory.address() + REPLY, length);
  }

  /** Ends a notification whose arguments were {@link #put} and whose data is in one vector. */
  void finishNotification(int code, int argumentLength, long dataAddress, long dataLength) {
    int length = FuseProtocol.OUT_HEADER_SIZE + argumentLength;
    header((int) (length + dataLength), code, 0);
    vectors = 1;
    vector(0, memory.address() + REPLY, length);
    if (dataLength > 0) {
      addVector(dataAddress, dataLength);
    }
  }

  long vectorsAddress() {
    return memory.address() + VECTORS;
  }

  int vectorCount() {
    return vectors;
  }

  private void header(int length, int error, long unique) {
    memory.set(JAVA_INT, REPLY + FuseProtocol.OUT_LENGTH, length);
    memory.set(JAVA_INT, REPLY + FuseProtocol.OUT_ERROR, error);
    memory.set(JAVA_LONG, REPLY + FuseProtocol.OUT_UNIQUE, unique);
  }

  private void addVector(long address, long length) {
    vector(vectors, address, length);
    vectors++;
    vectorBytes += length;
  }

  private void vector(int index, long address, long length) {
    long at = VECTORS + index * FuseCalls.IOVEC_SIZE;
    memory.set(JAVA_LONG, at + FuseCalls.IOVEC_BASE, address);
    memory.set(JAVA_LONG, at + FuseCalls.IOVEC_LENGTH, length);
  }

  private static long roundUp(long length) {
    return Math.ceilDiv(length, PAGE) * PAGE;
  }
}
