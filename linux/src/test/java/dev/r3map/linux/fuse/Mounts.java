package dev.r3map.linux.fuse;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * For tests that mount: fails them where that cannot be, saying why, and proves after each that it
 * left no mount, descriptor or thread. A mount that is left is ended by force, so that nothing
 * hangs.
 */
final class Mounts implements BeforeEachCallback, AfterEachCallback {
  private long descriptors;

  @Override
  public void beforeEach(ExtensionContext context) throws Exception {
    require(FuseSupport.unavailable());
    descriptors = Leaks.fuseDescriptors();
  }

  @Override
  public void afterEach(ExtensionContext context) throws Exception {
    List<String> left = Leaks.mounts(directory(context));
    for (String mount : left) {
      Leaks.run("umount", "-f", "-l", mount);
    }
    if (!left.isEmpty()) {
      throw new AssertionError("mounts are left: " + left);
    }
    Leaks.awaitNone("threads", Leaks::threads);
    if (Leaks.fuseDescriptors() != descriptors) {
      throw new AssertionError("descriptors are left");
    }
  }

  static void require(Optional<String> unavailable) {
    unavailable.ifPresent(reason -> {
      throw new AssertionError("this test mounts, and is never skipped. " + reason);
    });
  }

  /** Where the test mounts: its field {@code dir}. */
  private static Path directory(ExtensionContext context) throws ReflectiveOperationException {
    Object test = context.getRequiredTestInstance();
    return (Path) test.getClass().getDeclaredField("dir").get(test);
  }
}
