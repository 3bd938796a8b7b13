/* Drives that do not answer; see silence.h.
 *
 * A call that does not come back cannot be taken back: its thread, the job and
 * the torrent are the kernel's until it answers. So a run that is to end leaves
 * them behind, says what of them is not saved, and ends with the others.
 *
 * The pipeline of such a drive makes no commit, so its state goes with the
 * facts of the engine's own. */
#include "engine/silence.h"

#include "base/log.h"
#include "engine/facts.h"
#include "engine/pipes.h"
#include "engine/report.h"
#include "engine/turn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Told after this long. One that was asleep may need as long. */
#define SILENCE_TELL_MS 8000u
/* A run that is to end waits so long for an answer, unless it is to hurry, */
#define SILENCE_LEAVE_MS 30000u
/* and so long for the last commit when it was told to hurry: that may be large
 * and its disk slow. */
#define SILENCE_HURRY_JOURNAL_MS 5000u
/* Told when the run is to end: a commit mostly takes less. */
#define SILENCE_WAIT_JOURNAL_MS 1000u

uint64_t silence_patience_ms(const struct engine *s, uint64_t hurry_ms)
{
    if (s->end.hurry) {
        return hurry_ms;
    }
    return SILENCE_LEAVE_MS;
}

/* Milliseconds, 0 = it answers. */
static uint64_t silence_of(struct engine_torrent *st, uint64_t now)
{
    uint64_t since = 0;
    if (st->store != NULL) {
        since = store_tree_silent_ms(st->store);
    }
    if (since != 0 && since < now) {
        return now - since;
    }
    return 0;
}

/* --- told --- */

/* The state goes by itself, the rest of the row waits for its pipeline. */
static void silence_put(struct engine_torrent *st, int64_t since)
{
    struct journal_batch *b = pipes_free_facts(st->s);
    struct journal_stat now = {0};
    report_fill_stat(st, &now);
    journal_put_silence(b, st->id, since, now.state, now.error);
    pipes_hurry(st->s);
    report_tell_state(st);
}

static void silence_begin(struct engine_torrent *st, uint64_t ms)
{
    char text[400];
    st->watch.silent_ms = loop_now_ms(st->s->loop) - ms;
    silence_put(st, loop_unix_now() - (int64_t)(ms / 1000));
    if (st->n_jobs > 0) {
        (void)snprintf(text, sizeof(text),
                       "the drive of %.300s has not answered for %" PRIu64 " s",
                       st->row.save_path, ms / 1000);
        facts_event(st, LEVEL_WARN, "storage", text);
    }
}

static void silence_end(struct engine_torrent *st, uint64_t now)
{
    char text[400];
    uint64_t ms = now - st->watch.silent_ms;
    st->watch.silent_ms = 0;
    silence_put(st, 0);
    facts_stat(st);
    (void)snprintf(text, sizeof(text),
                   "the drive of %.300s answers again, after %" PRIu64 " s",
                   st->row.save_path, ms / 1000);
    facts_event(st, LEVEL_INFO, "storage", text);
}

static void silence_look(struct engine_torrent *st, uint64_t now)
{
    uint64_t ms = silence_of(st, now);
    if (ms >= SILENCE_TELL_MS && st->watch.silent_ms == 0) {
        silence_begin(st, ms);
    } else if (ms == 0 && st->watch.silent_ms != 0) {
        silence_end(st, now);
    }
}

/* --- the end of the run --- */

/* Pieces that are here and not in the journal. */
static uint32_t silence_unsaved(const struct engine_torrent *st)
{
    struct torrent_stats ts;
    const struct journal_stat *saved = &st->ledger.told_stat;
    if (st->t == NULL || !st->ran) {
        return 0;
    }
    if (saved->state == BTC_STATE_UNKNOWN) {
        saved = &st->stat;
    }
    torrent_get_stats(st->t, loop_now_ms(st->s->loop), &ts);
    if (ts.pieces_done > saved->pieces_done) {
        return ts.pieces_done - saved->pieces_done;
    }
    return 0;
}

/* Adds to what the run ends with. */
static void silence_say(struct engine *s, const char *text)
{
    size_t len = strlen(s->end.error);
    (void)snprintf(s->end.error + len, sizeof(s->end.error) - len, "%s", text);
}

/* It is not waited for: what of it is not durable is what the run ends with. */
static void silence_leave(struct engine_torrent *st, uint64_t ms)
{
    struct engine *s = st->s;
    char text[300];
    uint32_t unsaved = silence_unsaved(st);
    st->watch.left = true;
    if (!s->end.left) {
        s->end.left = true;
        s->end.error[0] = '\0';
    }
    if (unsaved == 0 && st->life.finished) {
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "%sthe drive of %.100s has not answered for %" PRIu64
                   " s: %" PRIu32 " pieces of %.100s are not saved",
                   s->end.error[0] == '\0' ? "" : "; ", st->row.save_path,
                   ms / 1000, unsaved, st->row.name);
    silence_say(s, text);
    s->end.status = BTC_E_STORAGE;
    log_write(LOG_INFO, "disk", "%s", text);
}

static void silence_end_run(struct engine *s, uint64_t now)
{
    uint64_t most = silence_patience_ms(s, SILENCE_HURRY_MS);
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        uint64_t ms = silence_of(st, now);
        if (ms >= most && st->n_jobs > 0 && !st->watch.left) {
            silence_leave(st, ms);
        } else if (ms > 0 && st->n_jobs > 0 && !s->end.told_wait) {
            s->end.told_wait = true;
            log_write(LOG_WARN, "disk",
                      "waits for the drive of %s, which has not answered for "
                      "%" PRIu64 " s; a second ^C ends without it",
                      st->row.save_path, ms / 1000);
        }
    }
}

/* --- the drive of the database --- */

/* Without its thread no fact can be journaled any more. What is on the disks
 * stays there, and the next run finds it. */
static void silence_leave_journal(struct engine *s, uint64_t ms)
{
    uint32_t unsaved = 0;
    for (const struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        unsaved += silence_unsaved(st);
    }
    s->end.left = s->end.no_journal = true;
    s->commit.dead = true;
    s->end.status = BTC_E_STORAGE;
    (void)snprintf(s->end.error, sizeof(s->end.error),
                   "the drive of the database has not answered for %" PRIu64
                   " s: %" PRIu32 " pieces are not journaled; what of them is "
                   "on the disk is found by `btc resume`",
                   ms / 1000, unsaved);
    log_write(LOG_INFO, "journal", "%s", s->end.error);
}

static void silence_tell_journal(struct engine *s, uint64_t ms)
{
    if (ms >= SILENCE_TELL_MS && !s->end.told_journal) {
        log_write(LOG_WARN, "journal",
                  "the drive of the database has not answered for %" PRIu64
                  " s: nothing is journaled until it does",
                  ms / 1000);
    }
    s->end.told_journal = ms >= SILENCE_TELL_MS;
}

static void silence_look_journal(struct engine *s)
{
    uint64_t ms = journal_thread_silent_ms(s->journal_thread);
    uint64_t most = silence_patience_ms(s, SILENCE_HURRY_JOURNAL_MS);
    silence_tell_journal(s, ms);
    if (s->end.phase != END_WINDING || s->end.no_journal) {
        return;
    }
    if (ms >= most) {
        silence_leave_journal(s, ms);
    } else if (ms >= SILENCE_WAIT_JOURNAL_MS && !s->end.told_wait) {
        s->end.told_wait = true;
        log_write(LOG_WARN, "journal",
                  "waits for the drive of the database, which has not answered "
                  "for %" PRIu64 " s; a second ^C ends without it",
                  ms / 1000);
    }
}

/* While all drives answer and nobody was told of one, there is nobody to ask:
 * ten thousand torrents at rest cost nothing. */
void silence_second(struct engine *s)
{
    uint64_t now = loop_now_ms(s->loop);
    bool silent = store_look(s->disk, now);
    bool told = false;
    silence_look_journal(s);
    if (!silent && !s->clock.silent) {
        return;
    }
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        silence_look(st, now);
        told |= st->watch.silent_ms != 0;
    }
    s->clock.silent = told;
    if (s->end.phase == END_WINDING && !s->end.no_journal) {
        silence_end_run(s, now);
    }
}

bool silence_is_left(const struct engine_torrent *st)
{
    return st->watch.left;
}

bool silence_has_left_journal(const struct engine *s)
{
    return s->end.no_journal;
}

bool silence_has_left(const struct engine *s)
{
    return s->end.left;
}

bool silence_has_pipe(const struct engine *s, const struct pipeline *p)
{
    for (const struct engine_torrent *st = s->end.left ? s->torrents : NULL;
         st != NULL; st = st->hh.next) {
        if (st->watch.left && pipes_of(st) == p) {
            return true;
        }
    }
    return false;
}
