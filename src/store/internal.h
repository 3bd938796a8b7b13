/* Inside of the disk module: shared by the files disk*.c, by nobody else.
 *
 * disk.c        queues, worker threads, batches of results
 * disk_fd.c     the cache of open files
 * disk_store.c  a torrent's files: paths, folders, what is dirty
 * disk_sys.c    system calls with the fault hook; failures put into words
 * disk_piece.c  WRITE, FINISH, HASH, READ, PREFETCH
 * disk_make.c   CREATE, DELETE
 * disk_sync.c   SYNC, STAT, SPACE
 * disk_scan.c   SCAN
 *
 * Locks: `lock` guards the queues and the done list, `fd_lock` the descriptors,
 * the dirty flags and the reference counts. They are never held together, and
 * no system call is made under either.
 */
#ifndef BTC_STORE_INTERNAL_H
#define BTC_STORE_INTERNAL_H

#include "store/store.h"
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* A worker's buffer. It stays in the second level cache between read and hash;
 * a hot HASH was 10 % slower with twice as much. */
#define DISK_CHUNK_LEN 65536u
/* Most buffers of one pwritev: IOV_MAX of Linux, a piece of 16 MiB at once. */
#define DISK_MAX_IOV 1024
/* The disk's own jobs: they close a store's files away from the loop thread,
 * all or those that are not in use. */
#define DISK_OP_CLOSE (DISK_SPACE + 1)
#define DISK_OP_REST  (DISK_SPACE + 2)
#define DISK_N_OPS    (DISK_SPACE + 3)

/* What is known of a file. */
enum disk_flag {
    DISK_DIRTY = 1,   /* written since the last good SYNC began */
    DISK_SYNCING = 2, /* a SYNC works on it: as dirty as before */
    DISK_LOST = 4,    /* its fdatasync failed as it left the cache */
    DISK_NAMED = 8    /* its folders have been queued for fsync */
};

/* An open file. In the cache (store->fds), or stale: taken out while somebody
 * held a reference. Unreferenced and cached = in the LRU list. */
struct disk_fd {
    struct disk_store *store; /* each reference holds one on the store */
    struct disk_fd *next;     /* LRU (towards newer), or the stale list */
    struct disk_fd *prev;     /* LRU */
    uint32_t file;
    uint32_t refs;
    int fd;
    bool writable;
    bool stale;
};

/* A folder below the save path; index 0 is the save path itself. Parents stand
 * before their children. */
struct disk_dir {
    const char *path; /* borrows a file's path: its first `len` bytes */
    uint32_t len;
    uint32_t parent;
    bool pending; /* the next SYNC fsyncs it; under fd_lock */
};

/* Which file it was when we last had it open for writing or looked at it. */
struct disk_seen {
    uint64_t dev, ino, size;
    int64_t mtime_ns;
    bool known;
};

struct disk_store {
    struct disk *d;
    char *save_path;         /* owns */
    struct disk_file *files; /* owns; their paths lie in `text` */
    char *text;              /* owns */
    uint32_t n_files;
    bool full;
    struct disk_dir *dirs; /* owns */
    uint32_t n_dirs;
    uint32_t *dir_of; /* owns; per file */
    /* Under fd_lock: */
    struct disk_fd **fds;   /* owns; per file, NULL = not open */
    struct disk_fd *stale;  /* those out of the cache that are still in use */
    uint8_t *flags;         /* owns; per file, enum disk_flag */
    struct disk_seen *seen; /* owns; per file */
    uint32_t n_dirty;       /* files with DISK_DIRTY */
    uint32_t n_evicting;    /* dirty files being synced out of the cache */
    uint32_t refs;          /* the owner, jobs, references to descriptors */
};

struct disk_queue {
    struct disk_job *head;
    struct disk_job *tail;
};

/* A thread with what it works with. */
struct disk_worker {
    struct disk *d;
    pthread_t thread;
    bool sync;         /* takes SYNC jobs, and nothing else */
    struct hash *hash; /* owns */
    uint8_t *buf;      /* owns; DISK_CHUNK_LEN */
    struct iovec *iov; /* owns; DISK_MAX_IOV */
};

struct disk {
    struct loop_wakeup *wakeup;
    uint32_t n_threads; /* low jobs that run at once; one worker more stays
                         * free for the others */
    uint32_t n_workers; /* all threads */
    struct disk_worker *workers; /* owns */
    disk_fault_fn *fault;
    void *fault_ctx;

    pthread_mutex_t lock;
    pthread_cond_t work;      /* a job came, or the end */
    pthread_cond_t sync_work; /* the same for the sync thread */
    pthread_cond_t finished;  /* a job is done; only disk_free waits */
    struct disk_queue normal;
    struct disk_queue low;
    struct disk_queue sync;
    struct disk_queue done;
    uint32_t queued; /* submitted, `done` not called yet */
    uint32_t n_low;  /* low jobs that run */
    bool woken;      /* a wake-up is on its way */
    bool stopping;

    pthread_mutex_t fd_lock;
    pthread_cond_t evicted; /* n_evicting of a store went down */
    struct disk_fd *lru_old;
    struct disk_fd *lru_new;
    uint32_t n_open;
    uint32_t max_open;
    uint32_t refs; /* the owner and the stores */
};

/* disk.c */
void disk_unref(struct disk *d); /* frees the memory with the last */

/* disk_fd.c. A descriptor outside of the cache, or -errno. */
int disk_fd_open(struct disk *d, const char *path, int flags);
/* A referenced descriptor; NULL after the job has been failed. */
struct disk_fd *disk_fd_get(struct disk_job *job, uint32_t file, bool write);
void disk_fd_put(struct disk_fd *f); /* NULL allowed */
/* Takes a file out of the cache; it is closed when nobody uses it. */
void disk_fd_drop(struct disk_store *s, uint32_t file);
/* The same, unless it is in use or dirty again. */
void disk_fd_drop_idle(struct disk_store *s, uint32_t file);
void disk_fd_drop_written(struct disk_store *s, uint32_t file); /* only that */
void disk_fd_drop_all(struct disk_store *s);
/* Device and inode of the open file; false when it is not in the cache. */
bool disk_fd_identity(struct disk_store *s, uint32_t file, struct stat *st);

/* disk_store.c */
/* The full path into `out` (PATH_MAX); 0 or -ENAMETOOLONG. */
int disk_store_path(const struct disk_store *s, uint32_t file, char *out);
int disk_store_dir_path(const struct disk_store *s, uint32_t dir, char *out);
/* True when the save path is a folder. */
bool disk_store_has_root(const struct disk_store *s);
/* After each write, before the job is done. */
void disk_store_wrote(struct disk_store *s, uint32_t file);
/* A name was made in the file's folder: that and those above want an fsync. */
void disk_store_named(struct disk_store *s, uint32_t file);
/* Remembers which file it is (NULL: none), and tells another one from it.
 * Device and inode alone are no evidence: some file systems number anew. */
void disk_store_saw(struct disk_store *s, uint32_t file, const struct stat *st);
bool disk_store_is_other(struct disk_store *s, uint32_t file,
                         const struct stat *st);
void disk_store_ref(struct disk_store *s);
void disk_store_unref(struct disk_store *s);

/* disk_sys.c. System calls: a value >= 0, or -errno. EINTR never comes out. */
int disk_sys_fault(struct disk *d, const char *op, const char *path);
int disk_sys_open(struct disk *d, const char *path, int flags);
int disk_sys_fstat(struct disk *d, int fd, const char *path, struct stat *st);
int disk_sys_stat(struct disk *d, const char *path, struct stat *st);
int disk_sys_datasync(struct disk *d, int fd, const char *path);
int disk_sys_fsync(struct disk *d, int fd, const char *path);
/* Bytes read: fewer than `len` only at the end of the file. */
int64_t disk_sys_pread(struct disk *d, int fd, const char *path, void *buf,
                       size_t len, uint64_t off);
/* Writes all; `iov` is used up. */
int disk_sys_pwritev(struct disk *d, int fd, const char *path,
                     struct iovec *iov, int n_iov, uint64_t off);
/* Records a failure in the job, the first one only: code and text from errno
 * and from what the job is for. `path` NULL = that of the file. */
void disk_fail(struct disk_job *job, uint32_t file, const char *path,
               int errnum);
void disk_fail_with(struct disk_job *job, uint32_t file, const char *path,
                    int code, const char *reason);
#define DISK_NO_FILE UINT32_MAX

/* The operations. */
typedef void disk_run_fn(struct disk_worker *w, struct disk_job *job);
disk_run_fn disk_run_create, disk_run_delete;
disk_run_fn disk_run_finish, disk_run_write, disk_run_hash, disk_run_read,
    disk_run_prefetch;
disk_run_fn disk_run_sync, disk_run_stat, disk_run_space, disk_run_scan;

#endif
