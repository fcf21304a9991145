package dev.r3map.bench;

import dev.r3map.Backends;
import dev.r3map.Device;
import dev.r3map.DirectMount;
import dev.r3map.ManagedMount;
import dev.r3map.Region;
import dev.r3map.backend.Backend;
import dev.r3map.backend.MemoryBackend;
import dev.r3map.grpc.GrpcServer;
import dev.r3map.linux.Fuse;
import dev.r3map.linux.FuseOptions;
import dev.r3map.nbd.NbdServer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryType;
import java.lang.management.MemoryUsage;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Serves and mounts what it is told to on its standard input, one command a line, as a user of the
 * library would. Answers {@code ok} and {@code key=value} words, or {@code error}. Ends, with all
 * mounts, when its input does.
 */
final class StationMain {
  private static final Logger GRPC = Logger.getLogger("io.grpc.netty.NettyServerHandler");

  private static final int PIECE = 1 << 20;

  /** As a mount's default. */
  private static final int CHUNK = 256 << 10;

  /** When so much is local, absent chunks are no longer easy to find, and the pull ends soon. */
  private static final double MOST_LOCAL = 0.85;

  private final Map<String, Backend> backends = new HashMap<>();
  private final Map<String, Mounted> mounts = new LinkedHashMap<>();
  private final List<GrpcServer> servers = new ArrayList<>();
  private final List<NbdServer> nbdServers = new ArrayList<>();

  private @Nullable Allocations allocations;

  private record Mounted(Region region, Device device, Local local) {}

  /** Which chunks are local. */
  private static final class Local {
    private final BitSet chunks = new BitSet();

    synchronized void add(long offset) {
      chunks.set((int) (offset / CHUNK));
    }

    synchronized boolean has(int chunk) {
      return chunks.get(chunk);
    }
  }

  private StationMain() {}

  public static void main(String[] args) throws Exception {
    // gRPC warns, with a stack trace, of each reply that nobody waits for any more.
    GRPC.setLevel(Level.OFF);
    // Libraries must not write into the answers.
    PrintStream answers = System.out;
    System.setOut(System.err);
    StationMain station = new StationMain();
    try (BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String answer;
        try {
          answer = "ok " + station.run(line.split(" ", 2)[0], Reply.parse(line));
        } catch (Exception e) {
          answer = "error " + e.toString().replace('\n', ' ');
        }
        answers.println(answer);
        answers.flush();
      }
    } finally {
      station.close();
    }
  }

  private String run(String command, Reply words) throws Exception {
    return switch (command) {
      case "fill" -> fill(words);
      case "open" -> open(words);
      case "serve" -> serve(words);
      case "nbd" -> nbd(words);
      case "hide" -> {
        backends.put(words.text("id"), new Opaque(backend(words)));
        yield "";
      }
      case "mount" -> mount(words);
      case "unmount" -> unmount(words);
      case "close" -> {
        backend(words.text("id")).close();
        backends.remove(words.text("id"));
        yield "";
      }
      case "await" -> await(words);
      case "sync" -> sync(words);
      case "raw" -> raw(words);
      case "channel" -> channel(words);
      case "sample" -> sample(words);
      case "memory" -> memory();
      case "record" -> {
        allocations = Allocations.start();
        yield "";
      }
      case "allocated" -> allocated(words);
      default -> throw new IllegalArgumentException(command);
    };
  }

  /** A backend in memory with the payload in it, wholly or in islands. */
  private String fill(Reply words) throws Exception {
    long size = words.number("size");
    long every = words.number("every", PIECE);
    Payload payload = new Payload(words.number("seed"));
    MemoryBackend backend = MemoryBackend.of(size);
    backends.put(words.text("id"), backend);
    AtomicLong next = new AtomicLong();
    inParallel(
        Runtime.getRuntime().availableProcessors(),
        () -> {
          ByteBuffer piece = ByteBuffer.allocateDirect(PIECE);
          for (long at; (at = next.getAndAdd(every)) < size; ) {
            payload.fill(piece.clear().limit((int) Math.min(PIECE, size - at)), at);
            backend.write(piece.flip(), at);
          }
          return 0L;
        });
    return "";
  }

  private String open(Reply words) throws IOException {
    backends.put(words.text("id"), Backends.open(URI.create(words.text("uri"))));
    return "";
  }

  private String serve(Reply words) throws IOException {
    GrpcServer server =
        GrpcServer.serve(backend(words))
            .listen("127.0.0.1", 0)
            .roundTrip(Duration.ofMillis(words.number("rtt", 0)))
            .start();
    servers.add(server);
    return "uri=" + server.uri();
  }

  private String nbd(Reply words) throws IOException {
    NbdServer.Builder builder = NbdServer.serve(backend(words));
    if (words.has("socket")) {
      builder.listen(Path.of(words.text("socket")));
    }
    if (words.has("certificate")) {
      builder.tls(Path.of(words.text("certificate")), Path.of(words.text("key")));
    }
    NbdServer server = builder.start();
    nbdServers.add(server);
    return "uri=" + server.uri();
  }

  private String mount(Reply words) throws IOException {
    Local local = new Local();
    long start = System.nanoTime();
    Region region = region(words, local);
    long opened = System.nanoTime();
    try {
      FuseOptions options =
          FuseOptions.DEFAULT
              .withPassthrough(!words.text("passthrough", "").equals("false"))
              .withPush(!words.text("push", "").equals("false"));
      Device device = Fuse.attach(region, Path.of(words.text("path")), options);
      long attached = System.nanoTime();
      mounts.put(words.text("id"), new Mounted(region, device, local));
      return "start=%d opened=%d attached=%d".formatted(start, opened, attached);
    } catch (IOException | RuntimeException e) {
      region.close();
      throw e;
    }
  }

  private Region region(Reply words, Local local) throws IOException {
    boolean readOnly = words.flag("ro");
    if (words.text("kind", "managed").equals("direct")) {
      return DirectMount.open(backend(words), readOnly, DirectMount.DEFAULT_IO_TIMEOUT);
    }
    ManagedMount mount =
        ManagedMount.on(backend(words))
            .readOnly(readOnly)
            .chunkSize(CHUNK)
            .onChunkLocal(local::add);
    if (words.has("cache")) {
      mount.cache(Path.of(words.text("cache")));
    }
    if (words.has("workers")) {
      mount.pullWorkers((int) words.number("workers"));
    }
    if (words.has("first")) {
      mount.pullFirst(words.real("first"));
    }
    if (words.has("interval")) {
      mount.pushInterval(Duration.ofSeconds(words.number("interval")));
    }
    return mount.open();
  }

  private String unmount(Reply words) throws IOException {
    Mounted mounted = mounted(words);
    mounts.remove(words.text("id"));
    close(mounted);
    return "";
  }

  private String await(Reply words) throws Exception {
    mounted(words).region().awaitLocal(1, Duration.ofSeconds(100));
    return "end=" + System.nanoTime();
  }

  private String sync(Reply words) throws IOException {
    long start = System.nanoTime();
    mounted(words).region().sync();
    return "ns=" + (System.nanoTime() - start);
  }

  /** Reads a backend itself, by as many workers: what no mount of it can exceed. */
  private String raw(Reply words) throws Exception {
    Backend backend = backend(words);
    long size = Math.min(backend.size(), words.number("bytes"));
    AtomicLong next = new AtomicLong();
    long start = System.nanoTime();
    long sum =
        inParallel(
            (int) words.number("workers"),
            () -> {
              ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
              long total = 0;
              for (long at; (at = next.getAndAdd(CHUNK)) < size; ) {
                backend.read(chunk.clear(), at);
                total += Payload.sum(chunk.flip(), at);
              }
              return total;
            });
    long nanos = System.nanoTime() - start;
    return "mbps=%.1f sum=%016x".formatted(size * 1e3 / nanos, sum);
  }

  /** Opens a region and reads it through its channel, from this process: no kernel in between. */
  private String channel(Reply words) throws Exception {
    long size = words.number("bytes");
    long start = System.nanoTime();
    long sum = 0;
    try (Region region = region(words, new Local());
        FileChannel file = region.file()) {
      ByteBuffer piece = ByteBuffer.allocateDirect(PIECE);
      for (long at = 0; at < size; at += PIECE) {
        piece.clear().limit((int) Math.min(PIECE, size - at));
        file.read(piece, at);
        sum += Payload.sum(piece.flip(), at);
      }
      long nanos = System.nanoTime() - start;
      return "mbps=%.1f sum=%016x".formatted(size * 1e3 / nanos, sum);
    }
  }

  /** How long another process waits for 4 KiB of a chunk that is absent. */
  private String sample(Reply words) throws Exception {
    Mounted mounted = mounted(words);
    Payload payload = new Payload(words.number("seed"));
    int chunks = (int) (mounted.region().size() / CHUNK);
    Random random = new Random(words.number("seed"));
    boolean needsPull = words.flag("pulling");
    List<Long> nanos = new ArrayList<>();
    Process reader =
        new ProcessBuilder(words.text("load"), "at", mounted.device().path().toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (PrintStream ask = new PrintStream(reader.getOutputStream(), true, StandardCharsets.UTF_8);
        BufferedReader answers = reader.inputReader(StandardCharsets.UTF_8)) {
      while (nanos.size() < words.number("count")
          && mounted.region().progress().fractionLocal() < MOST_LOCAL) {
        Thread.sleep(words.number("gap"));
        int chunk = random.nextInt(chunks);
        while (mounted.local().has(chunk)) {
          chunk = random.nextInt(chunks);
        }
        long offset = (long) chunk * CHUNK + random.nextInt(CHUNK / 4096) * 4096L;
        ask.println(offset);
        String line = answers.readLine();
        if (line == null) {
          throw new IOException("the reader ended");
        }
        Reply answer = Reply.parse(line);
        answer.checkSum(payload.sum(offset, 4096), "the mount");
        if (!needsPull || mounted.region().progress().pulling()) {
          nanos.add(answer.number("ns"));
        }
      }
    }
    reader.waitFor();
    return "ns="
        + nanos.stream().map(String::valueOf).collect(Collectors.joining(","))
        + " local="
        + mounted.region().progress().fractionLocal();
  }

  private String allocated(Reply words) throws IOException {
    Allocations recorded = allocations;
    if (recorded == null) {
      throw new IllegalStateException("nothing was recorded");
    }
    return "bytes=" + recorded.stop(words.text("threads"));
  }

  private static String memory() throws IOException {
    System.gc();
    MemoryUsage heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage();
    long peak =
        ManagementFactory.getMemoryPoolMXBeans().stream()
            .filter(pool -> pool.getType() == MemoryType.HEAP)
            .mapToLong(pool -> pool.getPeakUsage().getUsed())
            .sum();
    StringBuilder answer = new StringBuilder();
    answer.append("heap=").append(heap.getUsed()).append(" heapPeak=").append(peak);
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      for (String key : List.of("VmRSS", "VmHWM", "RssAnon", "RssShmem", "Threads")) {
        if (line.startsWith(key + ":")) {
          answer.append(' ').append(key).append('=').append(line.replaceAll("\\D", ""));
        }
      }
    }
    return answer.toString();
  }

  private static long inParallel(int workers, Callable<Long> work)
      throws ExecutionException, InterruptedException {
    long total = 0;
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Long>> all = new ArrayList<>();
      for (int i = 0; i < workers; i++) {
        all.add(threads.submit(work));
      }
      for (Future<Long> one : all) {
        total += one.get();
      }
    }
    return total;
  }

  private Backend backend(Reply words) {
    return backend(words.text("backend"));
  }

  private Backend backend(String id) {
    Backend backend = backends.get(id);
    if (backend == null) {
      throw new IllegalArgumentException("no backend " + id);
    }
    return backend;
  }

  private Mounted mounted(Reply words) {
    Mounted mounted = mounts.get(words.text("id"));
    if (mounted == null) {
      throw new IllegalArgumentException("no mount " + words.text("id"));
    }
    return mounted;
  }

  private static void close(Mounted mounted) throws IOException {
    try {
      mounted.device().close();
    } finally {
      mounted.region().close();
    }
  }

  private void close() throws IOException {
    for (Mounted mounted : mounts.values()) {
      close(mounted);
    }
    for (GrpcServer server : servers) {
      server.close();
    }
    for (NbdServer server : nbdServers) {
      server.close();
    }
    for (Backend backend : backends.values()) {
      backend.close();
    }
  }
}
