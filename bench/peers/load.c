/*
 * The load of the benchmarks: does one thing to one file and prints what it took, as key=value
 * pairs on a line. Times are CLOCK_MONOTONIC, which is System.nanoTime's clock too, so that those of
 * several processes can be compared.
 *
 *   load fill FILE SIZE SEED               writes the payload of a seed into a file that is there
 *   load sum FILE                          the sum of a file, read in pieces of 1 MiB
 *   load seq FILE BS BYTES [cold] [direct] [sum]     reads from the start
 *   load rand FILE SECONDS COUNT SEED [cold] [direct]   4 KiB preads, no offset twice
 *   load mmapseq FILE BYTES [cold] [twice] touches each page of a fresh mapping
 *   load mmaprand FILE SECONDS COUNT SEED [cold]       touches pages here and there
 *   load write FILE BS BYTES SEED [random] [fsync]     overwrites with the payload of the seed
 *   load at FILE                           for each offset on stdin: 4 KiB read there, its sum
 *   load ready                             for each "SIZE PATH" on stdin: when did stat(2) show it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define MIB (1 << 20)
/* More than one run takes; beyond it, latencies are no longer kept. */
#define MOST_SAMPLES (4 << 20)

static uint32_t *samples;
static size_t sample_count;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* SplitMix64's finalizer; Payload.java has the same functions. */
static uint64_t mix(uint64_t counter) {
  uint64_t z = counter * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

static void payload(char *to, size_t length, uint64_t seed, uint64_t offset) {
  uint64_t base = mix(seed);
  uint64_t index = offset / 8;
  for (size_t at = 0; at < length; at += 8, index++) {
    uint64_t word = mix(base + index) | 0x0101010101010101ULL;
    memcpy(to + at, &word, length - at < 8 ? length - at : 8);
  }
}

/* Adds up, so that the parts of a file may come in any order. The offset is a multiple of 8. */
static uint64_t sum(const char *from, size_t length, uint64_t offset) {
  uint64_t total = 0;
  uint64_t index = offset / 8;
  size_t whole = length / 8 * 8;
  for (size_t at = 0; at < whole; at += 8, index++) {
    uint64_t word;
    memcpy(&word, from + at, 8);
    uint64_t x = (word ^ (index * 0x9E3779B97F4A7C15ULL)) * 0xD6E8FEB86659FD93ULL;
    total += x ^ (x >> 32);
  }
  if (whole < length) {
    uint64_t word = 0;
    memcpy(&word, from + whole, length - whole);
    uint64_t x = (word ^ (index * 0x9E3779B97F4A7C15ULL)) * 0xD6E8FEB86659FD93ULL;
    total += x ^ (x >> 32);
  }
  return total;
}

static void *buffer(size_t length) {
  void *p;
  if (posix_memalign(&p, PAGE, length) != 0) {
    die("memory");
  }
  /* Touched now, not while the clock runs. */
  memset(p, 1, length);
  return p;
}

static int open_file(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0) {
    die(path);
  }
  return fd;
}

static int64_t size_of(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) {
    die("stat");
  }
  return st.st_size;
}

static void forget(int fd) {
  int error = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  if (error != 0) {
    errno = error;
    die("fadvise");
  }
}

static void read_fully(int fd, char *to, size_t length, off_t offset) {
  while (length > 0) {
    ssize_t n = pread(fd, to, length, offset);
    if (n < 0) {
      die("read");
    }
    if (n == 0) {
      fprintf(stderr, "load: end of file at %lld of %lld\n", (long long)offset,
              (long long)size_of(fd));
      exit(1);
    }
    to += n;
    length -= n;
    offset += n;
  }
}

static void write_fully(int fd, const char *from, size_t length, off_t offset) {
  while (length > 0) {
    ssize_t n = pwrite(fd, from, length, offset);
    if (n < 0) {
      die("write");
    }
    from += n;
    length -= n;
    offset += n;
  }
}

static void begin_samples(void) {
  samples = buffer(MOST_SAMPLES * sizeof *samples);
  sample_count = 0;
}

static void sample(int64_t nanos) {
  if (sample_count < MOST_SAMPLES) {
    samples[sample_count++] = nanos > UINT32_MAX ? UINT32_MAX : (uint32_t)nanos;
  }
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a;
  uint32_t y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t percentile(double p) {
  size_t at = (size_t)(p * sample_count);
  return samples[at < sample_count ? at : sample_count - 1];
}

static void print_samples(void) {
  if (sample_count == 0) {
    errno = ENODATA;
    die("samples");
  }
  qsort(samples, sample_count, sizeof *samples, ascending);
  printf(" count=%zu p50=%u p95=%u p99=%u", sample_count, percentile(0.5), percentile(0.95),
         percentile(0.99));
}

static void print_times(int64_t start, int64_t end, uint64_t bytes) {
  printf("start=%lld end=%lld bytes=%llu mbps=%.1f", (long long)start, (long long)end,
         (unsigned long long)bytes, bytes * 1e3 / (end - start));
}

/* The i-th page of a walk that visits each of `pages` once, in no order that can be guessed. */
static uint64_t shuffled(uint64_t i, uint64_t pages, uint64_t seed) {
  uint64_t bits = 1;
  while ((1ULL << (2 * bits)) < pages) {
    bits++;
  }
  uint64_t mask = (1ULL << bits) - 1;
  uint64_t x = i;
  do {
    uint64_t left = x >> bits;
    uint64_t right = x & mask;
    for (int round = 0; round < 3; round++) {
      uint64_t next = left ^ (mix(right + seed * 7 + round) & mask);
      left = right;
      right = next;
    }
    x = (left << bits) | right;
  } while (x >= pages);
  return x;
}

struct options {
  int cold, direct, sum, twice, random, fsync;
};

static struct options options(char **words) {
  struct options o = {0};
  for (; *words != NULL; words++) {
    if (strcmp(*words, "cold") == 0) {
      o.cold = 1;
    } else if (strcmp(*words, "direct") == 0) {
      o.direct = 1;
    } else if (strcmp(*words, "sum") == 0) {
      o.sum = 1;
    } else if (strcmp(*words, "twice") == 0) {
      o.twice = 1;
    } else if (strcmp(*words, "random") == 0) {
      o.random = 1;
    } else if (strcmp(*words, "fsync") == 0) {
      o.fsync = 1;
    } else {
      fprintf(stderr, "load: what is '%s'?\n", *words);
      exit(2);
    }
  }
  return o;
}

static void fill(const char *path, int64_t size, uint64_t seed) {
  int fd = open_file(path, O_WRONLY);
  char *piece = buffer(MIB);
  for (int64_t at = 0; at < size; at += MIB) {
    size_t n = size - at < MIB ? size - at : MIB;
    payload(piece, n, seed, at);
    write_fully(fd, piece, n, at);
  }
  if (close(fd) != 0) {
    die("close");
  }
  puts("ok=1");
}

static void seq(const char *path, size_t bs, int64_t most, struct options o) {
  int fd = open_file(path, O_RDONLY | (o.direct ? O_DIRECT : 0));
  int64_t size = size_of(fd);
  if (most > 0 && most < size) {
    size = most;
  }
  char *piece = buffer(bs);
  if (o.cold) {
    forget(fd);
  }
  uint64_t total = 0;
  int64_t start = now();
  for (int64_t at = 0; at < size; at += bs) {
    size_t n = size - at < (int64_t)bs ? (size_t)(size - at) : bs;
    read_fully(fd, piece, n, at);
    if (o.sum) {
      total += sum(piece, n, at);
    }
  }
  print_times(start, now(), size);
  if (o.sum) {
    printf(" sum=%016llx", (unsigned long long)total);
  }
  puts("");
}

static void rnd(const char *path, double seconds, uint64_t count, uint64_t seed,
                struct options o) {
  int fd = open_file(path, O_RDONLY | (o.direct ? O_DIRECT : 0));
  uint64_t pages = size_of(fd) / PAGE;
  char *piece = buffer(PAGE);
  begin_samples();
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  if (o.cold) {
    forget(fd);
  }
  int64_t start = now();
  int64_t end = start + (int64_t)(seconds * 1e9);
  int64_t before = start;
  uint64_t done = 0;
  for (; (done < count || count == 0) && done < pages && before < end; done++) {
    read_fully(fd, piece, PAGE, shuffled(done, pages, seed) * PAGE);
    int64_t after = now();
    sample(after - before);
    before = after;
  }
  print_times(start, before, done * PAGE);
  printf(" iops=%.0f", done * 1e9 / (before - start));
  print_samples();
  puts("");
}

static const char *map(int fd, size_t length) {
  const char *p = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) {
    die("mmap");
  }
  return p;
}

static void mmapseq(const char *path, int64_t most, struct options o) {
  int fd = open_file(path, O_RDONLY);
  int64_t size = size_of(fd);
  if (most > 0 && most < size) {
    size = most;
  }
  if (o.cold) {
    forget(fd);
  }
  volatile uint64_t sink = 0;
  int64_t start = now();
  const char *p = map(fd, size);
  for (int64_t at = 0; at < size; at += PAGE) {
    sink += p[at];
  }
  if (o.twice) {
    start = now();
    for (int64_t at = 0; at < size; at += PAGE) {
      sink += p[at];
    }
  }
  print_times(start, now(), size);
  puts("");
}

static void mmaprand(const char *path, double seconds, uint64_t count, uint64_t seed,
                     struct options o) {
  int fd = open_file(path, O_RDONLY);
  int64_t size = size_of(fd);
  uint64_t pages = size / PAGE;
  begin_samples();
  if (o.cold) {
    forget(fd);
  }
  const char *p = map(fd, size);
  madvise((void *)p, size, MADV_RANDOM);
  volatile uint64_t sink = 0;
  int64_t start = now();
  int64_t end = start + (int64_t)(seconds * 1e9);
  int64_t before = start;
  uint64_t done = 0;
  for (; (done < count || count == 0) && done < pages && before < end; done++) {
    sink += p[shuffled(done, pages, seed) * PAGE];
    int64_t after = now();
    sample(after - before);
    before = after;
  }
  print_times(start, before, done * PAGE);
  printf(" iops=%.0f", done * 1e9 / (before - start));
  print_samples();
  puts("");
}

static void write_file(const char *path, size_t bs, int64_t most, uint64_t seed,
                       struct options o) {
  int fd = open_file(path, O_WRONLY);
  int64_t size = size_of(fd) / (int64_t)bs * bs;
  if (most > 0 && most < size) {
    size = most / (int64_t)bs * bs;
  }
  char *bytes = buffer(size);
  payload(bytes, size, seed, 0);
  begin_samples();
  uint64_t count = size / bs;
  int64_t start = now();
  int64_t before = start;
  for (uint64_t i = 0; i < count; i++) {
    int64_t at = (o.random ? shuffled(i, count, seed) : i) * bs;
    write_fully(fd, bytes + at, bs, at);
    int64_t after = now();
    sample(after - before);
    before = after;
  }
  print_times(start, before, size);
  print_samples();
  if (o.fsync) {
    if (fsync(fd) != 0) {
      die("fsync");
    }
    printf(" fsync=%lld", (long long)(now() - before));
  }
  puts("");
}

static void at(const char *path) {
  int fd = open_file(path, O_RDONLY);
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  char *piece = buffer(PAGE);
  long long offset;
  while (scanf("%lld", &offset) == 1) {
    int64_t start = now();
    read_fully(fd, piece, PAGE, offset);
    int64_t end = now();
    printf("ns=%lld sum=%016llx\n", (long long)(end - start),
           (unsigned long long)sum(piece, PAGE, offset));
    fflush(stdout);
  }
}

static void ready(void) {
  static char path[PAGE];
  long long size;
  while (scanf("%lld %4095s", &size, path) == 2) {
    struct stat st;
    int64_t give_up = now() + 30000000000LL;
    while ((stat(path, &st) != 0 || st.st_size != size) && now() < give_up) {
      /* Often enough to see it, and not so often as to take the processor that it needs. */
      usleep(100);
    }
    int64_t shown = now();
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int ok = fd >= 0 && pread(fd, &byte, 1, 0) == 1;
    int64_t read = now();
    if (fd >= 0) {
      close(fd);
    }
    printf("ok=%d stat=%lld read=%lld\n", ok && shown < give_up, (long long)shown,
           (long long)read);
    fflush(stdout);
  }
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  const char *path = argc > 2 ? argv[2] : "";
  if (strcmp(what, "fill") == 0 && argc == 5) {
    fill(path, atoll(argv[3]), strtoull(argv[4], NULL, 10));
  } else if (strcmp(what, "sum") == 0 && argc == 3) {
    seq(path, MIB, 0, (struct options){.sum = 1});
  } else if (strcmp(what, "seq") == 0 && argc >= 5) {
    seq(path, atoll(argv[3]), atoll(argv[4]), options(argv + 5));
  } else if (strcmp(what, "rand") == 0 && argc >= 6) {
    rnd(path, atof(argv[3]), atoll(argv[4]), atoll(argv[5]), options(argv + 6));
  } else if (strcmp(what, "mmapseq") == 0 && argc >= 4) {
    mmapseq(path, atoll(argv[3]), options(argv + 4));
  } else if (strcmp(what, "mmaprand") == 0 && argc >= 6) {
    mmaprand(path, atof(argv[3]), atoll(argv[4]), atoll(argv[5]), options(argv + 6));
  } else if (strcmp(what, "write") == 0 && argc >= 6) {
    write_file(path, atoll(argv[3]), atoll(argv[4]), strtoull(argv[5], NULL, 10),
               options(argv + 6));
  } else if (strcmp(what, "at") == 0 && argc == 3) {
    at(path);
  } else if (strcmp(what, "ready") == 0 && argc == 2) {
    ready();
  } else {
    fprintf(stderr, "usage: load fill|sum|seq|rand|mmapseq|mmaprand|write|at|ready ...\n");
    return 2;
  }
  return 0;
}
