package dev.r3map.examples;

import dev.r3map.Backends;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.TimeoutException;

/**
 * Reads the end of a remote file first, while the rest is pulled in the background: {@code
 * ReadWhilePulling grpc://host:1337}.
 */
public final class ReadWhilePulling {
  private ReadWhilePulling() {}

  public static void main(String[] args)
      throws IOException, InterruptedException, TimeoutException {
    try (Backend remote = Backends.open(Backends.parse(args[0]));
        Region region = ManagedMount.on(remote).readOnly(true).open()) {
      int length = (int) Math.min(16, region.size());
      ByteBuffer tail = ByteBuffer.allocate(length);
      region.read(tail, region.size() - length);
      System.out.printf(
          "the last %d bytes are here, with %.0f %% of the file%n",
          length, 100 * region.progress().fractionLocal());
      region.awaitLocal(1, Duration.ofMinutes(1));
      System.out.println("now all of it: " + region.progress().local() + " bytes");
    }
  }
}
