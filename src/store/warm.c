/* Whether a job's bytes can be had without waiting: its files stand open and
 * the page cache has all of the spans. The loop asks before it sends a range to
 * a peer. What is warm is sent at once; what is not goes to a worker first
 * (PREFETCH).
 *
 * cachestat(2) counts the cached pages of a range in one system call, without
 * reading (Linux 6.5). An older kernel answers ENOSYS, and then nothing is
 * warm: a worker looks, as it always did. */
#include "base/mem.h"
#include "store/internal.h"
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STORE_NR_CACHESTAT 451 /* the number is the same on all machines */

/* As the kernel has them: include/uapi/linux/mman.h. */
struct store_cachestat_range {
    uint64_t offset, len;
};
struct store_cachestat {
    uint64_t n_cached, n_dirty, n_writeback, n_evicted, n_recently_evicted;
};

/* All pages of the range are in memory. */
static bool store_warm_range(int fd, uint64_t offset, uint64_t len)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct store_cachestat_range range = {.offset = offset, .len = len};
    struct store_cachestat stat = {0};
    if (len == 0) {
        return true;
    }
    uint64_t n_pages = (offset + len - 1) / page - offset / page + 1;
    return syscall(STORE_NR_CACHESTAT, fd, &range, &stat, 0) == 0 &&
           stat.n_cached >= n_pages;
}

/* One span; fills its descriptor in. */
static bool store_warm_span(struct store_job *job, uint32_t i)
{
    const struct span *span = &job->spans[i];
    if (span->pad || job->store->layout[span->file].pad) {
        return true;
    }
    struct store_fd *f = store_fd_peek(job->store, span->file);
    if (!f) {
        return false;
    }
    job->fds[i] = f->fd;
    return store_left_is_ours(f) &&
           store_warm_range(f->fd, span->offset, span->len);
}

bool store_warm(struct store_job *job)
{
    bool ok = true;
    job->fds = mem_array(job->n_spans, sizeof(*job->fds));
    for (uint32_t i = 0; i < job->n_spans; i++) {
        job->fds[i] = -1;
    }
    for (uint32_t i = 0; ok && i < job->n_spans; i++) {
        ok = store_warm_span(job, i);
    }
    if (!ok) {
        for (uint32_t i = 0; i < job->n_spans; i++) {
            store_fd_release(job->store, job->spans[i].file, job->fds[i]);
        }
        free(job->fds);
        job->fds = NULL;
    }
    return ok;
}
