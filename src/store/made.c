/* See made.h. */
#include "store/made.h"

#include "base/mem.h"
#include "base/num.h"
#include "model/fingerprint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MADE_CHUNK_LEN 65536u
/* The clock of a file system ticks behind the one that says since when. */
#define MADE_TICK_NS 20000000
#define MADE_S_NS    INT64_C(1000000000)

/* The latest moment that a file system may call `ns`. Some know whole seconds
 * alone. */
static int64_t made_latest(int64_t ns)
{
    bool is_whole = ns % MADE_S_NS == 0;
    return ns + (is_whole ? FINGERPRINT_TICK_S * MADE_S_NS : MADE_TICK_NS);
}

int64_t store_made_since(int64_t changed_ns)
{
    return made_latest(changed_ns) + 1;
}

/* When it may have come to be at the latest; where a file system does not know
 * that, to be changed last. */
static int64_t made_born(const struct statx *st)
{
    const struct statx_timestamp *t = &st->stx_ctime;
    if (st->stx_mask & STATX_BTIME) {
        t = &st->stx_btime;
    }
    return made_latest(num_time_ns(t->tv_sec, t->tv_nsec));
}

/* No byte of it but zeros. */
static bool made_is_zero(int fd)
{
    uint8_t *buf = mem_alloc(MADE_CHUNK_LEN);
    off_t at = lseek(fd, 0, SEEK_DATA);
    bool known = at >= 0 || errno == ENXIO;
    bool zero = known;
    while (zero && at >= 0) {
        ssize_t n = pread(fd, buf, MADE_CHUNK_LEN, at);
        for (ssize_t i = 0; i < n; i++) {
            zero &= buf[i] == 0;
        }
        if (n == 0) {
            break;
        }
        if (n > 0) {
            at = lseek(fd, at + n, SEEK_DATA);
        } else {
            zero = errno == EINTR;
        }
    }
    free(buf);
    return zero;
}

/* As CREATE leaves it: not yet as long as it is to be, or that long. */
static bool made_is_blank(int dir, const char *name, const struct statx *st,
                          uint64_t length)
{
    if (st->stx_nlink != 1 || (st->stx_size != 0 && st->stx_size != length)) {
        return false;
    }
    int fd = openat(dir, name,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    bool blank = fd >= 0 && made_is_zero(fd);
    if (fd >= 0) {
        (void)close(fd);
    }
    return blank;
}

bool store_is_made(int dir, const char *name, uint64_t length, int64_t since_ns)
{
    struct statx st;
    if (since_ns == 0 ||
        statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC,
              STATX_BASIC_STATS | STATX_BTIME, &st) != 0 ||
        made_born(&st) < since_ns) {
        return false;
    }
    if (S_ISLNK(st.stx_mode)) {
        return length == 0;
    }
    return S_ISREG(st.stx_mode) && made_is_blank(dir, name, &st, length);
}
