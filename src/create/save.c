/* Around the output of create: what stands there already, whether it may be
 * written, and the way to standard output. file_save of base/file.h writes it.
 */
#include "create/internal.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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

int create_send(int fd, struct slice content, struct err *e)
{
    int error = create_write_all(fd, content);

    return error == 0 ? 0
                      : err_set_errno(e, error,
                                      "cannot write the torrent to "
                                      "standard output");
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
