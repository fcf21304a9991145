package dev.r3map.it.nbd.suite;

import dev.r3map.backend.Backend;
import dev.r3map.backend.FileBackend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.it.nbd.suite.Plugin.Opened;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** nbdkit's plugins, as far as libnbd's tests use them. */
final class Plugins {
  /** Of nbdkit's sparse memory: what is there at all is there in such pages. */
  private static final int PAGE = 32 << 10;

  private Plugins() {}

  static Plugin of(String name, Parameters parameters) throws IOException {
    return switch (name) {
      case "memory" ->
          same(new CoarseExtents(memory(parameters.magicSize("size").orElseThrow()), PAGE));
      case "null" -> same(new NullBackend(parameters.magicSize("size").orElse(0L)));
      case "pattern" -> pattern(parameters.magicSize("size").orElseThrow());
      case "sparse-random" ->
          same(
              new SparseRandomBackend(
                  parameters.magicSize("size").orElseThrow(),
                  parameters.size("seed").orElseGet(System::nanoTime)));
      case "data" -> data(parameters);
      case "file" -> file(parameters);
      case "sh" -> ScriptPlugin.sh(parameters);
      case "eval" -> ScriptPlugin.eval(parameters);
      default -> throw new IllegalArgumentException("plugin " + name);
    };
  }

  private static Plugin same(Backend backend) {
    return name -> Opened.of(name, backend);
  }

  private static Plugin pattern(long size) {
    Backend pattern = new PatternBackend(size);
    return name -> Opened.readOnly(name, pattern);
  }

  private static MemoryBackend memory(long size) throws IOException {
    return MemoryBackend.of(size);
  }

  private static Plugin data(Parameters parameters) throws IOException {
    DataScript script = DataScript.parse(parameters.value("data").orElseThrow());
    long size = parameters.size("size").orElse(script.size());
    MemoryBackend memory = memory(size);
    for (Map.Entry<Long, byte[]> piece : script.pieces().entrySet()) {
      ByteBuffer bytes = ByteBuffer.wrap(piece.getValue());
      // What lies behind the end is cut off.
      bytes.limit(Math.clamp(size - piece.getKey(), 0, bytes.capacity()));
      memory.write(bytes, piece.getKey());
    }
    return same(new CoarseExtents(memory, PAGE));
  }

  private static Plugin file(Parameters parameters) throws IOException {
    if (parameters.value("dir").isEmpty()) {
      return same(FileBackend.open(Path.of(parameters.magic("file").orElseThrow())));
    }
    Path folder = Path.of(parameters.value("dir").get());
    return new Plugin() {
      @Override
      public List<String> list() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
          return files
              .filter(Files::isRegularFile)
              .map(file -> file.getFileName().toString())
              .toList();
        }
      }

      @Override
      public Opened open(String name) throws IOException {
        return Opened.of(name, FileBackend.open(folder.resolve(name)));
      }
    };
  }
}
