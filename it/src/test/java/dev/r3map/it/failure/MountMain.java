package dev.r3map.it.failure;

import dev.r3map.Backends;
import dev.r3map.Device;
import dev.r3map.DirectMount;
import dev.r3map.Durability;
import dev.r3map.ManagedMount;
import dev.r3map.Progress;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.linux.Fuse;
import dev.r3map.spi.BackendOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A process that mounts a resource: {@code URI PATH [OPTION=VALUE ...]}; says {@code ready} once
 * the path can be used. Told to {@code sync}, {@code close} or tell its {@code progress}.
 */
final class MountMain {
  private MountMain() {}

  public static void main(String[] args) throws Exception {
    Map<String, String> options =
        Arrays.stream(args)
            .skip(2)
            .map(option -> option.split("=", 2))
            .collect(Collectors.toMap(option -> option[0], option -> option[1]));
    BackendOptions remoteOptions =
        BackendOptions.DEFAULT.withTimeout(millis(options.getOrDefault("timeout", "10000")));
    try (Backend remote = Backends.open(URI.create(args[0]), remoteOptions);
        Region region = open(remote, options);
        Device device = Fuse.attach(region, Path.of(args[1]))) {
      Commands.say("ready");
      Commands.serve(words -> {
        switch (words[0]) {
          case "sync" -> region.sync();
          case "progress" -> {
            Progress now = region.progress();
            return "%d %d %d".formatted(now.size(), now.local(), now.dirty());
          }
          case "await" -> region.awaitLocal(Double.parseDouble(words[1]), Duration.ofSeconds(30));
          case "close" -> {
            Host.closeNow(device);
            Host.closeNow(region);
          }
          default -> throw new IllegalArgumentException(words[0]);
        }
        return "";
      });
    }
  }

  private static Region open(Backend remote, Map<String, String> options) throws IOException {
    Duration ioTimeout = millis(options.getOrDefault("ioTimeout", "30000"));
    if (options.containsKey("direct")) {
      return DirectMount.open(remote, false, ioTimeout);
    }
    ManagedMount mount = ManagedMount.on(remote).ioTimeout(ioTimeout);
    options.forEach((name, value) -> {
      switch (name) {
        case "cache" -> mount.cache(Path.of(value));
        case "durability" -> mount.durability(Durability.valueOf(value));
        case "chunkSize" -> mount.chunkSize(Integer.parseInt(value));
        case "pullWorkers" -> mount.pullWorkers(Integer.parseInt(value));
        case "pushInterval" -> mount.pushInterval(millis(value));
        case "timeout", "ioTimeout" -> {}
        default -> throw new IllegalArgumentException(name);
      }
    });
    return mount.open();
  }

  private static Duration millis(String text) {
    return Duration.ofMillis(Long.parseLong(text));
  }
}
