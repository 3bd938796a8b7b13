/* Calls of the C library that have to do with files, as tables, for libraries
 * that are preloaded and come before it (kill.c, fail.c).
 *
 * An entry is X(type, name, parameters, arguments, where). `where` says what
 * the call acts on, in macros that the library gives a meaning: IN_PATH(path),
 * IN_FILE(fd), IN_AT(fd, path). CALLS_WRAP makes a function of an entry; it
 * asks CALLS_STOP(name, where), a macro of the library's, and when that is true
 * fails with the errno that it has set.
 */
#ifndef BTC_TESTS_POWER_CALLS_H
#define BTC_TESTS_POWER_CALLS_H

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define CALLS_EXPORT __attribute__((visibility("default")))

/* What a call gives that has failed: -1, or NULL. */
#define CALLS_FAILED(type) _Generic((type){0}, DIR * : NULL, default : -1)

/* Finds the function of that name behind ours, once. */
#define CALLS_NEXT(name, fn)              \
    static _Atomic(void *) next;          \
    void *behind = atomic_load(&next);    \
    if (!behind) {                        \
        behind = dlsym(RTLD_NEXT, #name); \
        atomic_store(&next, behind);      \
    }                                     \
    *(void **)&(fn) = behind

#define CALLS_WRAP(type, name, params, args, where) \
    CALLS_EXPORT type name params;                  \
    type name params                                \
    {                                               \
        type(*fn) params;                           \
        CALLS_NEXT(name, fn);                       \
        if (CALLS_STOP(name, where)) {              \
            return CALLS_FAILED(type);              \
        }                                           \
        return fn args;                             \
    }

/* The same of what opens, which asks CALLS_STOP_OPEN. */
#define CALLS_WRAP_OPEN(name, params, args, where) \
    CALLS_EXPORT int name params;                  \
    int name params                                \
    {                                              \
        int(*fn) params;                           \
        mode_t mode = 0;                           \
        CALLS_NEXT(name, fn);                      \
        if (flags & (O_CREAT | O_TMPFILE)) {       \
            va_list list;                          \
            va_start(list, flags);                 \
            mode = va_arg(list, mode_t);           \
            va_end(list);                          \
        }                                          \
        if (CALLS_STOP_OPEN(name, where)) {        \
            return -1;                             \
        }                                          \
        return fn args;                            \
    }

/* clang-format off */
#define CALLS_CHANGE(X)                                                        \
    X(int, linkat, (int a, const char *b, int c, const char *d, int e),        \
      (a, b, c, d, e), IN_AT(a, b) || IN_AT(c, d))                             \
    X(int, renameat2,                                                          \
      (int a, const char *b, int c, const char *d, unsigned e),                \
      (a, b, c, d, e), IN_AT(a, b) || IN_AT(c, d))                             \
    X(int, rename, (const char *a, const char *b), (a, b),                     \
      IN_PATH(a) || IN_PATH(b))                                                \
    X(int, link, (const char *a, const char *b), (a, b),                       \
      IN_PATH(a) || IN_PATH(b))                                                \
    X(int, symlink, (const char *a, const char *b), (a, b), IN_PATH(b))        \
    X(int, unlink, (const char *a), (a), IN_PATH(a))                           \
    X(int, unlinkat, (int a, const char *b, int c), (a, b, c), IN_AT(a, b))    \
    X(int, rmdir, (const char *a), (a), IN_PATH(a))                            \
    X(int, mkdir, (const char *a, mode_t b), (a, b), IN_PATH(a))               \
    X(int, fsync, (int a), (a), IN_FILE(a))                                    \
    X(int, fdatasync, (int a), (a), IN_FILE(a))                                \
    X(int, ftruncate, (int a, off_t b), (a, b), IN_FILE(a))                    \
    X(int, ftruncate64, (int a, off64_t b), (a, b), IN_FILE(a))                \
    X(int, fallocate, (int a, int b, off_t c, off_t d), (a, b, c, d),          \
      IN_FILE(a))                                                              \
    X(int, fallocate64, (int a, int b, off64_t c, off64_t d), (a, b, c, d),    \
      IN_FILE(a))                                                              \
    X(int, fchmod, (int a, mode_t b), (a, b), IN_FILE(a))                      \
    X(ssize_t, pwrite, (int a, const void *b, size_t c, off_t d),              \
      (a, b, c, d), IN_FILE(a))                                                \
    X(ssize_t, pwrite64, (int a, const void *b, size_t c, off64_t d),          \
      (a, b, c, d), IN_FILE(a))                                                \
    X(ssize_t, copy_file_range,                                                \
      (int a, off64_t *b, int c, off64_t *d, size_t e, unsigned f),            \
      (a, b, c, d, e, f), IN_FILE(a) || IN_FILE(c))

/* Pieces and times: no kill is counted before these, they fail alone. */
#define CALLS_WRITE(X)                                                         \
    X(ssize_t, write, (int a, const void *b, size_t c), (a, b, c), IN_FILE(a)) \
    X(ssize_t, pwritev, (int a, const struct iovec *b, int c, off_t d),        \
      (a, b, c, d), IN_FILE(a))                                                \
    X(ssize_t, pwritev64, (int a, const struct iovec *b, int c, off64_t d),    \
      (a, b, c, d), IN_FILE(a))                                                \
    X(int, futimens, (int a, const struct timespec b[2]), (a, b), IN_FILE(a))  \
    X(int, utimensat,                                                          \
      (int a, const char *b, const struct timespec c[2], int d), (a, b, c, d), \
      IN_AT(a, b))

#define CALLS_LOOK(X)                                                          \
    X(int, fstat, (int a, struct stat *b), (a, b), IN_FILE(a))                 \
    X(int, stat, (const char *a, struct stat *b), (a, b), IN_PATH(a))          \
    X(int, lstat, (const char *a, struct stat *b), (a, b), IN_PATH(a))         \
    X(int, fstatat, (int a, const char *b, struct stat *c, int d),             \
      (a, b, c, d), IN_AT(a, b))                                               \
    X(int, fstat64, (int a, struct stat64 *b), (a, b), IN_FILE(a))             \
    X(int, stat64, (const char *a, struct stat64 *b), (a, b), IN_PATH(a))      \
    X(int, lstat64, (const char *a, struct stat64 *b), (a, b), IN_PATH(a))     \
    X(int, fstatat64, (int a, const char *b, struct stat64 *c, int d),         \
      (a, b, c, d), IN_AT(a, b))                                               \
    X(int, statx,                                                              \
      (int a, const char *b, int c, unsigned d, struct statx *e),              \
      (a, b, c, d, e), IN_AT(a, b))                                            \
    X(int, statvfs, (const char *a, struct statvfs *b), (a, b), IN_PATH(a))    \
    X(ssize_t, read, (int a, void *b, size_t c), (a, b, c), IN_FILE(a))        \
    X(ssize_t, pread, (int a, void *b, size_t c, off_t d), (a, b, c, d),       \
      IN_FILE(a))                                                              \
    X(ssize_t, pread64, (int a, void *b, size_t c, off64_t d), (a, b, c, d),   \
      IN_FILE(a))                                                              \
    X(DIR *, opendir, (const char *a), (a), IN_PATH(a))

#define CALLS_OPEN(X)                                                          \
    X(open, (const char *a, int flags, ...), (a, flags, mode), IN_PATH(a))     \
    X(open64, (const char *a, int flags, ...), (a, flags, mode), IN_PATH(a))

#define CALLS_OPENAT(X)                                                        \
    X(openat, (int a, const char *b, int flags, ...), (a, b, flags, mode),     \
      IN_AT(a, b))                                                             \
    X(openat64, (int a, const char *b, int flags, ...), (a, b, flags, mode),   \
      IN_AT(a, b))
/* clang-format on */

#endif
