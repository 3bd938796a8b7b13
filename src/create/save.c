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

int create_send(int fd, struct slice content, struct err *e)
{
    int rc = file_write_all(fd, content);

    if (rc != 0) {
        return err_set_errno(e, -rc,
                             "cannot write the torrent to standard output");
    }
    return 0;
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
