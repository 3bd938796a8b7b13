/* SCAN: which pieces can be on disk at all. LOOK: whether somebody has put
 * anything into a file.
 *
 * A sparse file tells where it has data (SEEK_DATA, SEEK_HOLE); a hole was
 * never written. All pieces start as present, and each byte range that a file
 * lacks takes its pieces away. A file system that knows no holes reports one
 * extent of data; and what cannot be looked at may be data: only hashing tells,
 * or else all would be fetched again without a word. What may not be read is of
 * no use to us.
 *
 * A file without a byte that is not zero has nothing to lose: it was made by a
 * run that was killed before it could say so, or it is empty. A file with data
 * mostly shows it in its first bytes.
 */
#include "store/internal.h"

#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Takes away the pieces of file bytes [begin, end). */
static void store_scan_clear(struct store_job *job, uint32_t file,
                             uint64_t begin, uint64_t end)
{
    if (begin >= end) {
        return;
    }
    uint64_t offset = job->store->layout[file].offset;
    uint64_t first = (offset + begin) / job->scan.piece_length;
    uint64_t last = (offset + end - 1) / job->scan.piece_length;
    for (uint64_t i = first; i <= last && i < job->scan.n_pieces; i++) {
        (void)bits_clear(&job->scan.found, (uint32_t)i);
    }
}

/* lseek to data or a hole; -errno. */
static int64_t store_scan_seek(struct store *d, int fd, const char *path,
                               uint64_t at, int whence)
{
    int rc = store_sys_fault(d, "lseek", path);
    off_t to = 0;
    if (rc == 0) {
        to = lseek(fd, (off_t)at, whence);
    }
    return rc != 0 ? rc : to >= 0 ? (int64_t)to : -errno;
}

/* Takes away what lies in holes of the first `size` bytes. */
static void store_scan_holes(struct store_job *job, uint32_t file, int fd,
                             const char *path, uint64_t size)
{
    struct store *d = job->store->d;
    uint64_t at = 0;
    while (at < size) {
        int64_t data = store_scan_seek(d, fd, path, at, SEEK_DATA);
        if (data == -ENXIO) {
            store_scan_clear(job, file, at, size);
            return;
        }
        int64_t hole = data;
        if (data >= 0) {
            hole = store_scan_seek(d, fd, path, (uint64_t)data, SEEK_HOLE);
        }
        if (hole < 0) {
            return;
        }
        store_scan_clear(job, file, at,
                         (uint64_t)data < size ? (uint64_t)data : size);
        if ((uint64_t)hole > at) {
            at = (uint64_t)hole;
        } else {
            at = size;
        }
    }
}

/* One open file. */
static void store_scan_open(struct store_job *job, uint32_t file, int fd,
                            const char *path)
{
    struct stat st;
    uint64_t length = job->store->layout[file].length;
    int rc = store_sys_fstat(job->store->d, fd, path, &st);
    if (rc != 0) {
        return;
    }
    uint64_t size = 0;
    if (S_ISREG(st.st_mode)) {
        size = (uint64_t)st.st_size;
    }
    if (size > length) {
        size = length;
    }
    store_scan_clear(job, file, size, length);
    store_scan_holes(job, file, fd, path, size);
}

/* One file. Not through the cache, which torrents of many small files would
 * only push out. */
static void store_scan_file(struct store_job *job, uint32_t file)
{
    char path[PATH_MAX];
    int fd = store_tree_path(job->store, file, path);
    if (fd == 0) {
        fd = store_fd_open(job->store->d, path, O_RDONLY);
    }
    if (fd >= 0) {
        store_scan_open(job, file, fd, path);
        (void)close(fd);
    } else if (fd == -ENOENT || fd == -ENOTDIR || fd == -EACCES ||
               fd == -EPERM || fd == -STORE_E_OWN) {
        store_scan_clear(job, file, 0, job->store->layout[file].length);
    }
}

/* SCAN. */
void store_run_scan(struct store_worker *w, struct store_job *job)
{
    struct store_tree *s = job->store;
    (void)w;
    BTC_ASSERT(job->scan.piece_length > 0);
    int rc = bits_init(&job->scan.found, job->scan.n_pieces);
    if (rc != 0) {
        store_fail_with(job, STORE_NO_FILE, s->save_path, rc,
                        "too many pieces");
        return;
    }
    bits_fill(&job->scan.found);
    for (uint32_t i = 0; i < s->n_files; i++) {
        if (!s->layout[i].pad && s->layout[i].length > 0) {
            store_scan_file(job, i);
        }
    }
}

/* Where data may begin at or behind `at`; -ENXIO: nowhere. */
static int64_t store_look_seek(int fd, uint64_t at)
{
    off_t to = lseek(fd, (off_t)at, SEEK_DATA);
    return to >= 0 ? (int64_t)to : errno == ENXIO ? -ENXIO : (int64_t)at;
}

static bool store_look_is_zero(const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (buf[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Makes zeros of what does not count in the bytes from `at` on. */
static void store_look_mask(const struct store_job *job, uint8_t *buf,
                            uint64_t at, size_t len)
{
    for (uint32_t i = 0; i < job->n_spans; i++) {
        const struct span *s = &job->spans[i];
        uint64_t from = num_max_u64(s->offset, at);
        uint64_t to = num_min_u64(s->offset + s->len, at + len);
        if (from < to) {
            memset(buf + (from - at), 0, (size_t)(to - from));
        }
    }
}

/* Reads until something shows. */
static void store_look_read(struct store_worker *w, struct store_job *job,
                            int fd, const char *path)
{
    int64_t at = store_look_seek(fd, 0);
    while (at >= 0 && !job->look.used) {
        int64_t n = store_sys_pread(w->d, fd, path, w->buf, STORE_CHUNK_LEN,
                                    (uint64_t)at);
        if (n < 0) {
            store_fail(job, job->look.file, path, (int)-n);
        }
        if (n <= 0) {
            return;
        }
        store_look_mask(job, w->buf, (uint64_t)at, (size_t)n);
        job->look.used = !store_look_is_zero(w->buf, (size_t)n);
        at = store_look_seek(fd, (uint64_t)(at + n));
    }
}

/* Whether the file is another's, too, who has or had it there. */
static bool store_look_is_other(struct store *d, const struct stat *st,
                                const struct store_look_place *place)
{
    struct stat there;
    if (store_sys_stat(d, place->path, &there) != 0) {
        return place->likely && st->st_nlink > 1;
    }
    return there.st_dev == st->st_dev && there.st_ino == st->st_ino;
}

/* Which file it is, and who has it, too. */
static void store_look_who(struct store_job *job, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return;
    }
    job->look.print = store_sys_print(&st);
    job->look.other = 0;
    while (job->look.other < job->look.n_others &&
           !store_look_is_other(job->store->d, &st,
                                &job->look.others[job->look.other])) {
        job->look.other++;
    }
}

/* LOOK. A file that is not there is not used. */
void store_run_look(struct store_worker *w, struct store_job *job)
{
    char path[PATH_MAX];
    int fd = store_tree_path(job->store, job->look.file, path);
    job->look.other = job->look.n_others;
    if (fd == 0) {
        fd = store_fd_open(w->d, path, O_RDONLY);
    }
    if (fd >= 0) {
        store_look_who(job, fd);
        store_look_read(w, job, fd, path);
        (void)close(fd);
    } else if (fd != -ENOENT && fd != -ENOTDIR && fd != -STORE_E_OWN) {
        store_fail(job, job->look.file, path, -fd);
    }
}
