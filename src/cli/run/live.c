/* The live view on a terminal.
 *
 * A frame begins where the one before began: the cursor goes up over its rows,
 * counted at the present width, since a terminal that became narrower has
 * wrapped them. Each line is written over the old one and its rest erased; what
 * is left below is erased at the end. So nothing is blank between two frames.
 *
 * Invariant: between two frames the cursor stands in column 1 below the view
 * and is to be seen.
 */
#include "cli/run/live.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cli_live {
    int fd;
    size_t *widths; /* owns; columns of each line of the last frame */
    size_t n_widths;
    size_t width;              /* of the terminal at the last frame */
    pthread_mutex_t lock;      /* for pending */
    struct front_text pending; /* log lines for above the next frame */
};

/* A view that has drawn nothing yet. */
struct cli_live *cli_live_new(int fd)
{
    struct cli_live *l = mem_calloc(1, sizeof(*l));

    l->fd = fd;
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

/* Writes everything; a terminal that is gone is not waited for. */
static void cli_live_write(int fd, const char *s, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, s, n);
        if (done >= 0) {
            s += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            if (poll(&p, 1, 1000) <= 0) {
                return;
            }
        } else if (errno != EINTR) {
            return;
        }
    }
}

/* Prints what is pending, frees. */
void cli_live_free(struct cli_live *l)
{
    if (l == NULL) {
        return;
    }
    cli_live_write(l->fd, front_text_str(&l->pending), l->pending.len);
    front_text_free(&l->pending);
    pthread_mutex_destroy(&l->lock);
    free(l->widths);
    free(l);
}

/* Keeps a log line. */
void cli_live_log(struct cli_live *l, const char *line)
{
    pthread_mutex_lock(&l->lock);
    front_text_puts(&l->pending, line);
    front_text_puts(&l->pending, "\n");
    pthread_mutex_unlock(&l->lock);
}

/* Forgets the frame before. */
void cli_live_restart(struct cli_live *l)
{
    l->n_widths = 0;
}

/* Rows that the last frame takes at this width. */
static size_t cli_live_rows(const struct cli_live *l, size_t width)
{
    size_t rows = 0;

    for (size_t i = 0; i < l->n_widths; i++) {
        if (l->widths[i] <= width || width == 0) {
            rows++;
        } else {
            rows += (l->widths[i] + width - 1) / width;
        }
    }
    return rows;
}

/* Writes lines over what stands there; measures them when `keep`. */
static void cli_live_lines(struct cli_live *l, const char *lines, bool keep,
                           struct front_text *out)
{
    struct front_text line = {0};

    while (*lines != '\0') {
        size_t n = strcspn(lines, "\n");
        front_text_add(out, lines, n);
        front_text_puts(out, "\033[K\n");
        if (keep) {
            front_text_clear(&line);
            front_text_add(&line, lines, n);
            l->widths =
                mem_resize(l->widths, l->n_widths + 1, sizeof(*l->widths));
            l->widths[l->n_widths++] = front_text_width(front_text_str(&line));
        }
        lines += n;
        if (*lines != '\0') {
            lines++;
        }
    }
    front_text_free(&line);
}

/* One frame. */
void cli_live_frame(struct cli_live *l, const char *lines, size_t width,
                    struct front_text *out)
{
    size_t rows = cli_live_rows(l, width);

    front_text_puts(out, "\033[?25l");
    if (rows > 0) {
        front_text_printf(out, "\r\033[%zuA", rows);
    }
    /* a terminal that was resized remembers which rows it had wrapped, and
     * joins them again later unless they are erased */
    if (rows > 0 && width != l->width) {
        front_text_puts(out, "\033[J");
    }
    l->width = width;
    pthread_mutex_lock(&l->lock);
    cli_live_lines(l, front_text_str(&l->pending), false, out);
    front_text_clear(&l->pending);
    pthread_mutex_unlock(&l->lock);
    l->n_widths = 0;
    cli_live_lines(l, lines, true, out);
    front_text_puts(out, "\033[J\033[?25h");
}

/* Draws one frame. */
void cli_live_draw(struct cli_live *l, const char *lines, size_t width)
{
    struct front_text out = {0};

    cli_live_frame(l, lines, width, &out);
    cli_live_write(l->fd, out.data, out.len);
    front_text_free(&out);
}
