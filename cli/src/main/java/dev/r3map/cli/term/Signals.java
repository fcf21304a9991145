package dev.r3map.cli.term;

import java.lang.reflect.Proxy;

/**
 * Catches signals with {@code sun.misc.Signal}, which the JDK supports (in the module
 * jdk.unsupported) though javac warns of it in a way that cannot be switched off; hence by
 * reflection.
 */
final class Signals {
  private Signals() {}

  /**
   * Runs {@code action} in a new thread whenever the signal comes, unless the parent process has
   * made this one ignore it.
   *
   * @param name such as {@code INT}
   */
  static void handle(String name, Runnable action) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      Object runs =
          Proxy.newProxyInstance(
              Signals.class.getClassLoader(),
              new Class<?>[] {handler},
              (proxy, method, arguments) -> {
                if (!method.getName().equals("handle")) {
                  throw new UnsupportedOperationException(method.getName());
                }
                action.run();
                return null;
              });
      signal
          .getMethod("handle", signal, handler)
          .invoke(null, signal.getConstructor(String.class).newInstance(name), runs);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("cannot catch SIG" + name, e);
    }
  }
}
