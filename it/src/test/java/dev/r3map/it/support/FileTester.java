package dev.r3map.it.support;

import dev.r3map.testkit.Payload;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A program in a process of its own that does with a file what it is told, one thing at a time: it
 * reads and writes through the page cache, past it, and through a shared mapping of the whole file.
 * Owns that process until {@link #close}.
 *
 * <p>It is another process because a JVM must not map what it serves itself.
 */
public final class FileTester implements AutoCloseable {
  /** What file systems want of reads and writes past the page cache. */
  public static final int BLOCK = 4096;

  /** The most bytes of one read or write. */
  public static final int MAX_LENGTH = 4 << 20;

  /** Longer than any io timeout of a mount. */
  private static final Duration DEADLINE = Duration.ofSeconds(60);

  private enum Operation {
    OPEN,
    OPEN_TO_READ,
    OPEN_TO_TRUNCATE,
    CLOSE,
    SIZE,
    READ,
    WRITE,
    WRITE_ONCE,
    READ_DIRECT,
    WRITE_DIRECT,
    READ_MAP,
    WRITE_MAP,
    FORCE_MAP,
    FSYNC,
    RESIZE,
    APPEND
  }

  /** What came of a command. */
  private interface Answer {
    byte[] get() throws IOException;
  }

  private final Process process;
  private final DataOutputStream commands;
  private final BlockingQueue<Answer> answers = new LinkedBlockingQueue<>();

  private FileTester(Process process) {
    this.process = process;
    this.commands = new DataOutputStream(new BufferedOutputStream(process.getOutputStream()));
    Thread.ofVirtual().name("answers of a file tester").start(this::receive);
  }

  public static FileTester start() throws IOException {
    return new FileTester(ChildJvm.start(FileTester.class));
  }

  /** To read and write; also maps it. Whatever was open is closed. */
  public void open(Path path) throws IOException {
    tell(Operation.OPEN, path.toString(), 0, 0, 0);
  }

  /** The same, to read only. */
  public void openToRead(Path path) throws IOException {
    tell(Operation.OPEN_TO_READ, path.toString(), 0, 0, 0);
  }

  /** Opens and closes a file in the way that empties it. */
  public void openToTruncate(Path path) throws IOException {
    tell(Operation.OPEN_TO_TRUNCATE, path.toString(), 0, 0, 0);
  }

  /** Unmaps and closes it. */
  public void closeFile() throws IOException {
    tell(Operation.CLOSE, "", 0, 0, 0);
  }

  public long size() throws IOException {
    return ByteBuffer.wrap(tell(Operation.SIZE, "", 0, 0, 0)).getLong();
  }

  /** The bytes there are: fewer than asked for only where the file ends. */
  public byte[] read(long offset, int length) throws IOException {
    return tell(Operation.READ, "", offset, length, 0);
  }

  /** Writes the bytes that {@code Payload.of(payload)} has at this offset. */
  public void write(long offset, int length, long payload) throws IOException {
    tell(Operation.WRITE, "", offset, length, payload);
  }

  /** Writes once, and gives how many bytes were taken: it may be a part. */
  public int writeOnce(long offset, int length, long payload) throws IOException {
    return ByteBuffer.wrap(tell(Operation.WRITE_ONCE, "", offset, length, payload)).getInt();
  }

  /** With O_DIRECT; offset and length are multiples of {@link #BLOCK}. */
  public byte[] readDirect(long offset, int length) throws IOException {
    return tell(Operation.READ_DIRECT, "", offset, length, 0);
  }

  /** With O_DIRECT; offset and length are multiples of {@link #BLOCK}. */
  public void writeDirect(long offset, int length, long payload) throws IOException {
    tell(Operation.WRITE_DIRECT, "", offset, length, payload);
  }

  public byte[] readMap(long offset, int length) throws IOException {
    return tell(Operation.READ_MAP, "", offset, length, 0);
  }

  /** Stores into the mapping, no more. */
  public void writeMap(long offset, int length, long payload) throws IOException {
    tell(Operation.WRITE_MAP, "", offset, length, payload);
  }

  /** What {@code MappedByteBuffer.force} does. */
  public void forceMap(long offset, int length) throws IOException {
    tell(Operation.FORCE_MAP, "", offset, length, 0);
  }

  public void fsync() throws IOException {
    tell(Operation.FSYNC, "", 0, 0, 0);
  }

  /** To a new size, smaller or greater, with ftruncate(2). */
  public void resize(Path path, long size) throws IOException {
    tell(Operation.RESIZE, path.toString(), size, 0, 0);
  }

  /** Opens a file with O_APPEND and writes to it. */
  public void append(Path path, int length) throws IOException {
    tell(Operation.APPEND, path.toString(), 0, length, 0);
  }

  @Override
  public void close() throws IOException {
    try {
      commands.close();
      if (!process.waitFor(DEADLINE.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new IOException("a file tester does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      process.destroyForcibly();
    }
  }

  private byte[] tell(Operation operation, String path, long a, long b, long c) throws IOException {
    commands.writeUTF(operation.name());
    commands.writeUTF(path);
    commands.writeLong(a);
    commands.writeLong(b);
    commands.writeLong(c);
    commands.flush();
    String what = "%s %s %d %d %d".formatted(operation, path, a, b, c);
    Answer answer;
    try {
      answer = answers.poll(DEADLINE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted: " + what, e);
    }
    if (answer == null) {
      process.destroyForcibly();
      throw new AssertionError(what + " hangs");
    }
    try {
      return answer.get();
    } catch (IOException e) {
      throw new IOException(what + ": " + e.getMessage(), e);
    }
  }

  private void receive() {
    try (DataInputStream in =
        new DataInputStream(new BufferedInputStream(process.getInputStream()))) {
      while (true) {
        boolean ok = in.readBoolean();
        byte[] bytes = in.readNBytes(in.readInt());
        answers.add(ok ? () -> bytes : failure(new String(bytes, StandardCharsets.UTF_8)));
      }
    } catch (IOException e) {
      answers.add(failure("the program died"));
    }
  }

  private static Answer failure(String reason) {
    return () -> {
      throw new IOException(reason);
    };
  }

  // The other process

  /** Does what it is told on standard input until that ends. */
  public static void main(String[] arguments) throws IOException {
    DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
    DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out));
    try (Session session = new Session()) {
      while (true) {
        Operation operation = Operation.valueOf(in.readUTF());
        String path = in.readUTF();
        long a = in.readLong();
        long b = in.readLong();
        long c = in.readLong();
        byte[] answer;
        boolean ok = true;
        try {
          answer = session.run(operation, path, a, (int) b, c);
        } catch (IOException | RuntimeException | Error e) {
          ok = false;
          answer = e.toString().getBytes(StandardCharsets.UTF_8);
        }
        out.writeBoolean(ok);
        out.writeInt(answer.length);
        out.write(answer);
        out.flush();
      }
    } catch (EOFException e) {
      // Nothing more to do.
    }
  }

  private static final class Session implements AutoCloseable {
    private static final byte[] NOTHING = {};

    /** O_DIRECT. The compiler warns of whoever names its class. */
    private static final OpenOption DIRECT = option("com.sun.nio.file.ExtendedOpenOption.DIRECT");

    private final ByteBuffer buffer =
        ByteBuffer.allocateDirect(MAX_LENGTH + 4 * BLOCK).alignedSlice(BLOCK);
    private final List<AutoCloseable> opened = new ArrayList<>();
    private FileChannel file;
    private FileChannel direct;
    private MemorySegment map;

    byte[] run(Operation operation, String path, long a, int length, long payload)
        throws IOException {
      switch (operation) {
        case OPEN -> open(Path.of(path), true);
        case OPEN_TO_READ -> open(Path.of(path), false);
        case OPEN_TO_TRUNCATE ->
            FileChannel.open(
                    Path.of(path), StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)
                .close();
        case CLOSE -> close();
        case SIZE -> {
          return ByteBuffer.allocate(Long.BYTES).putLong(file.size()).array();
        }
        case READ -> {
          return read(file, a, length);
        }
        case WRITE -> write(file, a, length, payload);
        case WRITE_ONCE -> {
          fill(a, length, payload);
          return ByteBuffer.allocate(Integer.BYTES).putInt(file.write(buffer, a)).array();
        }
        case READ_DIRECT -> {
          return readOnce(direct, a, length);
        }
        case WRITE_DIRECT -> write(direct, a, length, payload);
        case READ_MAP -> {
          return map.asSlice(a, length).toArray(ValueLayout.JAVA_BYTE);
        }
        case WRITE_MAP -> {
          byte[] bytes = new byte[length];
          Payload.of(payload).fill(ByteBuffer.wrap(bytes), a);
          MemorySegment.copy(bytes, 0, map, ValueLayout.JAVA_BYTE, a, length);
        }
        case FORCE_MAP -> map.asSlice(a, length).force();
        case FSYNC -> file.force(true);
        case RESIZE -> {
          try (RandomAccessFile resized = new RandomAccessFile(path, "rw")) {
            resized.setLength(a);
          }
        }
        case APPEND -> append(Path.of(path), length);
      }
      return NOTHING;
    }

    private void open(Path path, boolean toWrite) throws IOException {
      close();
      file = keep(channel(path, toWrite));
      direct = keep(channel(path, toWrite, DIRECT));
      Arena arena = keep(Arena.ofShared());
      map = file.map(toWrite ? MapMode.READ_WRITE : MapMode.READ_ONLY, 0, file.size(), arena);
    }

    private static OpenOption option(String name) {
      int dot = name.lastIndexOf('.');
      try {
        Class<?> type = Class.forName(name.substring(0, dot));
        return (OpenOption) type.getField(name.substring(dot + 1)).get(null);
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException("no " + name, e);
      }
    }

    private static FileChannel channel(Path path, boolean toWrite, OpenOption... more)
        throws IOException {
      List<OpenOption> options = new ArrayList<>(List.of(more));
      options.add(StandardOpenOption.READ);
      if (toWrite) {
        options.add(StandardOpenOption.WRITE);
      }
      return FileChannel.open(path, options.toArray(OpenOption[]::new));
    }

    private <T extends AutoCloseable> T keep(T resource) {
      opened.add(resource);
      return resource;
    }

    private byte[] read(FileChannel from, long offset, int length) throws IOException {
      buffer.clear().limit(length);
      while (buffer.hasRemaining() && from.read(buffer, offset + buffer.position()) >= 0) {
        // Until there is all of it, or no more.
      }
      return bytesRead();
    }

    /** Past the page cache, one cannot go on from where the file ends. */
    private byte[] readOnce(FileChannel from, long offset, int length) throws IOException {
      from.read(buffer.clear().limit(length), offset);
      return bytesRead();
    }

    private byte[] bytesRead() {
      byte[] bytes = new byte[buffer.flip().remaining()];
      buffer.get(bytes);
      return bytes;
    }

    private void write(FileChannel to, long offset, int length, long payload) throws IOException {
      fill(offset, length, payload);
      while (buffer.hasRemaining()) {
        to.write(buffer, offset + buffer.position());
      }
    }

    private void fill(long offset, int length, long payload) {
      buffer.clear().limit(length);
      Payload.of(payload).fill(buffer, offset);
      buffer.flip();
    }

    private static void append(Path path, int length) throws IOException {
      try (FileChannel appends = FileChannel.open(path, StandardOpenOption.APPEND)) {
        appends.write(ByteBuffer.allocate(length));
      }
    }

    @Override
    public void close() throws IOException {
      while (!opened.isEmpty()) {
        try {
          opened.removeLast().close();
        } catch (IOException e) {
          throw e;
        } catch (Exception e) {
          throw new IOException(e);
        }
      }
    }
  }
}
