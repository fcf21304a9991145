package dev.r3map.it.failure;

import dev.r3map.backend.Extent;
import dev.r3map.linux.storage.LinuxPlatform;
import dev.r3map.spi.LocalStorage;
import dev.r3map.spi.Platform;
import java.io.IOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The platform of Linux, one call of which fails: its own, or one of the storage that it opened. It
 * is found by a child that has {@code brittle-platform} on its class path.
 */
public final class BrittlePlatform implements Platform {
  private static final AtomicInteger CALLS = new AtomicInteger();

  private static volatile int failing = Integer.MAX_VALUE;
  private static volatile Failure failure = Failure.TRANSIENT;

  private final Platform linux = new LinuxPlatform();

  /** Makes a call fail, the next one being number 0. */
  static void fail(int number, Failure with) {
    failure = with;
    failing = number;
    CALLS.set(0);
  }

  /** How many calls there were since, the failed one too. */
  static int calls() {
    return CALLS.get();
  }

  @Override
  public LocalStorage memory(long size) throws IOException {
    count();
    return brittle(linux.memory(size));
  }

  @Override
  public LocalStorage file(Path path, long size) throws IOException {
    count();
    return brittle(linux.file(path, size));
  }

  @Override
  public List<Extent> extents(Path file, long offset, long length) throws IOException {
    count();
    return linux.extents(file, offset, length);
  }

  @Override
  public boolean punch(Path file, long offset, long length) throws IOException {
    count();
    return linux.punch(file, offset, length);
  }

  private static void count() throws IOException {
    if (CALLS.getAndIncrement() == failing) {
      failure.raise();
    }
  }

  private static LocalStorage brittle(LocalStorage storage) {
    InvocationHandler handler =
        (proxy, method, arguments) -> {
          try {
            // It is closed, whatever is said of that.
            Object closed = method.getName().equals("close") ? method.invoke(storage) : null;
            if (method.getExceptionTypes().length > 0 || !failure.isChecked()) {
              count();
            }
            return method.getName().equals("close") ? closed : method.invoke(storage, arguments);
          } catch (InvocationTargetException e) {
            throw e.getCause();
          }
        };
    return (LocalStorage)
        Proxy.newProxyInstance(
            LocalStorage.class.getClassLoader(), new Class<?>[] {LocalStorage.class}, handler);
  }
}
