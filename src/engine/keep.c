/* Files that are written beside the run; see keep.h. */
#include "engine/keep.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "engine/pipes.h"
#include "engine/silence.h"
#include "engine/torrent_file.h"
#include "journal/magnet.h"
#include "proto/metainfo/metainfo.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_MAX (METAINFO_MAX_BYTES + (16u << 20)) /* bytes of a .torrent */

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

/* What is read from `fd` is the content, from its first byte to its last. */
static bool keep_is_same(int fd, const struct keeping *k)
{
    uint8_t buf[8192];
    size_t at = 0;
    ssize_t n;
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        if ((size_t)n > k->len - at ||
            memcmp(buf, k->content + at, (size_t)n) != 0) {
            return false;
        }
        at += (size_t)n;
    }
    return n == 0 && at == k->len;
}

/* A run that was killed had written it already, and could not journal that. */
static bool keep_is_there(const struct keeping *k)
{
    int fd = open(k->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool same = fd >= 0 && keep_is_same(fd, k);
    if (fd >= 0) {
        (void)close(fd);
    }
    return same;
}

static void *keep_run(void *arg)
{
    struct keeping *k = arg;
    if (!keep_is_there(k)) {
        k->code =
            file_save(k->path, slice_of(k->content, k->len), false, &k->e);
    }
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
static void keep_tell(struct engine *s, int64_t id, const char *why)
{
    char *told = mem_printf("the .torrent was not kept: %s", why);
    log_write(LOG_WARN, "torrent-not-kept", "%s", told);
    journal_put_event(pipes_free_facts(s), id, LEVEL_WARN, "torrent-not-kept",
                      told);
    free(told);
}

/* Another run would fare no better. */
static bool keep_is_final(int code)
{
    return code == 0 || code == BTC_E_EXISTS || code == BTC_E_PERMISSION;
}

/* The loop thread again. */
static void keep_on_done(void *ctx)
{
    struct keeping *k = ctx;
    (void)pthread_join(k->thread, NULL);
    if (k->code != 0 && !k->left) {
        keep_tell(k->s, k->id, k->e.msg);
    }
    if (keep_is_final(k->code) && !k->left) {
        journal_put_kept(pipes_free_facts(k->s), k->id);
    }
    LL_DELETE(k->s->end.keeping, k);
    keep_free(k);
}

static void keep_file(struct engine_torrent *st, const char *path,
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
        keep_tell(s, k->id, "no thread could be started");
        keep_free(k);
    }
}

/* --- what is owed --- */

void keep_load(struct journal *db, int64_t id, struct keep_debt *out)
{
    *out = (struct keep_debt){.path = journal_load_keep(db, id)};
    buf_init(&out->content, KEEP_MAX);
    if (out->path != NULL) {
        (void)torrent_file_make(db, id, &out->content, &out->e);
    }
}

void keep_debt_fini(struct keep_debt *debt)
{
    free(debt->path);
    buf_fini(&debt->content);
    debt->path = NULL;
}

static bool keep_is_under_way(const struct engine_torrent *st)
{
    for (const struct keeping *k = st->s->end.keeping; k != NULL; k = k->next) {
        if (k->id == st->id) {
            return true;
        }
    }
    return false;
}

void keep_pay(struct engine_torrent *st, const struct keep_debt *debt)
{
    if (debt->path == NULL || keep_is_under_way(st)) {
        return;
    }
    if (debt->e.code != 0) {
        keep_tell(st->s, st->id, debt->e.msg);
    } else {
        keep_file(st, debt->path, buf_slice(&debt->content));
    }
}

/* --- the end of a run --- */

/* What it uses stays, as with the jobs of a drive that does not answer. */
static void keep_leave(struct keeping *k)
{
    char *why = mem_printf("the drive of %s does not answer", k->path);
    k->left = true;
    k->s->end.left = true;
    keep_tell(k->s, k->id, why);
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
