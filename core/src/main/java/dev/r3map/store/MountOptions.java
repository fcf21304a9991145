package dev.r3map.store;

import dev.r3map.Durability;
import dev.r3map.backend.Backend;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The options of a managed mount and their defaults; {@link dev.r3map.ManagedMount} explains them.
 */
public final class MountOptions {
  /** As many pull workers as the memory for transfers allows. */
  static final int AUTOMATIC = -1;

  public int chunkSize;
  public int pullWorkers = AUTOMATIC;
  public @Nullable LongUnaryOperator pullPriority;
  public double pullFirst;
  public int pushWorkers = 16;
  public Duration pushInterval = Duration.ofSeconds(20);
  public Duration ioTimeout = Duration.ofSeconds(30);
  public Durability durability = Durability.REMOTE;
  public @Nullable Path cache;
  public @Nullable Backend local;
  public boolean readOnly;
  public Runnable onBeforeSync = () -> {};
  public Consumer<long[]> onAfterSync = offsets -> {};
  public Runnable onBeforeClose = () -> {};
  public LongConsumer onChunkLocal = offset -> {};

  public MountOptions() {}

  /** A copy, so that a region keeps what it was opened with. */
  MountOptions(MountOptions other) {
    chunkSize = other.chunkSize;
    pullWorkers = other.pullWorkers;
    pullPriority = other.pullPriority;
    pullFirst = other.pullFirst;
    pushWorkers = other.pushWorkers;
    pushInterval = other.pushInterval;
    ioTimeout = other.ioTimeout;
    durability = other.durability;
    cache = other.cache;
    local = other.local;
    readOnly = other.readOnly;
    onBeforeSync = other.onBeforeSync;
    onAfterSync = other.onAfterSync;
    onBeforeClose = other.onBeforeClose;
    onChunkLocal = other.onChunkLocal;
  }

  /** Whether writes are ever to reach the remote. */
  boolean pushes() {
    return !readOnly && pushWorkers > 0 && !pushInterval.isZero();
  }
}
