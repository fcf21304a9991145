package dev.r3map.nbd;

import static dev.r3map.nbd.protocol.Handshake.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.MemoryBackend;
import dev.r3map.nbd.server.Exports;
import dev.r3map.nbd.server.Service;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Whatever options come, each is answered once and in order, or the connection ends. */
@Timeout(7200)
class HandshakeFuzzTest {
  private static final int MAX_OPTION = 64 << 10;
  private static final int MAX_SKIPPED = 1 << 20;
  private static final List<String> NAMES =
      List.of("", "disk", "still", "x", "ä", "\0", "y".repeat(4096), "z".repeat(5000));
  private static final List<String> QUERIES =
      List.of("base:allocation", "base:", "base:x", "qemu:dirty-bitmap:a", "", "\0", "no colon");
  private static final Set<Integer> ERRORS =
      Set.of(
          REP_ERR_UNSUP,
          REP_ERR_INVALID,
          REP_ERR_UNKNOWN,
          REP_ERR_TOO_BIG,
          REP_ERR_EXT_HEADER_REQD,
          REP_ERR_POLICY,
          REP_ERR_PLATFORM,
          REP_ERR_TLS_REQD);

  /** An option, which may claim to be longer or shorter than it is. */
  @SuppressWarnings("ArrayRecordComponent")
  private record Piece(long magic, int option, int claimed, byte[] data) {
    @Override
    public String toString() {
      String hex = HexFormat.of().formatHex(data, 0, Math.min(data.length, 100));
      return "%x option %d of %d bytes, %d follow: %s"
          .formatted(magic, option, claimed, data.length, hex);
    }
  }

  private MemoryBackend memory;
  private Service service;
  private Warnings warnings;

  @BeforeEach
  void serve() throws IOException {
    memory = MemoryBackend.of(1 << 20);
    service =
        new Service(
            new Exports(
                List.of(
                    NbdExport.of("disk", memory).withDescription("the first"),
                    NbdExport.of("still", memory).withReadOnly(true))),
            null,
            true,
            1 << 20,
            Duration.ofSeconds(30));
    warnings = new Warnings();
  }

  @AfterEach
  void close() throws IOException {
    warnings.close();
    memory.close();
  }

  @Test
  void everyOptionIsAnsweredOnceInMemory() {
    Fuzz.run(
        this::pieces, (pieces, seed) -> attempt(pieces, seed, Peer.inMemory(service, seed), false));
  }

  @Test
  void everyOptionIsAnsweredOnceOverASocket() {
    Fuzz.run(this::pieces, (pieces, seed) -> attempt(pieces, seed, Peer.overSocket(service), true));
  }

  private List<Piece> pieces(SplittableRandom random) {
    List<Piece> pieces = new ArrayList<>();
    int count = random.nextInt(1, 12);
    for (int i = 0; i < count; i++) {
      pieces.add(piece(random));
      if (random.nextInt(8) == 0) {
        pieces.add(pieces.getLast());
      }
    }
    return pieces;
  }

  private static Piece piece(SplittableRandom random) {
    int option = random.nextInt(16) == 0 ? random.nextInt() : random.nextInt(13);
    // Most cases should go on for a while.
    if ((option == OPT_EXPORT_NAME || option == OPT_ABORT || option == OPT_GO)
        && random.nextInt(3) != 0) {
      option = OPT_INFO;
    }
    byte[] data = random.nextInt(8) == 0 ? bytes(random, 40) : data(random, option);
    switch (random.nextInt(12)) {
      case 0 -> data = Arrays.copyOf(data, random.nextInt(data.length + 1));
      case 1 -> data = Arrays.copyOf(data, data.length + random.nextInt(10));
      case 2 -> {
        if (data.length > 0) {
          data[random.nextInt(data.length)] ^= (byte) (1 << random.nextInt(8));
        }
      }
      case 3 -> {
        if (data.length >= 4) {
          int length = random.nextBoolean() ? -1 : random.nextInt();
          ByteBuffer.wrap(data).putInt(random.nextInt(data.length - 3), length);
        }
      }
      case 4 -> {
        if (random.nextInt(4) == 0) {
          data = new byte[random.nextInt(MAX_SKIPPED + 100)];
        }
      }
      default -> {}
    }
    int claimed = data.length;
    long magic = OPTION_MAGIC;
    switch (random.nextInt(100)) {
      case 0 -> claimed = random.nextInt();
      case 1 -> claimed = random.nextInt(data.length + 20);
      case 2 -> magic ^= 1L << random.nextInt(64);
      default -> {}
    }
    return new Piece(magic, option, claimed, data);
  }

  private static byte[] data(SplittableRandom random, int option) {
    return switch (option) {
      case OPT_EXPORT_NAME -> any(NAMES, random).getBytes(StandardCharsets.UTF_8);
      case OPT_INFO, OPT_GO ->
          RawClient.info(any(NAMES, random), random.ints(random.nextInt(6), 0, 5).toArray());
      case OPT_LIST_META_CONTEXT, OPT_SET_META_CONTEXT -> {
        String[] queries = new String[random.nextInt(4)];
        Arrays.setAll(queries, i -> any(QUERIES, random));
        yield RawClient.contexts(any(NAMES.subList(0, 4), random), queries);
      }
      default -> new byte[0];
    };
  }

  private static <T> T any(List<T> all, SplittableRandom random) {
    return all.get(random.nextInt(all.size()));
  }

  private static byte[] bytes(SplittableRandom random, int most) {
    byte[] bytes = new byte[random.nextInt(most)];
    random.nextBytes(bytes);
    return bytes;
  }

  private void attempt(List<Piece> pieces, long seed, Peer peer, boolean overSocket)
      throws Exception {
    SplittableRandom random = new SplittableRandom(seed);
    int flags = random.nextInt(16) == 0 ? random.nextInt() : random.nextInt(8) == 0 ? 2 : 3;
    ByteArrayOutputStream script = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(script);
    out.writeInt(flags);
    for (Piece piece : pieces) {
      out.writeLong(piece.magic);
      out.writeInt(piece.option);
      out.writeInt(piece.claimed);
      out.write(piece.data);
    }
    try (peer) {
      peer.sendLast(script.toByteArray());
      DataInputStream in = peer.client.in;
      assertThat(in.readNBytes(18)).hasSize(18);
      try {
        check(ByteBuffer.wrap(script.toByteArray()), in);
      } catch (SocketException | EOFException e) {
        // When the server leaves something unread, TCP may drop answers that are on their way.
        if (!overSocket || !mayLeaveSome(flags, pieces)) {
          throw e;
        }
      }
      peer.awaitEnd();
    }
    assertThat(warnings.seen()).isEmpty();
  }

  private static boolean mayLeaveSome(int flags, List<Piece> pieces) {
    return flags != (FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES)
        || pieces.stream().anyMatch(HandshakeFuzzTest::mayEndIt);
  }

  private static boolean mayEndIt(Piece piece) {
    return piece.magic != OPTION_MAGIC
        || piece.claimed != piece.data.length
        || piece.claimed > MAX_SKIPPED
        || Set.of(OPT_EXPORT_NAME, OPT_ABORT, OPT_GO).contains(piece.option);
  }

  /** Follows the script as a server would, but looks only at what comes back. */
  private static void check(ByteBuffer script, DataInputStream in) throws IOException {
    int flags = script.getInt();
    boolean legal = (flags & ~(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES)) == 0;
    while (legal && script.remaining() >= OPTION_HEADER && script.getLong() == OPTION_MAGIC) {
      int option = script.getInt();
      long length = Integer.toUnsignedLong(script.getInt());
      boolean allowed = option == OPT_EXPORT_NAME || (flags & FLAG_FIXED_NEWSTYLE) != 0;
      if (!allowed || length > MAX_SKIPPED || length > script.remaining()) {
        break;
      }
      script.position(script.position() + (int) length);
      if (option == OPT_EXPORT_NAME) {
        int answer = (flags & FLAG_NO_ZEROES) == 0 ? 10 + ZEROES : 10;
        assertThat(in.readNBytes(answer).length).isIn(0, answer);
        // Requests may follow, and their replies: another test's business.
        drain(in);
        return;
      }
      int last = replies(option, length, in);
      boolean left = option == OPT_ABORT || option == OPT_GO;
      if (left && last == REP_ACK) {
        break;
      }
    }
    assertEnded(in);
  }

  private static int replies(int option, long length, DataInputStream in) throws IOException {
    while (true) {
      assertThat(in.readLong()).isEqualTo(REPLY_MAGIC);
      assertThat(in.readInt()).isEqualTo(option);
      int type = in.readInt();
      byte[] data = in.readNBytes(in.readInt());
      switch (type) {
        case REP_ACK -> {
          assertThat(data).isEmpty();
          assertThat(length).isLessThanOrEqualTo(MAX_OPTION);
          return type;
        }
        case REP_SERVER -> assertThat(option).isEqualTo(OPT_LIST);
        case REP_INFO -> assertThat(option).isIn(OPT_INFO, OPT_GO);
        case REP_META_CONTEXT ->
            assertThat(option).isIn(OPT_LIST_META_CONTEXT, OPT_SET_META_CONTEXT);
        default -> {
          assertThat(type).isIn(ERRORS);
          assertThat(data.length).isBetween(1, MAX_STRING);
          String text =
              StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data)).toString();
          assertThat(text).doesNotContain("\0");
          return type;
        }
      }
    }
  }

  private static void assertEnded(DataInputStream in) throws IOException {
    assertThat(in.readAllBytes()).isEmpty();
  }

  private static void drain(DataInputStream in) throws IOException {
    try {
      in.skipNBytes(Long.MAX_VALUE);
    } catch (EOFException e) {
      return;
    }
  }
}
