/* Uses a file through mmap(2) alone, and says what came of it on standard output. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what) {
  printf("%s: %s\n", what, strerror(errno));
  return 1;
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const unsigned char *bytes, size_t length) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < length; i++) {
    h = (h ^ bytes[i]) * 0x100000001b3u;
  }
  return h;
}

/*
 * mapper hash FILE                        prints the hash of the whole file
 * mapper fill FILE OFFSET LENGTH BYTE     stores bytes and msyncs them
 * mapper scribble FILE                    fills a private mapping, which nobody else sees
 */
int main(int argc, char **argv) {
  if (argc < 3) {
    return 2;
  }
  int writes = strcmp(argv[1], "fill") == 0;
  int private = strcmp(argv[1], "scribble") == 0;
  int fd = open(argv[2], writes ? O_RDWR : O_RDONLY);
  if (fd < 0) {
    return fail("open");
  }
  struct stat status;
  if (fstat(fd, &status) != 0) {
    return fail("fstat");
  }
  size_t size = (size_t)status.st_size;
  unsigned char *bytes = mmap(NULL, size, writes || private ? PROT_READ | PROT_WRITE : PROT_READ,
                              private ? MAP_PRIVATE : MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) {
    return fail("mmap");
  }
  if (writes) {
    memset(bytes + strtoull(argv[3], NULL, 10), atoi(argv[5]), strtoull(argv[4], NULL, 10));
    if (msync(bytes, size, MS_SYNC) != 0) {
      return fail("msync");
    }
  } else if (private) {
    memset(bytes, 'x', size);
  }
  printf("%016" PRIx64 "\n", hash(bytes, size));
  return munmap(bytes, size) != 0 || close(fd) != 0 ? fail("end") : 0;
}
