/* Failures in words: the code of an errno where files are kept, and the first
 * failure of a job, with the file and the reason. */
#include "store/internal.h"

#include "base/err.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Whether the job counts on its files: then a missing one means that the
 * storage is not there. */
static bool store_needs_file(const struct store_job *job)
{
    enum store_op op = job->op;
    return op == STORE_CREATE || op == STORE_FINISH || op == STORE_WRITE ||
           op == STORE_SYNC || op == STORE_SPACE ||
           (op == STORE_HASH && job->hashes.claimed);
}

/* The code of an errno, for this kind of job. */
static int store_error_code(const struct store_job *job, int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR:
        if (store_needs_file(job)) {
            return BTC_E_STORAGE;
        }
        return BTC_E_SHORT;
    case ENODEV:
    case ENXIO:
    case ESTALE:
    case ENOTCONN:
    case ENOMEDIUM:
    case STORE_E_TOUCHED:
        return BTC_E_STORAGE;
    case EISDIR:
    case EEXIST:
    case STORE_E_OWN:
        return BTC_E_EXISTS;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return BTC_E_LIMIT; /* ours, not the file's: says nothing about it */
    default:
        return err_from_errno(errnum);
    }
}

/* "PATH: reason"; of a path that is too long the end is kept. */
static void store_error_text(struct store_job *job, const char *path,
                             const char *reason)
{
    size_t size = sizeof(job->fail.text);
    size_t need = strlen(reason) + sizeof("...: ");
    size_t room = 0;
    if (need < size) {
        room = size - need;
    }
    size_t len = strlen(path);
    const char *dots = len > room ? "..." : "";
    if (len > room) {
        path += len - room;
        while ((*path & 0xc0) == 0x80) {
            path++; /* not into the middle of a UTF-8 character */
        }
    }
    (void)snprintf(job->fail.text, size, "%s%.*s: %s", dots, (int)room, path,
                   reason);
}

/* Records the first failure with a code and a reason of its own. */
void store_fail_with(struct store_job *job, uint32_t file, const char *path,
                     int code, const char *reason)
{
    char own[PATH_MAX];
    if (job->result != 0) {
        return;
    }
    job->result = code;
    if (file == STORE_NO_FILE) {
        job->fail.file = -1;
    } else {
        job->fail.file = (int32_t)file;
    }
    if (!path) {
        /* When it is too long for PATH_MAX, what fits of it stands there. */
        BTC_ASSERT(file != STORE_NO_FILE);
        (void)store_tree_path(job->store, file, own);
        path = own;
    }
    store_error_text(job, path, reason);
}

/* What an errno means where files are kept; `text` is room for it. */
static const char *store_error_reason(enum store_op op, int errnum, char *text,
                                      size_t size)
{
    if (op == STORE_CREATE && (errnum == EINVAL || errnum == EILSEQ)) {
        return "this file system takes no such name or length: leave the file "
               "out (priority off), or go to another (btc move)";
    }
    if (errnum == EFBIG) {
        return "File too large for this file system (FAT32 ends at 4 GiB) or "
               "for a limit (ulimit -f)";
    }
    if (errnum == EMFILE) {
        return "Too many open files (ulimit -n)";
    }
    if (errnum == STORE_E_TOUCHED) {
        return "was changed by somebody else: it is hashed again";
    }
    if (errnum == STORE_E_OWN) {
        return "is a file of btc's own database, which no torrent may have";
    }
    return strerror_r(errnum, text, size);
}

/* Records the first failure from an errno. */
void store_fail(struct store_job *job, uint32_t file, const char *path,
                int errnum)
{
    char text[128];
    const struct store_tree *s = job->store;
    bool missing = errnum == ENOENT || errnum == ENOTDIR;
    if (missing && !store_tree_has_root(s)) {
        store_fail_with(job, file, s->save_path, BTC_E_STORAGE,
                        "the folder is missing (is its drive mounted?)");
        return;
    }
    int code = store_error_code(job, errnum);
    bool touched = errnum == STORE_E_TOUCHED;
    bool gone = missing && store_needs_file(job);
    job->fail.touched |= job->result == 0 && touched;
    job->fail.changed |= job->result == 0 && (touched || gone);
    store_fail_with(job, file, path, code,
                    store_error_reason(job->op, errnum, text, sizeof(text)));
}
