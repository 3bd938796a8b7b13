/* Kills the program that it is preloaded into, before the n-th call that
 * changes files: BTC_KILL_NTH=N LD_PRELOAD=.../libkill.so btc ... With N from 1
 * on until the program ends by itself, each place at which a kill can come has
 * been tried. With BTC_KILL_LACKS set the file system knows no renameat2, as
 * many do not. Linux alone. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* The C library names its parameters with reserved words.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static atomic_long kill_count;

/* One more call: the n-th is never made. */
static void kill_count_call(void)
{
    const char *text = getenv("BTC_KILL_NTH");
    long nth = 0;
    for (; text && *text >= '0' && *text <= '9'; text++) {
        nth = nth * 10 + (*text - '0');
    }
    if (atomic_fetch_add(&kill_count, 1) + 1 == nth) {
        (void)kill(getpid(), SIGKILL);
    }
}

/* The file system does not know the call. */
static int kill_lacks(const char *name)
{
    return strcmp(name, "renameat2") == 0 && getenv("BTC_KILL_LACKS") != NULL;
}

/* The function of that name behind ours. */
#define KILL_WRAP(type, name, params, args)                  \
    __attribute__((visibility("default"))) type name params; \
    type name params                                         \
    {                                                        \
        if (kill_lacks(#name)) {                             \
            errno = ENOSYS;                                  \
            return -1;                                       \
        }                                                    \
        static _Atomic(void *) next;                         \
        type(*fn) params;                                    \
        void *p = atomic_load(&next);                        \
        if (!p) {                                            \
            p = dlsym(RTLD_NEXT, #name);                     \
            atomic_store(&next, p);                          \
        }                                                    \
        *(void **)&fn = p;                                   \
        kill_count_call();                                   \
        return fn args;                                      \
    }

KILL_WRAP(int, linkat, (int a, const char *b, int c, const char *d, int e),
          (a, b, c, d, e))
KILL_WRAP(int, renameat2,
          (int a, const char *b, int c, const char *d, unsigned e),
          (a, b, c, d, e))
KILL_WRAP(int, rename, (const char *a, const char *b), (a, b))
KILL_WRAP(int, link, (const char *a, const char *b), (a, b))
KILL_WRAP(int, symlink, (const char *a, const char *b), (a, b))
KILL_WRAP(int, unlink, (const char *a), (a))
KILL_WRAP(int, unlinkat, (int a, const char *b, int c), (a, b, c))
KILL_WRAP(int, rmdir, (const char *a), (a))
KILL_WRAP(int, mkdir, (const char *a, mode_t b), (a, b))
KILL_WRAP(int, fsync, (int a), (a))
KILL_WRAP(int, fdatasync, (int a), (a))
KILL_WRAP(int, ftruncate, (int a, off_t b), (a, b))
KILL_WRAP(int, ftruncate64, (int a, off_t b), (a, b))
KILL_WRAP(int, fallocate, (int a, int b, off_t c, off_t d), (a, b, c, d))
KILL_WRAP(int, fallocate64, (int a, int b, off_t c, off_t d), (a, b, c, d))
KILL_WRAP(int, fchmod, (int a, mode_t b), (a, b))
KILL_WRAP(ssize_t, pwrite, (int a, const void *b, size_t c, off_t d),
          (a, b, c, d))
KILL_WRAP(ssize_t, pwrite64, (int a, const void *b, size_t c, off_t d),
          (a, b, c, d))
KILL_WRAP(ssize_t, copy_file_range,
          (int a, off_t *b, int c, off_t *d, size_t e, unsigned f),
          (a, b, c, d, e, f))

/* An open that makes a file. */
#define KILL_WRAP_OPEN(name)                                          \
    __attribute__((visibility("default"))) int name(const char *path, \
                                                    int flags, ...);  \
    int name(const char *path, int flags, ...)                        \
    {                                                                 \
        static _Atomic(void *) next;                                  \
        int (*fn)(const char *, int, ...);                            \
        mode_t mode = 0;                                              \
        va_list args;                                                 \
        va_start(args, flags);                                        \
        if (flags & O_CREAT) {                                        \
            mode = va_arg(args, mode_t);                              \
            kill_count_call();                                        \
        }                                                             \
        va_end(args);                                                 \
        void *p = atomic_load(&next);                                 \
        if (!p) {                                                     \
            p = dlsym(RTLD_NEXT, #name);                              \
            atomic_store(&next, p);                                   \
        }                                                             \
        *(void **)&fn = p;                                            \
        return fn(path, flags, mode);                                 \
    }

KILL_WRAP_OPEN(open)
KILL_WRAP_OPEN(open64)

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
