package dev.r3map.it.failure;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** The other JVMs of a test. Ends them with it, and shows their errors if it failed. */
final class Children implements AfterEachCallback {
  private final List<Child> all = new CopyOnWriteArrayList<>();

  Child start(Class<?> main, String... arguments) throws IOException {
    return start(List.of("-Xmx128m"), main, arguments);
  }

  /**
   * @param flags of the JVM
   */
  Child start(List<String> flags, Class<?> main, String... arguments) throws IOException {
    return keep(Child.start(flags, List.of(), main, arguments));
  }

  /**
   * @param first a folder of test resources that comes first on the class path
   */
  Child startWith(String first, Class<?> main, String... arguments) throws Exception {
    Path folder = Path.of(Children.class.getResource("/" + first).toURI());
    return keep(Child.start(List.of("-Xmx128m"), List.of(folder), main, arguments));
  }

  private Child keep(Child child) {
    all.add(child);
    return child;
  }

  @Override
  public void afterEach(ExtensionContext context) {
    for (Child child : all.reversed()) {
      child.close();
      if (!child.errors().isEmpty()) {
        context
            .getExecutionException()
            .ifPresent(failure -> failure.addSuppressed(new ErrorsOf(child)));
      }
    }
    all.clear();
  }

  /** What a process said, beside the failure of the test. */
  private static final class ErrorsOf extends Exception {
    private static final long serialVersionUID = 1L;

    ErrorsOf(Child child) {
      super("%s said:%n%s".formatted(child, child.errors()), null, false, false);
    }
  }
}
