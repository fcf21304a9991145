package dev.r3map.examples;

import dev.r3map.Backends;
import dev.r3map.Device;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.linux.Fuse;
import java.io.IOException;
import java.nio.file.Path;

/**
 * Makes a remote resource a file that any program can open, and runs one on it: {@code MountAsFile
 * grpc://host:1337 film.mp4 ffprobe film.mp4}.
 */
public final class MountAsFile {
  private MountAsFile() {}

  public static void main(String[] args) throws IOException, InterruptedException {
    String[] command = java.util.Arrays.copyOfRange(args, 2, args.length);
    try (Backend remote = Backends.open(Backends.parse(args[0]));
        Region region = ManagedMount.on(remote).cache(Path.of(args[1] + ".cache")).open();
        Device device = Fuse.attach(region, Path.of(args[1]))) {
      System.out.println("mounted at " + device.path());
      int code = new ProcessBuilder(command).inheritIO().start().waitFor();
      System.out.println("the program ended with " + code);
      region.sync();
    }
  }
}
