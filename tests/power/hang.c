/* A drive that does not answer, for the program that it is preloaded into: as
 * long as the file BTC_HANG_FLAG is there, no sync and no write of a file below
 * BTC_HANG_DIR comes back. And one that cannot be read: reading files whose
 * path begins with the text of the file BTC_BAD_LIST is an error, while that is
 * there. No sync of a file below BTC_STALE_DIR works, for its server has lost
 * it (and reading says so), nor below BTC_SICK_DIR, for its drive takes
 * nothing. And a system that gives no more than BTC_THREADS threads. Linux
 * alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HANG_POLL_NS 20000000

/* The C library names its parameters with reserved words.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* Its path begins with this. */
static int hang_is_below(int fd, const char *dir)
{
    char link[64];
    char path[PATH_MAX];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    return dir && strncmp(path, dir, strlen(dir)) == 0;
}

/* It is a file of the drive. */
static int hang_is_near(int fd)
{
    return hang_is_below(fd, getenv("BTC_HANG_DIR"));
}

/* It cannot be read. */
static int hang_is_bad(int fd)
{
    char bad[PATH_MAX];
    const char *list = getenv("BTC_BAD_LIST");
    int in = list ? open(list, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = in >= 0 ? read(in, bad, sizeof(bad) - 1) : 0;
    if (in >= 0) {
        (void)close(in);
    }
    bad[n > 0 ? n : 0] = '\0';
    return n > 0 && hang_is_below(fd, bad);
}

/* Its server does not know it any more, or its drive takes nothing. */
static int hang_is_lost(int fd)
{
    if (hang_is_below(fd, getenv("BTC_STALE_DIR"))) {
        errno = ESTALE;
        return 1;
    }
    errno = EIO;
    return hang_is_below(fd, getenv("BTC_SICK_DIR"));
}

/* Does not come back before the drive answers. */
static void hang_wait(int fd)
{
    const char *flag = getenv("BTC_HANG_FLAG");
    struct timespec t = {.tv_nsec = HANG_POLL_NS};
    while (flag && hang_is_near(fd) && access(flag, F_OK) == 0) {
        (void)nanosleep(&t, NULL);
    }
}

/* The function behind ours, into a pointer to it. */
static void hang_find(const char *name, void *function)
{
    void *next = dlsym(RTLD_NEXT, name);
    memcpy(function, &next, sizeof(next));
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    int (*next)(int) = NULL;
    hang_find("fdatasync", &next);
    hang_wait(fd);
    return hang_is_lost(fd) ? -1 : next(fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    int (*next)(int) = NULL;
    hang_find("fsync", &next);
    hang_wait(fd);
    return hang_is_lost(fd) ? -1 : next(fd);
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *p,
                                                     size_t n)
{
    ssize_t (*next)(int, const void *, size_t) = NULL;
    hang_find("write", &next);
    hang_wait(fd);
    return next(fd, p, n);
}

__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void *p,
                                                        size_t n, off64_t at)
{
    ssize_t (*next)(int, const void *, size_t, off64_t) = NULL;
    hang_find("pwrite64", &next);
    hang_wait(fd);
    return next(fd, p, n, at);
}

__attribute__((visibility("default"))) ssize_t pwrite(int fd, const void *p,
                                                      size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

__attribute__((visibility("default"))) ssize_t
pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
    ssize_t (*next)(int, const struct iovec *, int, off64_t) = NULL;
    hang_find("pwritev64", &next);
    hang_wait(fd);
    return next(fd, v, n, at);
}

__attribute__((visibility("default"))) ssize_t
pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    return pwritev64(fd, v, n, at);
}

__attribute__((visibility("default"))) ssize_t pread64(int fd, void *p,
                                                       size_t n, off64_t at)
{
    ssize_t (*next)(int, void *, size_t, off64_t) = NULL;
    hang_find("pread64", &next);
    if (hang_is_bad(fd)) {
        errno = getenv("BTC_STALE_DIR") ? ESTALE : EIO;
        return -1;
    }
    return next(fd, p, n, at);
}

__attribute__((visibility("default"))) ssize_t pread(int fd, void *p, size_t n,
                                                     off_t at)
{
    return pread64(fd, p, n, at);
}

__attribute__((visibility("default"))) int
pthread_create(pthread_t *thread, const pthread_attr_t *attr,
               void *(*run)(void *), void *arg)
{
    static atomic_long n_threads;
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                void *) = NULL;
    const char *most = getenv("BTC_THREADS");
    hang_find("pthread_create", &next);
    if (most && atomic_fetch_add(&n_threads, 1) >= most[0] - '0') {
        return EAGAIN;
    }
    return next(thread, attr, run, arg);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
