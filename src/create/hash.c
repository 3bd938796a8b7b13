/* Hashes the pieces of a new torrent on several threads.
 *
 * The threads take turns: whoever holds the lock reads the next piece, which
 * may span files, into a buffer of its own and then hashes it without the lock.
 * So the disk sees one sequential reader and one open file, and the hashing,
 * which is what costs, uses all cores.
 *
 * A file must be, from the first byte read to the last, what the walk found: a
 * changed size or time of change ends the work, for its torrent would be of
 * content that never was.
 */
#include "create/internal.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Memory for all threads' pieces together; one piece is always allowed. */
#define CREATE_HASH_MEMORY      (256u << 20)
#define CREATE_HASH_THREADS_MAX 64u
/* How often the caller hears of progress. */
#define CREATE_HASH_TICK_NS 100000000

struct create_hasher {
    const struct create_job *job; /* borrows */
    pthread_mutex_t lock;         /* guards everything below */
    pthread_cond_t changed;       /* n_running went down */
    uint32_t n_running;           /* threads at work */
    uint32_t piece;               /* the next to be read */
    uint32_t file;                /* that the next byte is in */
    int fd;                       /* of `file`, or -1 */
    uint64_t offset;              /* in `file` */
    uint64_t done;                /* bytes hashed */
    bool stop;                    /* cancelled or failed */
    struct err err;               /* why */
};

static const struct create_file *create_hash_file(const struct create_hasher *h)
{
    return &h->job->list->files[h->file];
}

/* Ends the work with a message about the file that is being read. */
static void create_hash_fail(struct create_hasher *h, int errno_value)
{
    char *path = create_file_path(h->job->root, create_hash_file(h));

    h->stop = true;
    if (errno_value != 0) {
        (void)err_set_errno(&h->err, errno_value, "cannot read '%s'", path);
    } else {
        (void)err_set(&h->err, BTC_E_SHORT,
                      "'%s' changed while it was read; try again when it is "
                      "finished",
                      path);
    }
    free(path);
}

/* Checks that the open file is still what the walk found. */
static void create_hash_check(struct create_hasher *h)
{
    const struct create_file *file = create_hash_file(h);
    struct stat st;

    if (fstat(h->fd, &st) != 0) {
        create_hash_fail(h, errno);
    } else if ((uint64_t)st.st_size != file->length ||
               create_mtime_ns(&st) != file->mtime_ns) {
        create_hash_fail(h, 0);
    }
}

static void create_hash_open(struct create_hasher *h)
{
    char *path = create_file_path(h->job->root, create_hash_file(h));
    /* O_NONBLOCK: what was a file may be a pipe by now. */
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

    if (h->job->list->multi_file) {
        flags |= O_NOFOLLOW; /* only the root may be a link */
    }
    h->fd = open(path, flags);
    h->offset = 0;
    if (h->fd < 0) {
        create_hash_fail(h, errno);
    } else {
        (void)posix_fadvise(h->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        create_hash_check(h);
    }
    free(path);
}

static void create_hash_close(struct create_hasher *h)
{
    if (h->fd >= 0) {
        close(h->fd);
        h->fd = -1;
    }
}

/* Reads up to `len` bytes of the current file; what it gave is 0 when the work
 * must end. */
static size_t create_hash_read_file(struct create_hasher *h, uint8_t *dst,
                                    size_t len)
{
    uint64_t left = create_hash_file(h)->length - h->offset;
    ssize_t n;

    if (len > left) {
        len = (size_t)left;
    }
    do {
        n = pread(h->fd, dst, len, (off_t)h->offset);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        create_hash_fail(h, n < 0 ? errno : 0);
        return 0;
    }
    h->offset += (uint64_t)n;
    return (size_t)n;
}

/* Moves past the files that are read to their end. */
static void create_hash_advance(struct create_hasher *h)
{
    while (!h->stop && h->file < h->job->list->n_files &&
           h->offset == create_hash_file(h)->length) {
        if (h->fd >= 0) {
            create_hash_check(h);
        }
        create_hash_close(h);
        h->file++;
        h->offset = 0;
    }
}

/* Reads the next piece into dst; its length, 0 when there is none. */
static size_t create_hash_read(struct create_hasher *h, uint8_t *dst,
                               uint32_t *piece)
{
    size_t len = 0;

    if (h->job->cancel != NULL && atomic_load(h->job->cancel) && !h->stop) {
        h->stop = true;
        (void)err_set(&h->err, BTC_E_CANCELLED, "cancelled");
    }
    if (h->stop || h->piece == h->job->n_pieces) {
        return 0;
    }
    *piece = h->piece++;
    create_hash_advance(h);
    while (!h->stop && len < h->job->piece_length &&
           h->file < h->job->list->n_files) {
        if (h->fd < 0) {
            create_hash_open(h);
        }
        if (!h->stop) {
            len +=
                create_hash_read_file(h, dst + len, h->job->piece_length - len);
            create_hash_advance(h);
        }
    }
    if (h->stop) {
        return 0;
    }
    return len;
}

/* A thread: read a piece, hash it, until there is none. */
static void *create_hash_run(void *arg)
{
    struct create_hasher *h = arg;
    uint8_t *piece_bytes = mem_alloc(h->job->piece_length);
    struct hash *hash = hash_new();
    uint32_t piece = 0;
    size_t len;

    pthread_mutex_lock(&h->lock);
    len = create_hash_read(h, piece_bytes, &piece);
    while (len > 0) {
        pthread_mutex_unlock(&h->lock);
        hash_sha1_start(hash);
        hash_update(hash, piece_bytes, len);
        hash_finish(hash, h->job->hashes + (size_t)piece * SHA1_LEN);
        pthread_mutex_lock(&h->lock);
        h->done += len;
        len = create_hash_read(h, piece_bytes, &piece);
    }
    h->n_running--;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
    hash_free(hash);
    free(piece_bytes);
    return NULL;
}

/* As many threads as the job wants, has work for, and memory allows. */
static uint32_t create_hash_threads(const struct create_job *job)
{
    uint32_t n = job->threads;
    uint32_t fit = CREATE_HASH_MEMORY / job->piece_length;

    n = num_min_u32(n, CREATE_HASH_THREADS_MAX);
    n = num_min_u32(n, job->n_pieces);
    n = num_min_u32(n, fit);
    if (n == 0) {
        return 1;
    }
    return n;
}

/* Starts the threads; gives how many there are. */
static uint32_t create_hash_start(struct create_hasher *h, pthread_t *threads)
{
    uint32_t want = create_hash_threads(h->job);
    uint32_t n = 0;

    pthread_mutex_lock(&h->lock);
    while (n < want &&
           thread_start(&threads[n], NULL, create_hash_run, h) == 0) {
        n++;
    }
    h->n_running = n; /* before the first of them gets the lock */
    pthread_mutex_unlock(&h->lock);
    return n;
}

/* The next tick, or the end, whichever comes first; true at the end. */
static bool create_hash_tick(struct create_hasher *h, uint64_t *done)
{
    struct timespec until;

    pthread_mutex_lock(&h->lock);
    if (h->n_running > 0) {
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += CREATE_HASH_TICK_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&h->changed, &h->lock, &until);
    }
    *done = h->done;
    bool ended = h->n_running == 0;
    pthread_mutex_unlock(&h->lock);
    return ended;
}

/* Waits for the threads and tells of progress meanwhile, and at the end. */
static void create_hash_wait(struct create_hasher *h)
{
    const struct create_job *job = h->job;
    uint64_t done = 0;
    bool ended = false;

    while (!ended) {
        ended = create_hash_tick(h, &done);
        if (job->on_progress != NULL) {
            job->on_progress(job->ctx, done, job->list->total_size);
        }
    }
}

/* Runs the threads from start to end. */
static void create_hash_all(struct create_hasher *h)
{
    pthread_t threads[CREATE_HASH_THREADS_MAX];
    uint32_t n = create_hash_start(h, threads);

    if (n == 0) {
        h->n_running = 1;
        (void)create_hash_run(h); /* no thread to be had: this one does it */
    }
    create_hash_wait(h);
    for (uint32_t i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* Hashes all pieces. */
int create_hash(const struct create_job *job, struct err *e)
{
    struct create_hasher h = {.job = job, .fd = -1};
    pthread_condattr_t attr;

    pthread_mutex_init(&h.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h.changed, &attr);
    pthread_condattr_destroy(&attr);
    if (job->n_pieces > 0) {
        create_hash_all(&h);
    }
    create_hash_close(&h);
    pthread_cond_destroy(&h.changed);
    pthread_mutex_destroy(&h.lock);
    if (h.stop) {
        return err_set(e, h.err.code, "%s", h.err.msg);
    }
    BTC_ASSERT(h.done == job->list->total_size);
    return 0;
}
