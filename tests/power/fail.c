/* Calls that fail, in the program that this is preloaded into: of those that
 * have to do with files whose path holds the text BTC_FAIL_PATH, the n-th
 * (BTC_FAIL_NTH) and those after it, BTC_FAIL_FOR in all (one), are not made
 * but fail with the errno BTC_FAIL_ERRNO. What is only looked at counts as
 * well. A descriptor has the path that the kernel knows now; a relative path
 * that of its folder. With BTC_FAIL_LOG, the name of each that failed is
 * appended to that file, to explain what came of it. Linux alone.
 */
#include "calls.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* The C library names its parameters with reserved words.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static atomic_long fail_count;

/* A number of the environment, or another one when there is none. */
static long fail_number(const char *name, long otherwise)
{
    const char *text = getenv(name);
    long n = 0;
    for (const char *p = text; p && *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (*p - '0');
    }
    return text ? n : otherwise;
}

/* The path is one that is meant. */
static bool fail_path(const char *name)
{
    const char *meant = getenv("BTC_FAIL_PATH");
    return meant && name && strstr(name, meant) != NULL;
}

/* The file of a descriptor is. */
static bool fail_file(int fd)
{
    char link[64];
    char name[PATH_MAX];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    name[n > 0 ? n : 0] = '\0';
    return fail_path(name);
}

/* A path that begins at a folder is, or the folder. */
static bool fail_at(int dir, const char *name)
{
    char here[PATH_MAX];
    if (name && name[0] == '/') {
        return fail_path(name);
    }
    if (dir == AT_FDCWD) {
        return getcwd(here, sizeof here) && fail_path(here);
    }
    return fail_file(dir);
}

/* Says which call it was. With system calls: ours are wrapped. */
static void fail_tell(const char *name)
{
    const char *log = getenv("BTC_FAIL_LOG");
    int fd = log ? (int)syscall(SYS_openat, AT_FDCWD, log,
                                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
                 : -1;
    if (fd >= 0) {
        (void)syscall(SYS_write, fd, name, strlen(name));
        (void)syscall(SYS_write, fd, "\n", 1ul);
        (void)close(fd);
    }
}

/* One more call that is meant: whether it fails. */
static bool fail_now(const char *name)
{
    long nth = fail_number("BTC_FAIL_NTH", LONG_MAX);
    long n = atomic_fetch_add(&fail_count, 1) + 1;
    if (n < nth || n - nth >= fail_number("BTC_FAIL_FOR", 1)) {
        return false;
    }
    fail_tell(name);
    errno = (int)fail_number("BTC_FAIL_ERRNO", EIO);
    return true;
}

/* A call that is not meant keeps errno. */
#define IN_PATH(p)                   fail_path(p)
#define IN_FILE(fd)                  fail_file(fd)
#define IN_AT(dir, p)                fail_at(dir, p)
#define CALLS_STOP(name, where)      ((where) && fail_now(#name))
#define CALLS_STOP_OPEN(name, where) CALLS_STOP(name, where)

CALLS_CHANGE(CALLS_WRAP)
CALLS_WRITE(CALLS_WRAP)
CALLS_LOOK(CALLS_WRAP)
CALLS_OPEN(CALLS_WRAP_OPEN)
CALLS_OPENAT(CALLS_WRAP_OPEN)

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
