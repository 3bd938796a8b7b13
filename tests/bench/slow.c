/* Preloaded into a client: a disk that syncs in 200 ms and writes 20 MB/s.
 * All writes of the process share the disk, as on a real one. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SYNC_NS       200000000u
#define NS_PER_BYTE   50u /* 20 MB/s */
#define SMALL_IS_FREE 65536

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;

/* The function behind ours, into a pointer to it. */
static void find(const char *name, void *function)
{
    void *next = dlsym(RTLD_NEXT, name);
    memcpy(function, &next, sizeof(next));
}

/* The disk is busy for that long. */
static void busy(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u),
                         .tv_nsec = (long)(ns % 1000000000u)};
    (void)pthread_mutex_lock(&disk);
    (void)nanosleep(&t, NULL);
    (void)pthread_mutex_unlock(&disk);
}

/* Small writes are pipes, logs and the database: the cache takes them. */
static void busy_writing(ssize_t n)
{
    if (n >= SMALL_IS_FREE) {
        busy((uint64_t)n * NS_PER_BYTE);
    }
}

int fdatasync(int fd)
{
    int (*next)(int) = NULL;
    find("fdatasync", &next);
    busy(SYNC_NS);
    return next(fd);
}

int fsync(int fd)
{
    int (*next)(int) = NULL;
    find("fsync", &next);
    busy(SYNC_NS);
    return next(fd);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    ssize_t (*next)(int, const void *, size_t, off64_t) = NULL;
    find("pwrite64", &next);
    ssize_t done = next(fd, p, n, at);
    busy_writing(done);
    return done;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return pwrite64(fd, p, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
    ssize_t (*next)(int, const struct iovec *, int, off64_t) = NULL;
    find("pwritev64", &next);
    ssize_t done = next(fd, v, n, at);
    busy_writing(done);
    return done;
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
    return pwritev64(fd, v, n, at);
}
