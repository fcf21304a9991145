package dev.r3map.it.failure;

import dev.r3map.backend.Backend;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** Makes one call of a backend fail, whichever method it is of. */
final class BrittleBackend {
  private final AtomicInteger calls = new AtomicInteger();
  private final Backend backend;

  /**
   * @param failing number of the call that fails, from 0
   */
  BrittleBackend(Backend delegate, int failing, Supplier<? extends Throwable> failure) {
    InvocationHandler handler =
        (proxy, method, arguments) -> {
          boolean ofObject = method.getDeclaringClass().equals(Object.class);
          if (!ofObject && calls.getAndIncrement() == failing) {
            throw failure.get();
          }
          try {
            return method.invoke(delegate, arguments);
          } catch (InvocationTargetException e) {
            throw e.getCause();
          }
        };
    backend =
        (Backend)
            Proxy.newProxyInstance(
                Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, handler);
  }

  Backend backend() {
    return backend;
  }

  /** How many calls there were, the failed one too. */
  int calls() {
    return calls.get();
  }
}
