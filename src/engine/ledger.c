/* What the rows of a torrent say at a commit, and what is told of it; see
 * ledger.h. */
#include "engine/ledger.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"
#include "engine/facts.h"
#include "engine/final_look.h"
#include "engine/refusals.h"
#include "engine/report.h"
#include "engine/turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER_CLOCK_MAX 253402300799 /* the end of 9999: SQLite's */
#define LEDGER_SEEDING_S 600 /* seeding time alone is journaled this often */

/* --- the stat row --- */

static bool ledger_text_same(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return strcmp(a, b) == 0;
}

/* Member by member: padding has no value. */
static bool ledger_stat_same(const struct journal_stat *a,
                             const struct journal_stat *b)
{
    return a->state == b->state && a->bytes_done == b->bytes_done &&
           a->bytes_total == b->bytes_total &&
           a->pieces_done == b->pieces_done && a->down_rate == b->down_rate &&
           a->up_rate == b->up_rate && a->peers == b->peers &&
           a->seeds == b->seeds && a->downloaded == b->downloaded &&
           a->uploaded == b->uploaded && a->wasted == b->wasted &&
           a->error_code == b->error_code && a->eta_s == b->eta_s &&
           ledger_text_same(a->error, b->error) &&
           a->checked_to == b->checked_to &&
           a->completed_at == b->completed_at && a->seeding_s == b->seeding_s &&
           a->root_dev == b->root_dev && a->writes == b->writes;
}

/* The row that goes into the commit, with an error of its own; NULL: none. */
static void ledger_set_next(struct engine_torrent *st,
                            const struct journal_stat *row)
{
    struct torrent_ledger *l = &st->ledger;
    free(l->next_stat);
    free(l->next_error);
    l->next_stat = NULL;
    l->next_error = NULL;
    if (row != NULL) {
        l->next_error = mem_strdup(row->error);
        l->next_stat = mem_dup(row, sizeof(*row));
        l->next_stat->error = l->next_error;
    }
}

/* The torrent's stat row goes into this commit when it differs from the last
 * one. It counts the pieces whose facts are taken: what is verified while the
 * SYNC runs is the next commit's. */
static void ledger_take_stat(struct engine_torrent *st)
{
    struct journal_stat next = {0};
    struct journal_stat same;
    ledger_set_next(st, NULL);
    if (!st->ledger.stat_known || (st->t == NULL && !st->ledger.stat_dirty)) {
        st->ledger.stat_dirty = false;
        return;
    }
    report_fill_stat(st, &next);
    st->ledger.lost_taken = st->ledger.lost;
    st->ledger.lost_bytes_taken = st->ledger.lost_bytes;
    same = next;
    int64_t more = same.seeding_s - st->ledger.told_stat.seeding_s;
    if (more < LEDGER_SEEDING_S && !st->s->commit.last &&
        !st->ledger.stat_dirty) {
        same.seeding_s = st->ledger.told_stat.seeding_s;
    }
    if (!ledger_stat_same(&same, &st->ledger.told_stat)) {
        ledger_set_next(st, &next);
    }
    st->ledger.stat_dirty = false;
}

/* What it counts is durable. */
static void ledger_put_stat(struct engine_torrent *st)
{
    struct torrent_ledger *l = &st->ledger;
    if (l->next_stat != NULL) {
        journal_put_stat(commit_lot(&l->member), st->id, l->next_stat);
        l->told_stat = *l->next_stat;
        l->lost -= l->lost_taken;
        l->lost_bytes -= l->lost_bytes_taken;
        free(l->told_error);
        l->told_error = l->next_error;
        l->next_error = NULL;
        ledger_set_next(st, NULL);
    }
}

/* --- TAKE --- */

/* What of each file stands in the facts that are taken. */
static void ledger_count_files(struct engine_torrent *st)
{
    struct fresh *c = &st->ledger.counted;
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        struct journal_file_state *f = &st->rows.state[i];
        uint64_t done = num_sub_u64(torrent_file_done(st->t, i),
                                    refusals_file_bytes(st, i));
        if (!st->geom.files[i].pad && f->bytes_done != done) {
            f->bytes_done = done;
            c->list = vec_room(c->list, c->n, &c->cap, sizeof(*c->list));
            c->list[c->n++] = i;
        }
    }
}

/* The rows of files that were counted anew. Those that the SYNC has a
 * fingerprint of are put with that, and only once: `prints` NULL = there was
 * none. */
static void ledger_put_counts(struct engine_torrent *st,
                              const struct fingerprint *prints)
{
    struct fresh *c = &st->ledger.counted;
    for (size_t i = 0; i < c->n; i++) {
        uint32_t file = c->list[i];
        if (prints == NULL || !prints[file].exists) {
            journal_put_file(commit_lot(&st->ledger.member), st->id, file,
                             &st->rows.state[file]);
        }
    }
    c->n = 0;
}

/* What of one torrent goes into this commit. */
void ledger_take(struct engine_torrent *st)
{
    struct torrent_ledger *l = &st->ledger;
    ledger_take_stat(st);
    l->pieces.n_taken = l->pieces.n;
    l->files.n_taken = l->files.n;
    l->done_taken = l->done_pending && st->t != NULL &&
                    (st->s->o.check_only || torrent_is_complete(st->t));
    l->counted.n = 0;
    if (st->ran && !l->member.doubted) {
        ledger_count_files(st);
    }
    if (st->store != NULL && store_is_dirty(st->store)) {
        commit_owe_sync(&l->member);
    }
    if (!l->member.dirty) { /* else when it is synced */
        ledger_put_counts(st, NULL);
        ledger_put_stat(st);
    }
}

/* --- SYNC --- */

/* Fingerprints as they are after the sync go into the same commit as the claims
 * that the sync made true. */
static void ledger_put_prints(struct engine_torrent *st,
                              const struct fingerprint *prints)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        struct journal_file_state *f = &st->rows.state[i];
        if (!prints[i].exists) {
            continue;
        }
        facts_print(f, &prints[i]);
        journal_put_file(commit_lot(&st->ledger.member), st->id, i, f);
    }
}

void ledger_synced(struct engine_torrent *st, const struct fingerprint *prints)
{
    ledger_put_counts(st, prints);
    ledger_put_prints(st, prints);
    ledger_put_stat(st);
}

/* --- TELL --- */

/* Takes what was told away. */
static void ledger_drop(struct fresh *f)
{
    f->n -= f->n_taken;
    if (f->n_taken > 0) {
        memmove(f->list, f->list + f->n_taken, f->n * sizeof(*f->list));
    }
    f->n_taken = 0;
}

/* Everything is here. It is complete when the journal says so, too. */
static void ledger_tell_done(struct engine_torrent *st, bool refused)
{
    char text[TORRENT_ERROR_MAX];
    st->ledger.done_taken = st->ledger.done_pending = false;
    if (refused && st->s->commit.schema != NULL) {
        turn_post_failed(st, BTC_E_DB, st->s->commit.schema);
    } else if (refused && loop_unix_now() > LEDGER_CLOCK_MAX) {
        turn_post_failed(st, BTC_E_DB,
                         "the clock says a year beyond 9999, which the "
                         "database cannot hold: set it right, then `btc "
                         "resume`");
    } else if (refused) {
        (void)snprintf(text, sizeof(text),
                       "the database refuses a row (%.150s); take that rule "
                       "away, then `btc resume`",
                       refusals_text(st));
        turn_post_failed(st, BTC_E_DB, text);
    } else {
        final_look(st);
    }
}

/* What the commit made true. `refused`: not all of it. */
void ledger_tell(struct engine_torrent *st, bool refused)
{
    struct torrent_ledger *l = &st->ledger;
    struct btc_event ev = {.type = BTC_EVENT_PIECE};
    for (size_t i = 0; i < l->pieces.n_taken; i++) {
        ev.piece = l->pieces.list[i];
        if (!refusals_has_piece(st, ev.piece)) {
            report_tell(st, &ev);
        }
    }
    ev.type = BTC_EVENT_FILE;
    for (size_t i = 0; i < l->files.n_taken; i++) {
        ev.file = l->files.list[i];
        ev.text = facts_path(st, ev.file);
        if (refusals_file_bytes(st, ev.file) == 0) {
            report_tell(st, &ev);
        }
    }
    if (l->pieces.n_taken > 0) {
        st->watch.n_changed = 0;
    }
    ledger_drop(&l->pieces);
    ledger_drop(&l->files);
    if (l->done_taken) {
        ledger_tell_done(st, refused || refusals_has_any(st));
    }
}

/* What was counted without the piece is counted anew. */
void ledger_recount(struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        st->rows.state[i].bytes_done = UINT64_MAX; /* not what it will be */
    }
    memset(&st->ledger.told_stat, 0, sizeof(st->ledger.told_stat));
    facts_stat(st);
}

void ledger_second(struct engine_torrent *st)
{
    const struct journal_stat *told = &st->ledger.told_stat;
    if (told->down_rate != 0 || told->up_rate != 0 ||
        st->stat.seeding_s - told->seeding_s >= LEDGER_SEEDING_S) {
        turn_ask(st);
    }
}
