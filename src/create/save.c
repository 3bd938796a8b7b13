/* The output of create: a file that is there whole or not at all, also after a
 * power cut: written under another name, synced, renamed, its folder synced.
 */
#include "create/internal.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CREATE_LOAD_STEP 65536u

/* Reads a whole file of at most METAINFO_MAX_BYTES into `out`. */
int create_load(const char *path, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 1;
    int rc = 0;

    if (fd < 0) {
        return err_set_errno(e, errno, "cannot read '%s'", path);
    }
    while (rc == 0 && n > 0) {
        uint8_t *p = buf_reserve(out, CREATE_LOAD_STEP);
        if (p == NULL) {
            rc = err_set(e, BTC_E_LIMIT, "'%s' is too large", path);
            break;
        }
        n = read(fd, p, CREATE_LOAD_STEP);
        if (n > 0) {
            buf_commit(out, (size_t)n);
        } else if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n < 0) {
            rc = err_set_errno(e, errno, "cannot read '%s'", path);
        }
    }
    close(fd);
    return rc;
}

/* Writes all of it; 0 or an errno. */
static int create_write_all(int fd, struct slice content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.p, content.len);
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            content = slice_sub(content, (size_t)n, content.len);
        }
    }
    return 0;
}

/* Writes all of it and syncs it; 0 or an errno. */
static int create_save_write(int fd, struct slice content)
{
    int error = create_write_all(fd, content);

    return error != 0 || fsync(fd) == 0 ? error : errno;
}

int create_send(int fd, struct slice content, struct err *e)
{
    int error = create_write_all(fd, content);

    return error == 0 ? 0
                      : err_set_errno(e, error,
                                      "cannot write the torrent to "
                                      "standard output");
}

/* Gives the file its name; 0 or an errno. */
static int create_save_rename(const char *from, const char *to, bool replace)
{
    if (replace) {
        return rename(from, to) == 0 ? 0 : errno;
    }
    return -file_rename_new(from, to);
}

/* Says early what would else be said after all the hashing. */
int create_check_folder(const char *path, struct err *e)
{
    char *folder = file_folder_of(path);
    int rc = 0;

    if (access(folder, W_OK | X_OK) != 0) {
        rc = err_set_errno(e, errno, "cannot write '%s'", path);
    }
    free(folder);
    return rc;
}

/* Writes a new file, whole or not at all. */
int create_save(const char *path, struct slice content, bool replace,
                struct err *e)
{
    char *temp = mem_printf("%s.%016" PRIx64 ".tmp", path, rng_seed_system());
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int error = fd < 0 ? errno : 0;
    int rc = 0;

    if (fd >= 0) {
        error = create_save_write(fd, content);
        if (close(fd) != 0 && error == 0) {
            error = errno;
        }
        if (error == 0) {
            error = create_save_rename(temp, path, replace);
        }
        if (error != 0) {
            (void)unlink(temp);
        } else {
            error = -file_sync_folder_of(path);
        }
    }
    if (error == EEXIST) {
        rc = err_set(e, BTC_E_EXISTS, "'%s' exists already", path);
    } else if (error != 0) {
        rc = err_set_errno(e, error, "cannot write '%s'", path);
    }
    free(temp);
    return rc;
}
