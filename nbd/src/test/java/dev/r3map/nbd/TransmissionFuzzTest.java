package dev.r3map.nbd;

import static dev.r3map.nbd.FuzzSetup.MAX_TRANSFER;
import static dev.r3map.nbd.FuzzSetup.SIZE;
import static dev.r3map.nbd.FuzzSetup.SLOT;
import static dev.r3map.nbd.FuzzSetup.SLOTS;
import static dev.r3map.nbd.protocol.Handshake.*;
import static dev.r3map.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.r3map.backend.MemoryBackend;
import dev.r3map.nbd.FuzzedRequest.Terms;
import dev.r3map.nbd.server.Service;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Whatever requests come, each gets one reply in the form that was agreed on, with the bytes that a
 * model has or an error that there is a reason for; what cannot be answered ends the connection.
 */
@Timeout(7200)
class TransmissionFuzzTest {
  private static final long[] EXTREMES = {
    0,
    1,
    -1,
    SIZE - 1,
    SIZE,
    SIZE + 1,
    SIZE + 1000,
    Integer.MAX_VALUE,
    1L << 31,
    0xffffffffL,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    Long.MIN_VALUE + SIZE,
    -SIZE,
    MAX_TRANSFER + 1,
    (64 << 20) + 1
  };

  @Test
  void everyRequestIsAnsweredOnceInMemory() {
    Fuzz.run(
        TransmissionFuzzTest::requests,
        (requests, seed) -> attempt(requests, seed, service -> Peer.inMemory(service, seed)));
  }

  @Test
  void everyRequestIsAnsweredOnceOverASocket() {
    Fuzz.run(
        TransmissionFuzzTest::requests,
        (requests, seed) -> attempt(requests, seed, Peer::overSocket));
  }

  @Test
  void nothingIsLeftBehindByAConnectionThatBreaks() {
    Fuzz.run(TransmissionFuzzTest::requests, TransmissionFuzzTest::breakOff);
  }

  @Test
  void aPayloadIsGivenBackWhenTheReplyBeforeItCannotBeSent() throws Exception {
    FuzzSetup setup = new FuzzSetup(0, false, false, true, 0);
    FuzzedRequest refused = new FuzzedRequest(0, 99, 0, 0, 0, 0, 0);
    FuzzedRequest write = new FuzzedRequest(0, CMD_WRITE, 0, 0, 4096, 4096, 0);
    ByteArrayOutputStream both = new ByteArrayOutputStream();
    both.writeBytes(refused.encode(1, setup.terms()));
    both.writeBytes(write.encode(2, setup.terms()));
    // With some of these seeds the server reads both at once.
    for (long seed = 0; seed < 20; seed++) {
      MemoryWire wire = new MemoryWire(seed, Long.MAX_VALUE);
      try (MemoryBackend memory = MemoryBackend.of(SIZE);
          Peer peer = Peer.through(wire, setup.serve(memory, seed))) {
        negotiate(peer.client, setup);
        wire.breakOff();
        peer.sendLast(both.toByteArray());
        peer.awaitEnd();
      }
    }
  }

  private static void breakOff(List<FuzzedRequest> requests, long seed) throws Exception {
    FuzzSetup setup = FuzzSetup.of(seed);
    try (MemoryBackend memory = MemoryBackend.of(SIZE);
        Warnings warnings = new Warnings()) {
      Service service = setup.serve(memory, seed);
      long after = 100L + new SplittableRandom(seed).nextInt(300_000);
      try (Peer peer = Peer.breaking(service, seed, after)) {
        negotiate(peer.client, setup);
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (FuzzedRequest request : requests) {
          all.writeBytes(fit(request, setup.terms()).encode(request.seed(), setup.terms()));
        }
        peer.sendLast(all.toByteArray());
        peer.awaitEnd();
      } catch (EOFException e) {
        // It broke during the handshake.
      }
      assertThat(warnings.seen()).isEmpty();
    }
  }

  private static List<FuzzedRequest> requests(SplittableRandom random) {
    List<FuzzedRequest> requests = new ArrayList<>();
    int batches = random.nextInt(1, 10);
    int batch = 0;
    for (int i = 0; i < batches; i++) {
      batch++;
      for (int slot = 0; slot < SLOTS; slot++) {
        if (random.nextInt(3) == 0) {
          continue;
        }
        if (random.nextInt(5) == 0) {
          // It may be good by chance, and then touch what others do.
          batch++;
          requests.add(mutated(random, usual(random, batch, slot)));
          batch++;
        } else {
          requests.add(usual(random, batch, slot));
        }
      }
    }
    return requests;
  }

  /** Good for every setup that has the command, and keeps to its slot. */
  private static FuzzedRequest usual(SplittableRandom random, int batch, int slot) {
    int type = List.of(0, 0, 1, 1, 3, 4, 5, 6, 6, 7).get(random.nextInt(10));
    if (type == CMD_FLUSH) {
      return new FuzzedRequest(batch, type, 0, 0, 0, 0, 0);
    }
    int unit = random.nextInt(3) == 0 ? 1 : 512;
    int from = random.nextInt(SLOT / unit) * unit;
    int length = Math.min(SLOT - from, (1 + random.nextInt(MAX_TRANSFER / unit)) * unit);
    int flags = random.nextInt(4) == 0 ? CMD_FLAG_FUA : 0;
    flags |=
        switch (type) {
          case CMD_READ -> random.nextInt(4) == 0 ? CMD_FLAG_DF : 0;
          case CMD_WRITE_ZEROES ->
              random.nextInt(4) * CMD_FLAG_NO_HOLE & (CMD_FLAG_NO_HOLE | CMD_FLAG_FAST_ZERO);
          case CMD_BLOCK_STATUS ->
              random.nextInt(2) * CMD_FLAG_REQ_ONE | random.nextInt(2) * CMD_FLAG_PAYLOAD_LEN;
          case CMD_WRITE -> CMD_FLAG_PAYLOAD_LEN;
          default -> 0;
        };
    int payload = type == CMD_WRITE ? length : 0;
    if (type == CMD_BLOCK_STATUS && (flags & CMD_FLAG_PAYLOAD_LEN) != 0) {
      payload = length = 12;
    }
    long offset = (long) slot * SLOT + from;
    return new FuzzedRequest(batch, type, flags, offset, length, payload, random.nextLong());
  }

  private static FuzzedRequest mutated(SplittableRandom random, FuzzedRequest of) {
    int type = of.type();
    int flags = of.flags();
    long offset = of.offset();
    long length = of.length();
    switch (random.nextInt(6)) {
      case 0 -> type = random.nextInt(4) == 0 ? random.nextInt(1 << 16) : random.nextInt(9);
      case 1 -> flags ^= 1 << random.nextInt(16);
      case 2 -> offset = EXTREMES[random.nextInt(EXTREMES.length)];
      case 3 -> length = random.nextInt(4) == 0 ? 0 : EXTREMES[random.nextInt(EXTREMES.length)];
      case 4 -> {
        offset = random.nextInt(SIZE + 10);
        length = SIZE - offset;
      }
      default -> {
        offset = random.nextLong();
        length = random.nextLong();
      }
    }
    return new FuzzedRequest(of.batch(), type, flags, offset, length, of.payload(), of.seed());
  }

  /** Makes it fit the headers, as a client would that is wrong in nothing else. */
  private static FuzzedRequest fit(FuzzedRequest of, Terms terms) {
    long length = terms.extended() ? of.length() : of.length() & 0xffffffffL;
    int flags = of.flags();
    int most = 200_000;
    if (!terms.extended() && of.type() == CMD_WRITE) {
      flags &= ~CMD_FLAG_PAYLOAD_LEN;
    }
    if (!terms.extended() && of.type() == CMD_BLOCK_STATUS && length == 12) {
      flags &= ~CMD_FLAG_PAYLOAD_LEN;
      length = 512;
    }
    if (!terms.structured()) {
      flags &= ~CMD_FLAG_DF;
    }
    FuzzedRequest fitted =
        new FuzzedRequest(of.batch(), of.type(), flags, of.offset(), length, 0, of.seed());
    long announced = fitted.announced(terms);
    // What is longer is not sent, and makes the server wait for it until the connection ends.
    int payload = announced < 0 || announced > most ? 0 : (int) announced;
    return new FuzzedRequest(of.batch(), of.type(), flags, of.offset(), length, payload, of.seed());
  }

  private interface Connect {
    Peer to(Service service) throws IOException;
  }

  private static void attempt(List<FuzzedRequest> requests, long seed, Connect connect)
      throws Exception {
    FuzzSetup setup = FuzzSetup.of(seed);
    Terms terms = setup.terms();
    byte[] model = new byte[SIZE];
    try (MemoryBackend memory = MemoryBackend.of(SIZE);
        Warnings warnings = new Warnings()) {
      Service service = setup.serve(memory, seed);
      try (Peer peer = connect.to(service)) {
        negotiate(peer.client, setup);
        List<FuzzedRequest> all = requests.stream().map(one -> fit(one, terms)).toList();
        boolean goes = true;
        for (int from = 0; from < all.size() && goes; ) {
          int to = from;
          while (to < all.size() && all.get(to).batch() == all.get(from).batch()) {
            to++;
          }
          goes = exchange(peer, all.subList(from, to), setup, model, memory);
          from = to;
        }
        peer.sendLast(new byte[0]);
        peer.awaitEnd();
        assertThat(peer.client.in.read()).isEqualTo(-1);
      }
      byte[] stored = new byte[SIZE];
      memory.read(ByteBuffer.wrap(stored), 0);
      assertThat(Arrays.mismatch(stored, model)).as("bytes of the backend").isEqualTo(-1);
      assertThat(warnings.seen()).isEmpty();
    }
  }

  private static void negotiate(RawClient client, FuzzSetup setup) throws IOException {
    client.greet(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
    if (setup.headers() != 0) {
      client.ask(setup.headers());
      client.ack();
    }
    if (setup.allocation()) {
      client.ask(OPT_SET_META_CONTEXT, RawClient.contexts("", "base:allocation"));
      client.ack();
    }
    client.go("");
  }

  /** Sends a batch, and takes all replies; false if the connection ends by it. */
  private static boolean exchange(
      Peer peer, List<FuzzedRequest> batch, FuzzSetup setup, byte[] model, MemoryBackend memory)
      throws Exception {
    Terms terms = setup.terms();
    Map<Long, FuzzedReply> replies = new HashMap<>();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    boolean ends = false;
    for (FuzzedRequest request : batch) {
      long cookie = request.seed() + replies.size();
      out.writeBytes(request.encode(cookie, terms));
      if (!request.isAnswerable(terms)) {
        ends = true;
        break;
      }
      replies.put(cookie, new FuzzedReply(request, terms));
    }
    if (ends) {
      peer.sendLast(out.toByteArray());
      // It is alone in its batch, and no answer may come.
      assertThat(peer.client.in.read()).isEqualTo(-1);
      return false;
    }
    peer.send(out.toByteArray());
    for (int left = replies.size(); left > 0; ) {
      FuzzedReply reply = FuzzedReply.next(peer.client.in, terms, replies::get);
      if (reply.done) {
        check(reply, setup, model, memory);
        left--;
      }
    }
    return true;
  }

  private static void check(FuzzedReply reply, FuzzSetup setup, byte[] model, MemoryBackend memory)
      throws IOException {
    FuzzedRequest request = reply.request;
    Set<Integer> errors = request.errors(setup.terms());
    if (reply.error != 0) {
      if (!errors.contains(reply.error)) {
        assertThat(setup.faults()).as("%s failed by %d", request, reply.error).isPositive();
        assertThat(reply.error).isIn(EIO, EINVAL, ENOMEM);
      }
      return;
    }
    assertThat(errors).as("%s was done", request).isEmpty();
    reply.checkComplete();
    int from = (int) request.offset();
    int to = from + (int) request.length();
    switch (request.type()) {
      case CMD_READ ->
          assertThat(Arrays.equals(reply.data, 0, reply.data.length, model, from, to))
              .as("what %s has read", request)
              .isTrue();
      case CMD_WRITE -> System.arraycopy(request.bytes(), 0, model, from, to - from);
      case CMD_WRITE_ZEROES -> Arrays.fill(model, from, to, (byte) 0);
      case CMD_TRIM -> trim(from, to, model, memory);
      default -> {}
    }
  }

  /** Every byte is zero now, or what it was. */
  private static void trim(int from, int to, byte[] model, MemoryBackend memory)
      throws IOException {
    byte[] now = new byte[to - from];
    memory.read(ByteBuffer.wrap(now), from);
    for (int i = 0; i < now.length; i++) {
      assertThat(now[i] == 0 || now[i] == model[from + i]).isTrue();
    }
    System.arraycopy(now, 0, model, from, now.length);
  }
}
