package dev.r3map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.r3map.store.ScriptedBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class DirectMountTest {

  @Test
  void nothingCanBeWrittenOnceTheLastFlushHasBegun() throws Exception {
    ScriptedBackend remote = new ScriptedBackend(8192);
    CompletableFuture<Boolean> late = new CompletableFuture<>();
    Region region = DirectMount.open(remote);
    remote.onSync =
        (offset, length) -> {
          try {
            region.write(ByteBuffer.wrap(new byte[4096]), 4096);
            late.complete(true);
          } catch (IOException e) {
            late.completeExceptionally(e);
          }
        };
    region.write(ByteBuffer.wrap(new byte[4096]), 0);
    region.close();
    assertThatThrownBy(late::get).hasMessageContaining("closed");
    assertThat(remote.durable).startsWith(new byte[4096]).isEqualTo(remote.bytes);
    assertThat(remote.syncs.get()).isEqualTo(1);
  }
}
