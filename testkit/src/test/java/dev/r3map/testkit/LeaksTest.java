package dev.r3map.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LeaksTest {
  private static final Duration SOON = Duration.ofSeconds(10);
  private static final Duration NOW = Duration.ZERO;

  @Test
  void nothingIsLeftWhereNothingWasDone() {
    Leaks.snapshot();
    Leaks before = Leaks.snapshot();

    before.assertNone(SOON);
  }

  @Test
  void threadsAreSeenWithTheirStacksVirtualOnesToo() throws InterruptedException {
    Leaks before = Leaks.snapshot();
    CountDownLatch begun = new CountDownLatch(2);
    CountDownLatch end = new CountDownLatch(1);
    Thread virtual = Thread.ofVirtual().name("leaked-one").start(() -> await(begun, end));
    Thread platform = Thread.ofPlatform().name("leaked-two").start(() -> await(begun, end));
    begun.await();

    assertThatThrownBy(() -> before.assertNone(NOW))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("leaked-one")
        .hasMessageContaining("leaked-two")
        .hasMessageContaining("LeaksTest.await");

    end.countDown();
    virtual.join();
    platform.join();
    before.assertNone(SOON);
  }

  @Test
  void openFilesSocketsAndMappingsAreSeen(@TempDir Path folder) throws Exception {
    Path file = Files.write(folder.resolve("leaked-file"), new byte[4096]);
    ServerSocketChannel.open().close();
    Leaks before = Leaks.snapshot();
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    ServerSocketChannel socket = ServerSocketChannel.open();
    Arena arena = Arena.ofShared();
    assertThat(channel.map(MapMode.READ_ONLY, 0, 4096, arena).byteSize()).isEqualTo(4096);

    assertThat(before.since())
        .hasSize(3)
        .anySatisfy(what -> assertThat(what).matches("descriptor .*leaked-file"))
        .anySatisfy(what -> assertThat(what).matches("mapping .*leaked-file.*"))
        .anySatisfy(what -> assertThat(what).contains("socket:"));

    channel.close();
    socket.close();
    arena.close();
    before.assertNone(SOON);
  }

  @Test
  void childProcessesAreSeen() throws Exception {
    Leaks before = Leaks.snapshot();
    Process child = new ProcessBuilder("sleep", "60").start();

    assertThat(before.since()).anySatisfy(what -> assertThat(what).contains("sleep"));

    child.destroyForcibly().waitFor();
    child.getInputStream().close();
    child.getErrorStream().close();
    before.assertNone(SOON);
  }

  @Test
  void mountsAreSeen(@TempDir Path folder) throws Exception {
    Leaks before = Leaks.snapshot();
    run("mount", "-t", "tmpfs", "none", folder.toString());
    try {
      assertThat(before.since()).anySatisfy(what -> assertThat(what).contains(folder.toString()));
    } finally {
      run("umount", folder.toString());
    }
    before.assertNone(SOON);
  }

  private static void run(String... command) throws Exception {
    assertThat(new ProcessBuilder(command).start().waitFor()).isZero();
  }

  private static void await(CountDownLatch begun, CountDownLatch end) {
    begun.countDown();
    try {
      end.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
