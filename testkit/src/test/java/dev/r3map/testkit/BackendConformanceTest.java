package dev.r3map.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;
import static org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder.request;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.backend.Ranges;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

/** The kit refuses backends that break the contract, each in another way. */
class BackendConformanceTest {

  /** What is wrong, and the test that must fail because of it. */
  enum Fault {
    READS_SHORT("whatIsWrittenIsReadBackAndItsNeighboursStay") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void read(ByteBuffer dst, long offset) throws IOException {
            ByteBuffer some = dst.slice(dst.position(), Math.min(dst.remaining(), 4096));
            super.read(some, offset);
            dst.position(dst.limit());
          }
        };
      }
    },
    LEAVES_POSITION("bytesNeverWrittenReadAsZeros") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void read(ByteBuffer dst, long offset) throws IOException {
            super.read(dst.slice(), offset);
          }
        };
      }
    },
    READS_BEYOND_THE_LIMIT("bytesNeverWrittenReadAsZeros") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void read(ByteBuffer dst, long offset) throws IOException {
            super.read(dst, offset);
            if (dst.capacity() > dst.limit()) {
              dst.duplicate().clear().put(dst.limit(), (byte) 1);
            }
          }
        };
      }
    },
    KEEPS_WHAT_THE_BUFFER_HELD("bytesNeverWrittenReadAsZeros") {
      @Override
      Backend open(long size) throws IOException {
        BitSet written = new BitSet();
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void read(ByteBuffer dst, long offset) throws IOException {
            Ranges.check(offset, dst.remaining(), size());
            if (written.isEmpty()) {
              dst.position(dst.limit());
            } else {
              super.read(dst, offset);
            }
          }

          @Override
          public void write(ByteBuffer src, long offset) throws IOException {
            written.set(0);
            super.write(src, offset);
          }
        };
      }
    },
    LOSES_THE_LAST_BYTE("lastBytesOfTheResourceAreBytesLikeAll") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void write(ByteBuffer src, long offset) throws IOException {
            if (src.hasRemaining() && offset + src.remaining() == size()) {
              super.write(src.slice(src.position(), src.remaining() - 1), offset);
              src.position(src.limit());
            } else {
              super.write(src, offset);
            }
          }
        };
      }
    },
    ROUNDS_THE_SIZE("sizeIsThatOfTheResourceToTheByte") {
      @Override
      Backend open(long size) throws IOException {
        return MemoryBackend.of(size / 4096 * 4096);
      }
    },
    GROWS("rangesOutsideAreRefusedAndChangeNothing") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size + 8192)) {
          private long end = size;

          @Override
          public long size() {
            return end;
          }

          @Override
          public void write(ByteBuffer src, long offset) throws IOException {
            end = Math.max(end, offset + src.remaining());
            super.write(src, offset);
          }
        };
      }
    },
    OVERFLOWS("rangesOutsideAreRefusedAndChangeNothing") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void discard(long offset, long length) {
            if (offset < 0 || length < 0 || offset + length > size) {
              throw new IndexOutOfBoundsException();
            }
          }
        };
      }
    },
    COUNTS_IN_THIRTY_TWO_BITS("offsetsBeyondThirtyTwoBitsAreOffsets") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void write(ByteBuffer src, long offset) throws IOException {
            super.write(src, offset & 0xFFFF_FFFFL);
          }
        };
      }
    },
    CHANGES_ITS_SOURCE("whatIsWrittenIsReadBackAndItsNeighboursStay") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void write(ByteBuffer src, long offset) throws IOException {
            int start = src.position();
            super.write(src, offset);
            if (!src.isReadOnly() && start < src.limit()) {
              src.put(start, (byte) 0);
            }
          }
        };
      }
    },
    WRITES_WHOLE_BLOCKS("writersOfNeighbouringBytesDoNotDisturbEachOther") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void write(ByteBuffer src, long offset) throws IOException {
            Ranges.check(offset, src.remaining(), size());
            long from = offset & -4096L;
            long to = Math.min(size(), (offset + src.remaining() + 4095) & -4096L);
            ByteBuffer blocks = ByteBuffer.allocate((int) (to - from));
            super.read(blocks, from);
            LockSupport.parkNanos(1);
            blocks.position((int) (offset - from)).put(src).clear();
            super.write(blocks, from);
          }
        };
      }
    },
    ZEROES_WHOLE_BLOCKS("zeroMakesZerosOfExactlyItsRange") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void zero(long offset, long length) throws IOException {
            Ranges.check(offset, length, size());
            long from = offset & -4096L;
            super.zero(from, Math.min(size(), (offset + length + 4095) & -4096L) - from);
          }
        };
      }
    },
    DISCARDS_TO_GARBAGE("discardedBytesAreZerosOrWhatTheyWereAndOthersStay") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void discard(long offset, long length) throws IOException {
            super.write(ByteBuffer.wrap(new byte[] {2}), offset);
          }
        };
      }
    },
    CALLS_DATA_A_HOLE("extentsAreInOrderWithoutGapsAndTheirHolesAreZeros") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public List<Extent> extents(long offset, long length) {
            return List.of(Extent.hole(offset, length));
          }
        };
      }
    },
    ANSWERS_WITH_GAPS("extentsAreInOrderWithoutGapsAndTheirHolesAreZeros") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public List<Extent> extents(long offset, long length) throws IOException {
            return super.extents(offset, length).stream().filter(e -> !e.hole()).toList();
          }
        };
      }
    },
    CLAIMS_TOO_LARGE_A_TRANSFER("oneTransferMayBeAsLargeAsTheGeometrySays") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void write(ByteBuffer src, long offset) throws IOException {
            if (src.remaining() > 4 << 20) {
              throw new IOException("message too large");
            }
            super.write(src, offset);
          }
        };
      }
    },
    CHANGES_ITS_IDENTITY("identityStaysTheSameAsLongAsNobodyElseChangesTheResource") {
      @Override
      Backend open(long size) throws IOException {
        AtomicInteger version = new AtomicInteger();
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void write(ByteBuffer src, long offset) throws IOException {
            version.incrementAndGet();
            super.write(src, offset);
          }

          @Override
          public Optional<String> identity() {
            return Optional.of("v" + version);
          }
        };
      }
    },
    CLOSES_FOR_ALL_WHEN_ONE_IS_INTERRUPTED("interruptDoesNotReachOtherCallersAndIsKept") {
      @Override
      Backend open(long size) throws IOException {
        Path file = Files.createTempFile("r3map", "");
        FileChannel channel =
            FileChannel.open(
                file,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                StandardOpenOption.DELETE_ON_CLOSE);
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void read(ByteBuffer dst, long offset) throws IOException {
            channel.read(ByteBuffer.allocate(1), 0);
            super.read(dst, offset);
          }

          @Override
          public void close() throws IOException {
            channel.close();
            super.close();
          }
        };
      }
    },
    SWALLOWS_INTERRUPTS("interruptDoesNotReachOtherCallersAndIsKept") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void read(ByteBuffer dst, long offset) throws IOException {
            super.read(dst, offset);
            if (Thread.interrupted()) {
              throw new IOException("interrupted");
            }
          }
        };
      }
    },
    WORKS_AFTER_CLOSE("closeMayBeCalledTwiceAndLaterCallsFail") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public void close() {
            // Of no effect.
          }
        };
      }
    },
    FAILS_WITH_ANYTHING_WHILE_CLOSING("closeEndsCallsInFlight") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          protected <T> T around(BackendCall call, Step<T> step) {
            try {
              return step.run();
            } catch (IOException e) {
              throw new IllegalStateException(e);
            }
          }
        };
      }
    },
    LEAVES_A_THREAD("closeLeavesNothingBehind") {
      @Override
      Backend open(long size) throws IOException {
        Thread.ofVirtual().start(() -> LockSupport.parkNanos(60_000_000_000L));
        return MemoryBackend.of(size);
      }
    },
    LEAVES_A_FILE_OPEN("closeLeavesNothingBehind") {
      @Override
      Backend open(long size) throws IOException {
        Path file = Files.createTempFile("r3map", "");
        LEFT_OPEN.add(FileChannel.open(file, StandardOpenOption.DELETE_ON_CLOSE));
        return MemoryBackend.of(size);
      }
    },
    FORGETS("whatWasSyncedIsThereWhenTheResourceIsOpenedAgain") {
      @Override
      Backend open(long size) throws IOException {
        return MemoryBackend.of(size);
      }

      @Override
      Optional<Backend> reopen(Backend backend) throws IOException {
        return Optional.of(MemoryBackend.of(backend.size()));
      }
    },
    CONTRADICTS_ITSELF("geometryIsConstantAndFitsItself") {
      @Override
      Backend open(long size) throws IOException {
        AtomicInteger asked = new AtomicInteger();
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public Geometry geometry() {
            return new Geometry(1, asked.incrementAndGet(), 1 << 20, false);
          }
        };
      }
    },
    ACCEPTS_WRITES_AND_DROPS_THEM("readOnlyResourceIsReadAndNotWritten") {
      @Override
      Backend open(long size) throws IOException {
        return new ForwardingBackend(MemoryBackend.of(size)) {
          @Override
          public Geometry geometry() {
            return Geometry.ANY.asReadOnly();
          }
        };
      }
    };

    private final String refutedBy;

    Fault(String refutedBy) {
      this.refutedBy = refutedBy;
    }

    abstract Backend open(long size) throws IOException;

    Optional<Backend> reopen(Backend backend) throws IOException {
      return Optional.empty();
    }
  }

  private static final Queue<AutoCloseable> LEFT_OPEN = new ConcurrentLinkedQueue<>();

  /** What {@link Kit} proves now. */
  private static volatile Fault current = Fault.READS_SHORT;

  /** Not found by name: it runs only from here. */
  static class Kit extends BackendConformance {
    @Override
    protected Backend create(long size) throws IOException {
      return current.open(size);
    }

    @Override
    protected Optional<Backend> reopen(Backend backend) throws IOException {
      return current.reopen(backend);
    }

    @Override
    protected Optional<Backend> createReadOnly(long size, Payload content) throws IOException {
      Backend backend = current.open(size);
      backend.write(content.bytes(0, Math.toIntExact(size)), 0);
      return Optional.of(backend);
    }
  }

  @ParameterizedTest
  @EnumSource
  void kitRefusesABackendThat(Fault fault) throws Exception {
    current = fault;
    try {
      TestExecutionSummary summary = run(fault.refutedBy);

      assertThat(summary.getTestsFoundCount()).isOne();
      assertThat(summary.getTestsFailedCount()).isOne();
    } finally {
      for (AutoCloseable left : LEFT_OPEN) {
        left.close();
      }
      LEFT_OPEN.clear();
    }
  }

  private static TestExecutionSummary run(String method) {
    Launcher launcher = LauncherFactory.create();
    SummaryGeneratingListener listener = new SummaryGeneratingListener();
    launcher.execute(request().selectors(selectMethod(Kit.class, method)).build(), listener);
    return listener.getSummary();
  }
}
