/* A clock that is set, for the program that this is preloaded into: the time of
 * the day is wrong by as many seconds as the file BTC_CLOCK_FILE says
 * ("-3600"), which may change at any time. Clocks that nobody can set go on as
 * they do, and so do the times that the kernel gives to files. Linux alone. */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The C library names its parameters with reserved words.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

#define CLOCK_EXPORT __attribute__((visibility("default")))

/* What the file says, 0 when there is none. With system calls: others may have
 * wrapped the functions, and count what is read. */
static long clock_wrong_by(void)
{
    const char *path = getenv("BTC_CLOCK_FILE");
    char text[32] = "";
    long n = 0;
    int fd =
        path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC)
             : -1;
    if (fd >= 0) {
        (void)syscall(SYS_read, fd, text, sizeof text - 1);
        (void)syscall(SYS_close, fd);
    }
    bool minus = text[0] == '-';
    for (const char *p = text + minus; *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (*p - '0');
    }
    return minus ? -n : n;
}

CLOCK_EXPORT int clock_gettime(clockid_t which, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, which, t);
    if (rc == 0 &&
        (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        t->tv_sec += clock_wrong_by();
    }
    return rc;
}

CLOCK_EXPORT int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

CLOCK_EXPORT time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
