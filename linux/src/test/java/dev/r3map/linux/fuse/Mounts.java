package dev.r3map.linux.fuse;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * For tests that mount: skips them where that cannot be, and proves after each that it left no
 * mount, descriptor or thread. A mount that is left is ended by force, so that nothing hangs.
 */
final class Mounts implements BeforeEachCallback, AfterEachCallback, ExecutionCondition {
  private long descriptors;

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    return FuseSupport.unavailable()
        .map(ConditionEvaluationResult::disabled)
        .orElseGet(() -> ConditionEvaluationResult.enabled("FUSE works here"));
  }

  @Override
  public void beforeEach(ExtensionContext context) throws Exception {
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

  /** Where the test mounts: its field {@code dir}. */
  private static Path directory(ExtensionContext context) throws ReflectiveOperationException {
    Object test = context.getRequiredTestInstance();
    return (Path) test.getClass().getDeclaredField("dir").get(test);
  }
}
