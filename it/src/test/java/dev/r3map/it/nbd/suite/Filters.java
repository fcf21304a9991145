package dev.r3map.it.nbd.suite;

import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_FAST_ZERO;
import static dev.r3map.nbd.protocol.Transmission.FLAG_SEND_WRITE_ZEROES;

import dev.r3map.backend.Backend;
import dev.r3map.backend.Extent;
import dev.r3map.backend.Geometry;
import dev.r3map.testkit.ForwardingBackend;
import java.io.IOException;
import java.util.List;

/** nbdkit's filters, as far as libnbd's tests use them. */
final class Filters {
  private Filters() {}

  static Plugin of(String name, Parameters parameters, Plugin next) {
    return switch (name) {
      case "nozero" -> features(next, FLAG_SEND_WRITE_ZEROES | FLAG_SEND_FAST_ZERO);
      case "noextents" -> around(next, NoExtents::new);
      case "blocksize-policy" -> around(next, backend -> new BlockSizes(backend, parameters));
      case "error" -> around(next, backend -> new ErrorBackend(backend, parameters));
      case "delay", "rate" -> around(next, backend -> new SlowBackend(backend, parameters));
      case "cow" -> writable(around(next, CowBackend::new));
      case "exportname" -> new ExportNames(next, parameters);
      default -> throw new IllegalArgumentException("filter " + name);
    };
  }

  private interface Wrapper {
    Backend wrap(Backend backend) throws IOException;
  }

  private abstract static class Filter implements Plugin {
    private final Plugin next;

    Filter(Plugin next) {
      this.next = next;
    }

    @Override
    public List<String> list() throws IOException {
      return next.list();
    }

    @Override
    public Opened open(String name) throws IOException {
      return change(next.open(name));
    }

    abstract Opened change(Opened opened) throws IOException;
  }

  private static Plugin around(Plugin next, Wrapper wrapper) {
    return new Filter(next) {
      @Override
      Opened change(Opened opened) throws IOException {
        return opened.over(wrapper.wrap(opened.export().backend()));
      }
    };
  }

  private static Plugin features(Plugin next, int without) {
    return new Filter(next) {
      @Override
      Opened change(Opened opened) {
        return opened.with(opened.features().taking(without));
      }
    };
  }

  private static Plugin writable(Plugin next) {
    return new Filter(next) {
      @Override
      Opened change(Opened opened) {
        return new Opened(opened.export().withReadOnly(false), opened.features());
      }
    };
  }

  private static final class NoExtents extends ForwardingBackend {
    NoExtents(Backend backend) {
      super(backend);
    }

    @Override
    public List<Extent> extents(long offset, long length) {
      return List.of(Extent.data(offset, length));
    }
  }

  private static final class BlockSizes extends ForwardingBackend {
    private final Parameters parameters;

    BlockSizes(Backend backend, Parameters parameters) {
      super(backend);
      this.parameters = parameters;
    }

    @Override
    public Geometry geometry() throws IOException {
      Geometry geometry = super.geometry();
      return new Geometry(
          size("blocksize-minimum", geometry.requiredChunk()),
          size("blocksize-preferred", geometry.preferredChunk()),
          size("blocksize-maximum", geometry.maxTransfer()),
          geometry.readOnly());
    }

    private int size(String key, int otherwise) {
      return parameters.size(key).map(Math::toIntExact).orElse(otherwise);
    }
  }
}
