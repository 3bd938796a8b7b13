/* What the files of the store share. Nobody else includes this.
 *
 * From the top down; a file calls those below it:
 *
 *   workers.c  queues, worker threads, batches of results
 *   silent.c   workers whose drive does not answer
 *   warm.c     what can be sent without waiting
 *   piece.c    WRITE, FINISH, HASH, READ, PREFETCH
 *   sync.c     SYNC, STAT, SPACE
 *   scan.c     SCAN, LOOK
 *   parts.c    CREATE; create.c: one file of it; delete.c: DELETE
 *   made.c     what a CREATE that was killed has made
 *   fds.c      the cache of open files, and who keeps a tree alive
 *   fail.c     failures in words
 *   tree.c     a torrent's files: paths, folders, what is not yet synced
 *   holds.c    which files are in use by whom
 *   left.c     what our own writes left, to tell those of others
 *   own.c      the journal's files, which are never payload
 *   sys.c      system calls with the fault hook
 *
 * Locks: `lock` guards the queues, `fd_lock` the descriptors, the dirty flags
 * and the reference counts. They are never held together, and no system call is
 * made under either.
 */
#ifndef BTC_STORE_INTERNAL_H
#define BTC_STORE_INTERNAL_H

#include "store/holds.h"
#include "store/home.h"
#include "store/lane.h"
#include "store/left.h"
#include "store/own.h"
#include "store/store.h"
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* A worker's buffer. It stays in the second level cache between read and hash;
 * a hot HASH was 10 % slower with twice as much. */
#define STORE_CHUNK_LEN 65536u
/* Most buffers of one pwritev: IOV_MAX of Linux, a piece of 16 MiB at once. */
#define STORE_MAX_IOV 1024
/* Close files away from the loop thread, all or those that are not in use. */
#define STORE_OP_CLOSE (STORE_SPACE + 1)
#define STORE_OP_REST  (STORE_SPACE + 2)
#define STORE_N_OPS    (STORE_SPACE + 3)

/* What is known of a file. */
enum store_flag {
    STORE_DIRTY = 1,   /* written since the last good SYNC began */
    STORE_SYNCING = 2, /* a SYNC works on it: as dirty as before */
    STORE_LOST = 4,    /* its fdatasync failed as it left the cache */
    STORE_NAMED = 8,   /* its folders have been queued for fsync */
    STORE_WRITES = 16, /* it is held, and no other tree may use it */
    STORE_ABSENT = 32, /* the last STAT found nothing, CREATE made nothing */
    STORE_MADE = 64    /* the last STAT found it: see store_tree_is_made */
};

/* An open file. In the cache (store->fds), or stale: taken out while somebody
 * held a reference. Unreferenced and cached = in the LRU list. */
struct store_fd {
    struct store_tree *store; /* each reference holds one on the store */
    struct store_fd *next;    /* LRU (towards newer), or the stale list */
    struct store_fd *prev;    /* LRU */
    uint32_t file;
    uint32_t refs;
    int fd;
    bool writable;
    bool stale;
};

/* A folder below the save path; index 0 is the save path itself. Parents stand
 * before their children. */
struct store_dir {
    const char *path; /* borrows a file's path: its first `len` bytes */
    uint32_t len;
    uint32_t parent;
    /* Under fd_lock: */
    bool pending; /* the next SYNC fsyncs it */
    bool made;    /* by a CREATE */
};

/* A file of a tree. */
struct store_node {
    const char *path; /* in the tree's `text` */
    uint32_t dir;     /* its folder */
    bool full;        /* it gets all its blocks at once */
    bool executable;
};

struct store_tree {
    struct store *d;
    uint32_t lane;              /* of its SYNCs; the loop thread's */
    uint32_t drive;             /* as the caller numbers them; under `lock` */
    char *save_path;            /* owns */
    struct store_node *files;   /* owns */
    struct layout_file *layout; /* owns; per file */
    const char **links;         /* owns; per file, NULL: none is a link */
    struct store_from *froms;   /* owns; per file, NULL: each is at its path */
    char *text;                 /* owns; what the members above lead to */
    uint32_t n_files;
    struct store_dir *dirs; /* owns */
    uint32_t n_dirs;
    struct store_homes homes; /* owns */
    /* Under fd_lock: */
    struct store_fd **fds;    /* owns; per file, NULL = not open; or NULL */
    struct store_fd *stale;   /* those out of the cache that are still in use */
    uint8_t *flags;           /* owns; per file, enum store_flag */
    struct store_seen *seen;  /* owns; per file */
    struct store_busy *busy;  /* owns; per file */
    struct store_hold *holds; /* owns; per file, NULL: none is held */
    char *label;              /* owns; who it is, or NULL */
    char **forbids;      /* owns, the texts, too; per file why, NULL: none is */
    uint32_t n_dirty;    /* files with STORE_DIRTY */
    uint32_t n_evicting; /* dirty files being synced out of the cache */
    uint32_t refs;       /* the owner, jobs, references to descriptors */
};

struct store {
    struct loop_wakeup *wakeup;
    struct store_own *own; /* owns; NULL: there is no journal */
    uint32_t n_threads;    /* low jobs that run at once; one worker more stays
                            * free for the others */
    uint32_t n_workers;    /* threads that take all but SYNC */
    struct store_worker *workers;             /* owns */
    struct store_lane lanes[STORE_MAX_LANES]; /* the first one always runs */
    struct {
        store_fault_fn *fn;
        void *ctx;
    } fault;

    pthread_mutex_t lock;
    struct {
        struct store_queue parked; /* for drives on which a worker is silent */
        uint32_t n;                /* workers whose drives do not answer */
        pthread_key_t self;        /* the worker of a thread */
    } silent;
    pthread_cond_t work;     /* a job came, or the end */
    pthread_cond_t finished; /* a job is done; only store_free waits */
    struct store_queue normal;
    struct store_queue low;
    struct store_queue done;
    uint32_t queued; /* submitted, `done` not called yet */
    uint32_t n_low;  /* low jobs that run */
    bool woken;      /* a wake-up is on its way */
    bool stopping;

    pthread_mutex_t fd_lock;
    pthread_cond_t evicted; /* n_evicting of a store went down */
    struct store_holds holds;
    struct {
        struct store_fd *old;
        struct store_fd *new;
    } lru; /* descriptors that nobody uses */
    uint32_t n_open;
    struct store_room room;
    uint32_t refs; /* the owner and the stores */
};

/* Errnos that no file gives: a file of the journal; one that somebody else has
 * written to. */
#define STORE_E_OWN       EDOTDOT
#define STORE_E_TOUCHED   ELIBSCN
#define STORE_LINK_REASON "is a link, and no link is written through"

/* fds.c. A descriptor outside of the cache, or -errno (STORE_E_OWN, too). */
int store_fd_open(struct store *d, const char *path, int flags);
/* A referenced descriptor; NULL after the job has been failed. */
struct store_fd *store_fd_get(struct store_job *job, uint32_t file, bool write);
void store_fd_put(struct store_fd *f); /* NULL allowed */
/* Takes a file out of the cache; it is closed when nobody uses it. */
void store_fd_drop(struct store_tree *s, uint32_t file);
/* The same, unless it is in use or dirty again. */
void store_fd_drop_idle(struct store_tree *s, uint32_t file);
void store_fd_drop_written(struct store_tree *s, uint32_t file); /* only that */
/* The descriptor of a file that stands open for reading, referenced, or NULL:
 * nothing is opened, so the loop may call it. */
struct store_fd *store_fd_peek(struct store_tree *s, uint32_t file);
void store_fd_drop_all(struct store_tree *s);
/* One reference less; the last one frees: a tree closes what stands open first.
 */
void store_tree_unref(struct store_tree *s);
void store_unref(struct store *d);
/* Device and inode of the open file; false when it is not in the cache. */
bool store_fd_identity(struct store_tree *s, uint32_t file, struct stat *st);

/* tree.c. Where it lies until it is moved; NULL: none. */
const char *store_tree_from(const struct store_tree *s, uint32_t file);
/* The full path into `out` (PATH_MAX); 0 or -ENAMETOOLONG. */
int store_tree_path(const struct store_tree *s, uint32_t file, char *out);
int store_tree_from_path(const struct store_tree *s, uint32_t file, char *out);
int store_tree_dir_path(const struct store_tree *s, uint32_t dir, char *out);
/* True when the save path is a folder. */
bool store_tree_has_root(const struct store_tree *s);
/* After each write, before the job is done. */
void store_tree_wrote(struct store_tree *s, uint32_t file);
/* A name was made in the file's folder: that and those above want an fsync. */
void store_tree_named(struct store_tree *s, uint32_t file);
/* Remembers which file it is (NULL: none), and tells another one from it.
 * A file with another number is the same only when size and all times are the
 * same: some file systems number anew, and no copy keeps its ctime. */
void store_tree_saw(struct store_tree *s, uint32_t file, const struct stat *st);
bool store_tree_has_seen(struct store_tree *s, uint32_t file);
void store_tree_set_absent(struct store_tree *s, uint32_t file, bool absent);
bool store_tree_is_absent(struct store_tree *s, uint32_t file);
bool store_tree_is_other(struct store_tree *s, uint32_t file, const char *path,
                         const struct stat *st);
void store_tree_label(struct store_tree *s, const char *label);
void store_tree_ref(struct store_tree *s);
void store_tree_dispose(struct store_tree *s); /* the memory */

/* sys.c. System calls: a value >= 0, or -errno. EINTR never comes out. */
int store_sys_fault(struct store *d, const char *op, const char *path);
int64_t store_sys_time_ns(const struct timespec *t); /* since the epoch */
struct fingerprint store_sys_print(const struct stat *st);
int store_sys_open(struct store *d, const char *path, int flags);
int store_sys_fstat(struct store *d, int fd, const char *path, struct stat *st);
int store_sys_stat(struct store *d, const char *path, struct stat *st);
int store_sys_look(struct store *d, const char *path, int flags,
                   struct stat *st, int64_t *born_ns);
int store_sys_datasync(struct store *d, int fd, const char *path);
void store_sys_forget(int fd); /* drops the file from the page cache */
int store_sys_fsync(struct store *d, int fd, const char *path);
/* Bytes read: fewer than `len` only at the end of the file. */
int64_t store_sys_pread(struct store *d, int fd, const char *path, void *buf,
                        size_t len, uint64_t off);
/* Writes all; `iov` is used up. */
int store_sys_pwritev(struct store *d, int fd, const char *path,
                      struct iovec *iov, int n_iov, uint64_t off);

/* fail.c. Records a failure in the job, the first one only: code and text from
 * errno and from what the job is for. `path` NULL = that of the file. */
void store_fail(struct store_job *job, uint32_t file, const char *path,
                int errnum);
void store_fail_with(struct store_job *job, uint32_t file, const char *path,
                     int code, const char *reason);
#define STORE_NO_FILE UINT32_MAX

/* create.c: a file with a `from` is moved; false: the job has failed. */
bool store_take(struct store_job *job, uint32_t file);

typedef void store_run_fn(struct store_worker *w, struct store_job *job);
store_run_fn store_run_create, store_run_delete, store_run_look,
    store_run_finish, store_run_write, store_run_hash, store_run_read,
    store_run_prefetch, store_run_sync, store_run_stat, store_run_space,
    store_run_scan;

#endif
