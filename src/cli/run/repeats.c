/* Log lines that say the same again; see repeats.h. */
#include "cli/run/repeats.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A line that was said. */
struct cli_repeat {
    char *line;      /* owns; NULL: the place is free */
    int64_t said_ms; /* when */
    uint32_t more;   /* times that it came since */
};

struct cli_repeats {
    pthread_mutex_t lock; /* for all below */
    int64_t now_ms;       /* as it was told last */
    struct cli_repeat items[CLI_REPEATS_MAX];
};

struct cli_repeats *cli_repeats_new(void)
{
    struct cli_repeats *r = mem_zalloc(sizeof(*r));

    pthread_mutex_init(&r->lock, NULL);
    return r;
}

void cli_repeats_free(struct cli_repeats *r)
{
    for (size_t i = 0; i < CLI_REPEATS_MAX; i++) {
        free(r->items[i].line);
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* Where the line stands, or else a free place; NULL: there is none. */
static struct cli_repeat *cli_repeats_place(struct cli_repeats *r,
                                            const char *line)
{
    struct cli_repeat *place = NULL;

    for (size_t i = 0; i < CLI_REPEATS_MAX; i++) {
        struct cli_repeat *item = &r->items[i];
        if (item->line == NULL) {
            place = item;
        } else if (strcmp(item->line, line) == 0) {
            return item;
        }
    }
    return place;
}

bool cli_repeats_take(struct cli_repeats *r, const char *line)
{
    bool is_new = true;

    pthread_mutex_lock(&r->lock);
    struct cli_repeat *item = cli_repeats_place(r, line);
    if (item != NULL && item->line != NULL) {
        is_new = false;
        item->more++;
    } else if (item != NULL) {
        *item =
            (struct cli_repeat){.line = mem_strdup(line), .said_ms = r->now_ms};
    }
    pthread_mutex_unlock(&r->lock);
    return is_new;
}

bool cli_repeats_next(struct cli_repeats *r, int64_t now_ms,
                      struct front_text *out)
{
    bool found = false;

    pthread_mutex_lock(&r->lock);
    r->now_ms = now_ms;
    for (size_t i = 0; i < CLI_REPEATS_MAX && !found; i++) {
        struct cli_repeat *item = &r->items[i];
        if (item->line == NULL || now_ms - item->said_ms < CLI_REPEATS_MS) {
            continue;
        }
        if (item->more > 0) {
            found = true;
            front_text_printf(out, "%s (%u more time%s)", item->line,
                              item->more, front_text_plural(item->more));
        }
        free(item->line);
        *item = (struct cli_repeat){0};
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}
