/* The torrents of a run as the last event showed them. */
#include "cli/run/track.h"
#include "base/mem.h"
#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front/format.h"
#include "front/text.h"

/* Replaces an owned string. */
static void cli_track_text(const char **field, const char *text)
{
    if (text != NULL && *field != NULL && strcmp(text, *field) == 0) {
        return;
    }
    char *copy = mem_strdup(text);
    char *old = NULL;
    /* the field is const to everybody else */
    memcpy(&old, field, sizeof(old));
    free(old);
    *field = copy;
}

/* Frees the strings of an item. */
static void cli_track_clear(struct cli_torrent *item)
{
    cli_track_text(&item->p.name, NULL);
    cli_track_text(&item->p.error, NULL);
    cli_track_text(&item->p.save_path, NULL);
    free(item->message);
    item->message = NULL;
}

/* Frees everything. */
void cli_track_fini(struct cli_track *t)
{
    for (size_t i = 0; i < t->n; i++) {
        cli_track_clear(&t->items[i]);
    }
    free(t->items);
    *t = (struct cli_track){0};
}

/* Where the torrent of that id stands, or would. */
static size_t cli_track_place(const struct cli_track *t, int64_t id)
{
    size_t from = 0;
    size_t to = t->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (t->items[middle].p.id < id) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static bool cli_track_is_at(const struct cli_track *t, size_t at, int64_t id)
{
    return at < t->n && t->items[at].p.id == id;
}

/* The torrent of that id; NULL = none. */
struct cli_torrent *cli_track_find(const struct cli_track *t, int64_t id)
{
    size_t at = cli_track_place(t, id);
    if (!cli_track_is_at(t, at, id)) {
        return NULL;
    }
    return &t->items[at];
}

/* A new item. Torrents mostly come in the order of their ids. */
static void cli_track_add(struct cli_track *t, size_t at,
                          const struct btc_progress *p, int64_t now_ms)
{
    t->items = vec_room(t->items, t->n, &t->cap, sizeof(*t->items));
    memmove(&t->items[at + 1], &t->items[at], (t->n - at) * sizeof(*t->items));
    t->n++;
    t->items[at] = (struct cli_torrent){.first_ms = now_ms,
                                        .first_downloaded = p->downloaded};
}

/* Whether something misses, by the journal at first. What is being hashed again
 * may well be here. */
static bool cli_track_misses(const struct btc_progress *p, bool is_new)
{
    bool checking = p->state == BTC_STATE_CHECKING;

    return (is_new || !checking) &&
           (p->bytes_total == 0 || p->bytes_done < p->bytes_total);
}

/* Copies the facts. Events name all torrents in the same order each time, so
 * the one behind the last is tried first. */
struct cli_torrent *cli_track_update(struct cli_track *t,
                                     const struct btc_progress *p,
                                     int64_t now_ms)
{
    size_t at = t->next;
    if (!cli_track_is_at(t, at, p->id)) {
        at = cli_track_place(t, p->id);
    }
    bool is_new = !cli_track_is_at(t, at, p->id);
    if (is_new) {
        cli_track_add(t, at, p, now_ms);
    }
    struct cli_torrent *item = &t->items[at];
    t->next = (at + 1) % t->n;
    item->missed |= cli_track_misses(p, is_new);
    const struct btc_progress old = item->p;
    item->p = *p;
    item->p.name = old.name;
    item->p.error = old.error;
    item->p.save_path = old.save_path;
    cli_track_text(&item->p.name, front_text_or(p->name, p->info_hash));
    cli_track_text(&item->p.error, p->error);
    cli_track_text(&item->p.save_path, p->save_path);
    return item;
}

/* Keeps what a torrent failed with. */
void cli_track_fail(struct cli_torrent *item, int status, const char *message)
{
    free(item->message);
    item->message = mem_strdup(message);
    item->status = status;
}

/* Whether everything wanted is here. */
bool cli_track_is_done(const struct btc_progress *p)
{
    return p->state == BTC_STATE_COMPLETE || p->state == BTC_STATE_SEEDING;
}

/* The sums; the time left is that of all bytes at the present rate. */
struct cli_totals cli_track_totals(const struct cli_track *t)
{
    struct cli_totals sum = {.eta_s = -1, .is_known = true};

    for (size_t i = 0; i < t->n; i++) {
        const struct btc_progress *p = &t->items[i].p;
        sum.bytes_done += p->bytes_done;
        sum.bytes_total += p->bytes_total;
        sum.down_rate += p->down_rate;
        sum.up_rate += p->up_rate;
        sum.peers += p->peers;
        if (cli_track_is_done(p)) {
            sum.n_done++;
        } else if (p->bytes_total == 0 ||
                   (p->state == BTC_STATE_METADATA && t->n > 1)) {
            sum.is_known = false; /* or it counts its metadata's bytes */
        }
    }
    if (sum.down_rate > 0 && sum.bytes_total > sum.bytes_done) {
        sum.eta_s =
            (int64_t)((sum.bytes_total - sum.bytes_done) / sum.down_rate);
    }
    return sum;
}

/* The state in words. */
const char *cli_track_state(const struct btc_progress *p, char buf[64])
{
    if (p->state == BTC_STATE_CHECKING && p->pieces_total > 0 &&
        p->pieces_checking <= p->pieces_total) {
        unsigned permille = front_format_permille(
            p->pieces_total - p->pieces_checking, p->pieces_total);
        snprintf(buf, 64, "checking %u %%", permille / 10);
    } else {
        snprintf(buf, 64, "%.60s", btc_state_name(p->state));
    }
    return buf;
}
