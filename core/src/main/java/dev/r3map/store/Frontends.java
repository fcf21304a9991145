package dev.r3map.store;

import dev.r3map.spi.FrontendRegion.Frontend;
import java.io.IOException;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/** The doors of a region, in the order in which they were opened. Thread-safe. */
final class Frontends {
  private final CopyOnWriteArrayList<Frontend> all = new CopyOnWriteArrayList<>();
  private boolean closed;

  synchronized void attach(Frontend frontend) throws IOException {
    if (closed) {
      throw new IOException("the region is closed");
    }
    all.add(frontend);
  }

  void detach(Frontend frontend) {
    all.remove(frontend);
  }

  void written(long offset, long length, @Nullable Frontend origin) {
    for (Frontend frontend : all) {
      if (!frontend.equals(origin)) {
        frontend.written(offset, length);
      }
    }
  }

  void pulled(long offset, long length) {
    for (Frontend frontend : all) {
      frontend.pulled(offset, length);
    }
  }

  /** Closes those that are left, the last one first, also if one of them fails. */
  void close() throws IOException {
    synchronized (this) {
      closed = true;
    }
    IOException failure = null;
    for (Frontend frontend : all.reversed()) {
      try {
        frontend.close();
      } catch (IOException e) {
        failure = Closing.add(failure, e);
      }
      all.remove(frontend);
    }
    if (failure != null) {
      throw failure;
    }
  }
}
