/*
 * One file in memory, served by libfuse's low-level API: what a careful C program would do. The
 * same choices as r3map's: mounted over a regular file, requests of up to 1 MiB, no writeback
 * cache, the page cache kept, and answers that go to the kernel straight from the mapping.
 *
 *   memfs SIZE MOUNTPOINT [FUSE OPTION...]      serves in the foreground until it is unmounted
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_TRANSFER (1 << 20)
#define TIMEOUT 3600.0

static char *bytes;
static off_t size;

static void init(void *data, struct fuse_conn_info *conn) {
  (void)data;
  conn->want &= ~(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
  conn->want &= ~FUSE_CAP_AUTO_INVAL_DATA;
  conn->want |= conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO
      | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_EXPLICIT_INVAL_DATA);
  conn->max_read = MAX_TRANSFER;
  conn->max_write = MAX_TRANSFER;
  conn->max_readahead = MAX_TRANSFER;
  conn->max_background = 64;
  conn->congestion_threshold = 48;
}

static struct stat status(void) {
  struct stat st = {0};
  st.st_ino = FUSE_ROOT_ID;
  st.st_mode = S_IFREG | 0644;
  st.st_nlink = 1;
  st.st_size = size;
  st.st_blocks = (size + 511) / 512;
  return st;
}

static void getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
  (void)ino;
  (void)fi;
  struct stat st = status();
  fuse_reply_attr(req, &st, TIMEOUT);
}

static void setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int valid,
                    struct fuse_file_info *fi) {
  (void)attr;
  if ((valid & FUSE_SET_ATTR_SIZE) != 0 && attr->st_size != size) {
    fuse_reply_err(req, EPERM);
  } else {
    getattr(req, ino, fi);
  }
}

static void open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
  (void)ino;
  fi->keep_cache = 1;
  fi->noflush = 1;
  fuse_reply_open(req, fi);
}

static void read_file(fuse_req_t req, fuse_ino_t ino, size_t length, off_t offset,
                      struct fuse_file_info *fi) {
  (void)ino;
  (void)fi;
  size_t n = offset >= size ? 0 : offset + (off_t)length > size ? (size_t)(size - offset) : length;
  /* A single writev(2) of header and mapping. */
  fuse_reply_buf(req, bytes + offset, n);
}

static void write_file(fuse_req_t req, fuse_ino_t ino, const char *data, size_t length,
                       off_t offset, struct fuse_file_info *fi) {
  (void)ino;
  (void)fi;
  if (offset + (off_t)length > size) {
    fuse_reply_err(req, EFBIG);
    return;
  }
  memcpy(bytes + offset, data, length);
  fuse_reply_write(req, length);
}

static void sync_file(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi) {
  (void)ino;
  (void)datasync;
  (void)fi;
  fuse_reply_err(req, 0);
}

static void release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
  (void)ino;
  (void)fi;
  fuse_reply_err(req, 0);
}

static const struct fuse_lowlevel_ops operations = {
    .init = init,
    .getattr = getattr,
    .setattr = setattr,
    .open = open_file,
    .read = read_file,
    .write = write_file,
    .fsync = sync_file,
    .release = release,
};

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: memfs SIZE MOUNTPOINT [FUSE OPTION...]\n");
    return 2;
  }
  size = atoll(argv[1]);
  int fd = memfd_create("memfs", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, size) != 0) {
    perror("memfd");
    return 1;
  }
  bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  char *mountpoint = argv[2];
  struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
  fuse_opt_add_arg(&args, argv[0]);
  fuse_opt_add_arg(&args, "-omax_read=1048576,fsname=memfs,nosuid,nodev");
  for (int i = 3; i < argc; i++) {
    fuse_opt_add_arg(&args, argv[i]);
  }
  struct fuse_session *session = fuse_session_new(&args, &operations, sizeof operations, NULL);
  if (session == NULL || fuse_set_signal_handlers(session) != 0
      || fuse_session_mount(session, mountpoint) != 0) {
    return 1;
  }
  struct fuse_loop_config *config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(config, 0);
  int result = fuse_session_loop_mt(session, config);
  fuse_loop_cfg_destroy(config);
  fuse_session_unmount(session);
  fuse_remove_signal_handlers(session);
  fuse_session_destroy(session);
  return result != 0;
}
