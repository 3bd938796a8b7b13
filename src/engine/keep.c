/* Files that are written beside the run; see keep.h. */
#include "engine/keep.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "engine/pipes.h"
#include "engine/silence.h"

#include <stdlib.h>

/* A file that is being written. Its thread reads path and content, and writes
 * code and error before it sends the wake-up. */
struct keeping {
    struct engine *s; /* borrows */
    int64_t id;       /* of the torrent */
    char *path;       /* owns */
    uint8_t *content; /* owns */
    size_t len;
    int code;
    struct err e;
    uint64_t since_ms;
    bool left; /* nobody waits for it any more */
    pthread_t thread;
    struct loop_wakeup *wakeup;
    struct keeping *next;
};

static void *keep_run(void *arg)
{
    struct keeping *k = arg;
    k->code = file_save(k->path, slice_of(k->content, k->len), false, &k->e);
    loop_wakeup_send(k->wakeup);
    return NULL;
}

static void keep_free(struct keeping *k)
{
    loop_wakeup_close(k->wakeup);
    free(k->path);
    free(k->content);
    free(k);
}

/* That it is not kept, and why. */
static void keep_tell(const struct keeping *k, const char *why)
{
    char *told = mem_printf("the .torrent was not kept: %s", why);
    log_write(LOG_WARN, "torrent-not-kept", "%s", told);
    journal_put_event(pipes_free_facts(k->s), k->id, LEVEL_WARN,
                      "torrent-not-kept", told);
    free(told);
}

/* The loop thread again. */
static void keep_on_done(void *ctx)
{
    struct keeping *k = ctx;
    (void)pthread_join(k->thread, NULL);
    if (k->code != 0 && !k->left) {
        keep_tell(k, k->e.msg);
    }
    LL_DELETE(k->s->end.keeping, k);
    keep_free(k);
}

void keep_file(struct engine_torrent *st, const char *path,
               struct slice content)
{
    struct engine *s = st->s;
    struct keeping *k = mem_zalloc(sizeof(*k));
    k->s = s;
    k->id = st->id;
    k->path = mem_strdup(path);
    k->content = mem_dup(content.p, content.len);
    k->len = content.len;
    k->since_ms = loop_now_ms(s->loop);
    k->wakeup = loop_wakeup_new(s->loop, keep_on_done, k);
    if (thread_start(&k->thread, NULL, keep_run, k) == 0) {
        LL_PREPEND(s->end.keeping, k);
    } else {
        keep_tell(k, "no thread could be started");
        keep_free(k);
    }
}

/* What it uses stays, as with the jobs of a drive that does not answer. */
static void keep_leave(struct keeping *k)
{
    char *why = mem_printf("the drive of %s does not answer", k->path);
    k->left = true;
    k->s->end.left = true;
    keep_tell(k, why);
    free(why);
}

/* Who ends the run may not want to wait. */
static void keep_wait(struct keeping *k)
{
    if (!k->s->end.told_wait) {
        k->s->end.told_wait = true;
        log_write(LOG_WARN, "disk",
                  "waits until %s is written; a second ^C ends without it",
                  k->path);
    }
}

void keep_second(struct engine *s)
{
    uint64_t most = silence_patience_ms(s, SILENCE_HURRY_MS);
    if (s->end.phase != END_WINDING) {
        return;
    }
    for (struct keeping *k = s->end.keeping; k != NULL; k = k->next) {
        if (!k->left && loop_now_ms(s->loop) - k->since_ms >= most) {
            keep_leave(k);
        } else if (!k->left) {
            keep_wait(k);
        }
    }
}

bool keep_is_quiet(const struct engine *s)
{
    for (const struct keeping *k = s->end.keeping; k != NULL; k = k->next) {
        if (!k->left) {
            return false;
        }
    }
    return true;
}
