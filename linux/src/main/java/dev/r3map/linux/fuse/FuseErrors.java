package dev.r3map.linux.fuse;

import dev.r3map.backend.NoSpaceException;
import dev.r3map.backend.ReadOnlyException;
import dev.r3map.backend.ResourceChangedException;
import dev.r3map.linux.ffi.Errno;
import org.jspecify.annotations.Nullable;

/** What a program is told when the region throws. */
final class FuseErrors {
  /** Chains of causes are short; a longer one goes in a circle. */
  private static final int DEEPEST_CAUSE = 8;

  private FuseErrors() {}

  /**
   * The errno for a failure. Never EINTR: a program that is told so tries again for ever.
   *
   * @param opcode what failed
   */
  static int errno(Throwable failure, int opcode) {
    @Nullable Throwable cause = failure;
    for (int depth = 0; cause != null && depth < DEEPEST_CAUSE; depth++) {
      switch (cause) {
        case NoSpaceException _ -> {
          return Errno.ENOSPC;
        }
        case ResourceChangedException _ -> {
          return Errno.ESTALE;
        }
        case ReadOnlyException _ -> {
          return Errno.EROFS;
        }
        case IndexOutOfBoundsException _ -> {
          return opcode == FuseProtocol.WRITE ? Errno.EFBIG : Errno.EINVAL;
        }
        case OutOfMemoryError _ -> {
          return Errno.ENOMEM;
        }
        default -> cause = cause.getCause();
      }
    }
    return Errno.EIO;
  }
}
