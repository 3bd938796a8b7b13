/* What of a torrent's data is trusted: the rows and the fingerprints go to
 * core/durable/trust, its verdicts come back as pieces that stand, that are to
 * be hashed, or that are lost. Called by startup.c; calls nothing of the
 * startup.
 */
#include "engine/judge.h"

#include "base/mem.h"
#include "base/num.h"
#include "core/durable/trust.h"
#include "engine/facts.h"
#include "engine/turn.h"
#include "model/fingerprint.h"
#include "model/span.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Files of one verdict that are told of one by one. */
#define JUDGE_MAX_TOLD 20u

/* Whatever was verified in the file until now is to be hashed again. */
static void judge_owe_check(struct engine_torrent *st, uint32_t file)
{
    journal_file_set_since(&st->rows.state[file],
                           journal_since_now(loop_unix_now()));
}

/* The claims of a file are hashed again, also if this run is interrupted before
 * it has come to them. */
static void judge_doubt_file(struct engine_torrent *st, uint32_t file)
{
    uint32_t first, end;
    layout_file_pieces(&st->geom, file, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        if (bits_get(&st->startup.claimed, i)) {
            bits_set(&st->startup.to_check, i);
        }
    }
    judge_owe_check(st, file);
}

/* It has just been found at its place, although the journal had it out of
 * sight. */
static bool judge_is_homecomer(const struct engine_torrent *st, uint32_t file)
{
    return file < st->startup.adopt.taken.n &&
           bits_get(&st->startup.adopt.taken, file);
}

/* What is told of a file after a verdict, and of many. */
static const struct {
    enum level level;
    const char *kind, *one, *more;
} judge_news[TRUST_N_VERDICTS] = {
    [TRUST_LOST] = {LEVEL_WARN, "file-lost",
                    "is gone: its pieces count as missing",
                    "more files are gone: their pieces count as missing"},
    [TRUST_RECHECK] = {LEVEL_WARN, "file-changed",
                       "was changed by somebody else: its pieces are hashed "
                       "again",
                       "more files were changed by somebody else: their "
                       "pieces are hashed again"},
    [TRUST_LATE] = {LEVEL_INFO, "file-late",
                    "was written by a run that was killed: its pieces are "
                    "hashed before it is complete",
                    "more files were written by a run that was killed: their "
                    "pieces are hashed before it is complete"},
};

static void judge_tell(struct engine_torrent *st, uint32_t file,
                       enum trust_verdict verdict)
{
    char text[512];
    const char *news = judge_news[verdict].one;
    if (verdict == TRUST_RECHECK && judge_is_homecomer(st, file)) {
        verdict = TRUST_LATE;
        news = "was taken to its place by a run that was killed: its pieces "
               "are hashed again";
    }
    (void)snprintf(text, sizeof(text), "%.400s %s", facts_path(st, file), news);
    facts_event(st, judge_news[verdict].level, judge_news[verdict].kind, text);
}

/* A folder of very many may be gone: a line for each would push all that has
 * happened out of the log. */
static void judge_tell_more(struct engine_torrent *st,
                            const uint32_t n[static TRUST_N_VERDICTS])
{
    for (size_t i = 0; i < TRUST_N_VERDICTS; i++) {
        char text[160];
        if (n[i] > JUDGE_MAX_TOLD) {
            (void)snprintf(text, sizeof(text), "%u %s", n[i] - JUDGE_MAX_TOLD,
                           judge_news[i].more);
            facts_event(st, judge_news[i].level, judge_news[i].kind, text);
        }
    }
}

/* A claim is gone, also from what people see: the torrent may not come to run.
 */
static void judge_drop_piece(struct engine_torrent *st, uint32_t piece)
{
    uint64_t bytes = facts_unclaim(st, piece);
    if (st->stat.pieces_done > 0) {
        st->stat.pieces_done--;
    }
    st->stat.bytes_done = num_sub_u64(st->stat.bytes_done, bytes);
}

/* No piece is claimed in a file any more. */
static void judge_drop_pieces(struct engine_torrent *st, uint32_t file)
{
    uint32_t first, end;
    layout_file_pieces(&st->geom, file, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        if (bits_clear(&st->startup.claimed, i)) {
            judge_drop_piece(st, i);
        }
    }
    st->rows.state[file].bytes_done = 0;
    facts_stat(st);
}

/* Nor a block of an unfinished one. */
static void judge_drop_blocks(struct engine_torrent *st, uint32_t file)
{
    uint32_t first, end;
    size_t kept = 0;
    layout_file_pieces(&st->geom, file, &first, &end);
    for (size_t i = 0; i < st->rows.n_blocks; i++) {
        if (st->rows.blocks[i].piece < first ||
            st->rows.blocks[i].piece >= end) {
            st->rows.blocks[kept++] = st->rows.blocks[i];
        } else {
            journal_del_blocks(commit_facts(&st->ledger.member), st->id,
                               st->rows.blocks[i].piece);
        }
    }
    st->rows.n_blocks = kept;
}

/* The file's fingerprint as it is now goes into the journal, and with it the
 * debt to hash its claims. That is no claim: it does not wait for a SYNC, and a
 * SYNC that fails must not drop it. */
static void judge_take_print(struct engine_torrent *st, uint32_t file,
                             const struct fingerprint *p)
{
    struct journal_file_state *f = &st->rows.state[file];
    bool trust = st->s->o.verify == BTC_VERIFY_NONE;
    bool another = !trust && journal_file_is_another(f, p);
    facts_print(f, p);
    f->has_print &= !another;
    journal_put_doubt(commit_facts(&st->ledger.member), st->id, file, f);
}

/* What the judge needs of each file. Index i of the array is file map[i]. */
static size_t judge_collect(struct engine_torrent *st,
                            const struct fingerprint *prints,
                            struct trust_file *out, uint32_t *map)
{
    struct bits blocks;
    size_t n = 0;
    int err = bits_init(&blocks, st->geom.n_pieces);
    BTC_ASSERT(err == 0);
    for (size_t i = 0; i < st->rows.n_blocks; i++) {
        bits_set(&blocks, st->rows.blocks[i].piece);
    }
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        const struct journal_file_state *f = &st->rows.state[i];
        const struct fingerprint *p = &prints[i];
        if (st->geom.files[i].pad || st->geom.files[i].length == 0) {
            continue;
        }
        uint32_t first, end;
        layout_file_pieces(&st->geom, i, &first, &end);
        bool whole = bits_next_clear(&st->startup.claimed, first) >= end;
        bool has_blocks = f->has_print && bits_next_set(&blocks, first) < end;
        map[n] = i;
        out[n++] = (struct trust_file){
            .length = st->geom.files[i].length,
            .claimed =
                bits_next_set(&st->startup.claimed, first) < end || has_blocks,
            .whole = whole,
            .has_journal = f->has_print,
            .journal = {.dev = f->dev,
                        .ino = f->ino,
                        .size = f->size,
                        .mtime_ns = f->mtime_ns,
                        .ctime_ns = f->ctime_ns},
            .now = *p};
        out[n - 1].now.exists = p->exists && p->is_file;
    }
    bits_fini(&blocks);
    return n;
}

/* What a wanted file may still take. Allocated data of unknown worth counts as
 * there; so do journaled bytes that a file system keeps in fewer blocks. */
static uint64_t judge_missing(const struct engine_torrent *st, uint32_t file,
                              const struct fingerprint *now)
{
    const struct journal_file_state *f = &st->rows.state[file];
    uint64_t length = st->geom.files[file].length;
    uint64_t there = now->blocks * 512;
    there = num_max_u64(there, f->bytes_done);
    if (!now->exists) {
        there = 0;
    }
    if (f->priority > 0 && length > there) {
        return length - there;
    }
    return 0;
}

/* The journal has this very fingerprint. */
static bool judge_has_print(const struct journal_file_state *f,
                            const struct fingerprint *p)
{
    return f->has_print && f->dev == p->dev && f->ino == p->ino &&
           f->size == p->size && f->mtime_ns == p->mtime_ns &&
           f->ctime_ns == p->ctime_ns;
}

/* Blocks that were kept for the file while another stood in its place (see
 * judge_refused): it has not come back, or somebody insists on the other. */
static void judge_end_blocks(struct engine_torrent *st, uint32_t file,
                             const struct fingerprint *now)
{
    if (!st->rows.state[file].has_print &&
        (!now->exists || judge_may_overwrite(st))) {
        judge_drop_blocks(st, file);
    }
}

/* What a verdict costs the claims of a file; it is told of the first ones. */
static void judge_apply_file(struct engine_torrent *st, uint32_t file,
                             enum trust_verdict verdict,
                             uint32_t told[static TRUST_N_VERDICTS])
{
    if (verdict == TRUST_LOST) {
        judge_drop_pieces(st, file);
        judge_drop_blocks(st, file);
    } else if (verdict == TRUST_RECHECK || verdict == TRUST_LATE) {
        judge_doubt_file(st, file);
    } else {
        return;
    }
    if (verdict == TRUST_RECHECK) {
        (void)bits_set(&st->startup.changed, file);
    }
    if (told[verdict]++ < JUDGE_MAX_TOLD) {
        judge_tell(st, file, verdict);
    }
}

/* Carries the verdicts out. */
static void judge_apply(struct engine_torrent *st,
                        const struct fingerprint *prints,
                        const struct trust_file *files, const uint32_t *map,
                        size_t n)
{
    bool trust = st->s->o.verify == BTC_VERIFY_NONE;
    uint32_t told[TRUST_N_VERDICTS] = {0};
    st->startup.bytes_missing = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t file = map[i];
        st->startup.bytes_missing += judge_missing(st, file, &files[i].now);
        if (!trust || files[i].verdict == TRUST_LOST) {
            judge_apply_file(st, file, files[i].verdict, told);
        }
        st->startup.scan_needed |= files[i].beyond;
        /* one that is not known as ours: see adopt.h */
        bool ours = files[i].claimed || st->rows.state[file].has_print;
        if (ours && (files[i].verdict != TRUST_TRUST ||
                     !judge_has_print(&st->rows.state[file], &prints[file]))) {
            judge_take_print(st, file, &prints[file]);
        }
        judge_end_blocks(st, file, &files[i].now);
    }
    judge_tell_more(st, told);
}

/* Of a file without bytes there is nothing to lose or to doubt. One that is
 * gone is owed (owed.h) until it is made anew, and then that one is the
 * torrent's own: see made_own. Another one in its place is all that it is to
 * be, so it is taken over, as one with a good piece is; and one whose drive was
 * numbered anew is known by its new number. */
static void judge_empty(struct engine_torrent *st,
                        const struct fingerprint *prints)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        struct journal_file_state *f = &st->rows.state[i];
        const struct fingerprint *p = &prints[i];
        bool empty = p->exists && p->is_file && p->size == 0;
        if (!f->has_print || st->geom.files[i].length > 0) {
            continue;
        }
        if (!p->exists || (empty && !judge_has_print(f, p))) {
            facts_print(f, p);
            journal_put_doubt(commit_facts(&st->ledger.member), st->id, i, f);
        }
    }
}

/* What the wish asks for; a check of everything that was interrupted goes on,
 * a new one starts at the first piece. */
static int64_t judge_wished_since(struct engine_torrent *st)
{
    const struct btc_run_options *o = &st->s->o;
    bool interrupted = st->stat.checked_to < st->geom.n_pieces;
    bool again = st->startup.verify_all && !st->startup.verify_more;
    if (interrupted && !again) {
        st->startup.checked_from = st->stat.checked_to;
    } else {
        st->startup.checked_from = 0;
    }
    st->startup.scan_needed |= interrupted || st->startup.verify_all;
    if (o->check_only && o->older_than_s > 0) {
        /* a clock near 1970 does not make young what never was verified */
        return journal_since_now(loop_unix_now() - o->older_than_s - 1);
    }
    st->startup.verify_taken = st->row.verify_since;
    return st->row.verify_since;
}

/* The latest wish that concerns a piece: the torrent's or one of its files'. */
static int64_t judge_piece_since(const struct engine_torrent *st,
                                 uint32_t piece, int64_t since)
{
    struct layout_spans it;
    struct span s;
    layout_spans_init(&it, &st->geom, layout_piece_offset(&st->geom, piece),
                      layout_piece_size(&st->geom, piece));
    while (layout_spans_next(&it, &s)) {
        int64_t f = 0;
        if (!s.pad) {
            f = journal_file_since(&st->rows.state[s.file]);
        }
        if (f > since) {
            since = f;
        }
    }
    return since;
}

/* Claims older than somebody's wish for a check. A piece that was verified
 * while the clock was ahead never was, as far as anybody can tell; the journal
 * says so, or else it would be skipped when the clock has come there. */
static void judge_wishes(struct engine_torrent *st)
{
    int64_t since = judge_wished_since(st);
    int64_t now = loop_unix_now();
    for (size_t i = 0; i < st->rows.n_pieces; i++) {
        uint32_t piece = st->rows.pieces[i].piece;
        int64_t at = trust_verified_at(st->rows.pieces[i].verified_at, now);
        if (!bits_get(&st->startup.claimed, piece)) {
            continue;
        }
        if (at != st->rows.pieces[i].verified_at) {
            journal_put_piece(commit_facts(&st->ledger.member), st->id, piece,
                              at);
        }
        if (st->s->o.verify != BTC_VERIFY_NONE &&
            at < judge_piece_since(st, piece, since)) {
            bits_set(&st->startup.to_check, piece);
        }
    }
}

/* --accept-loss: the journal forgets its claims and starts over. */
static void judge_forget_all(struct engine_torrent *st, struct trust_run *run)
{
    for (size_t i = 0; i < st->rows.n_pieces; i++) {
        judge_drop_piece(st, st->rows.pieces[i].piece);
    }
    for (size_t i = 0; i < st->rows.n_blocks; i++) {
        journal_del_blocks(commit_facts(&st->ledger.member), st->id,
                           st->rows.blocks[i].piece);
    }
    bits_zero(&st->startup.claimed);
    st->rows.n_blocks = st->rows.n_pieces = 0;
    run->root_dev = 0; /* nor where it was */
    facts_event(st, LEVEL_WARN, "accept-loss",
                "the storage was absent: starting over as wished");
    facts_stat(st);
}

/* It was doing something when the journal last heard of it. */
static bool judge_was_active(const struct journal_stat *stat)
{
    return stat->state == BTC_STATE_DOWNLOADING ||
           stat->state == BTC_STATE_CHECKING ||
           stat->state == BTC_STATE_SEEDING;
}

/* This boot's id, to tell a killed process from a power cut. */
static bool judge_same_boot(const struct journal_run *run)
{
    char id[40] = "";
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (f != NULL) {
        if (fgets(id, sizeof(id), f) == NULL) {
            id[0] = '\0';
        }
        (void)fclose(f);
    }
    id[strcspn(id, "\n")] = '\0';
    return id[0] != '\0' && strcmp(id, run->boot_id) == 0;
}

/* The last run that may have written to this torrent. It may have gone on long
 * after it had done with it. A database of an older version does not tell which
 * run that was: then it is the one before this one, if any. */
static struct trust_run judge_run(const struct engine_torrent *st)
{
    const struct engine *s = st->s;
    bool told = st->stat.last_run != 0;
    const struct journal_run *r = told ? &st->startup.last_run : &s->before;
    bool until_end = told && judge_was_active(&st->stat);
    struct trust_run run = {.known = r->id != 0,
                            .clean = r->ended_at != 0,
                            .same_boot = judge_same_boot(r),
                            .interval_s = (s->commit.interval_ms + 999) / 1000,
                            .started_at = r->started_at,
                            .heartbeat_at = r->heartbeat_at,
                            .now = loop_unix_now(),
                            .root_dev = st->stat.root_dev};
    if (!until_end && st->stat.updated_at < r->heartbeat_at) {
        run.heartbeat_at = st->stat.updated_at;
    }
    return run;
}

/* Whether another device number means another filesystem: within one boot, and
 * where it is that of /, which is always there. */
static bool judge_is_bare(const struct engine_torrent *st,
                          const struct fingerprint *root)
{
    struct stat slash;
    struct timespec up = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &up);
    bool same_boot = st->row.added_at > loop_unix_now() - up.tv_sec;
    return same_boot || (stat("/", &slash) == 0 && slash.st_dev == root->dev);
}

/* Whoever would accept a loss has been answered: there was one, or none. Kept,
 * the wish would start over when some other day a drive is away. */
static void judge_end_loss(struct engine_torrent *st)
{
    if (st->row.accept_loss) {
        st->row.accept_loss = false;
        journal_put_accepted_loss(commit_facts(&st->ledger.member), st->id);
    }
}

void judge_end_overwrite(struct engine_torrent *st)
{
    if (st->row.overwrite) {
        st->row.overwrite = false;
        journal_put_overwritten(commit_facts(&st->ledger.member), st->id);
    }
}

void judge_answer(struct engine_torrent *st)
{
    judge_end_loss(st);
    if (!st->s->o.check_only) {
        judge_end_overwrite(st);
    }
}

bool judge_may_overwrite(const struct engine_torrent *st)
{
    return st->row.overwrite || st->s->o.overwrite;
}

bool judge_files(struct engine_torrent *st, const struct store_job *job)
{
    struct trust_run run = judge_run(st);
    struct fingerprint root = {.exists = job->root.exists,
                               .dev = job->root.dev};
    run.bare = judge_is_bare(st, &root);
    struct trust_file *files = mem_calloc(st->geom.n_files + 1, sizeof(*files));
    uint32_t *map = mem_calloc(st->geom.n_files + 1, sizeof(*map));
    size_t n = judge_collect(st, job->prints, files, map);
    bool there = trust_judge(&run, &root, files, n);
    if (!there && root.exists &&
        (st->s->o.accept_loss || st->row.accept_loss)) {
        judge_forget_all(st, &run);
        n = judge_collect(st, job->prints, files, map);
        there = trust_judge(&run, &root, files, n);
    }
    if (there) {
        judge_end_loss(st);
        st->stat.root_dev = root.dev;
        judge_apply(st, job->prints, files, map, n);
        judge_empty(st, job->prints);
        judge_wishes(st);
    }
    free(files);
    free(map);
    return there;
}

void judge_withdraw(struct engine_torrent *st)
{
    BITS_EACH (i, &st->startup.changed) {
        judge_drop_pieces(st, i);
        st->stat.checked_to = 0; /* data beyond the journal is looked for */
    }
    bits_zero(&st->startup.changed);
}

void judge_refused(struct engine_torrent *st, uint32_t file)
{
    judge_drop_pieces(st, file);
    journal_put_doubt(commit_facts(&st->ledger.member), st->id, file,
                      &st->rows.state[file]);
}

void judge_checked(struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        if (st->rows.state[i].since != 0) {
            st->rows.state[i].since = 0;
            journal_put_file(commit_facts(&st->ledger.member), st->id, i,
                             &st->rows.state[i]);
        }
    }
}

void judge_distrust(struct engine_torrent *st, uint32_t piece)
{
    struct layout_spans it;
    struct span s;
    layout_spans_init(&it, &st->geom, layout_piece_offset(&st->geom, piece),
                      layout_piece_size(&st->geom, piece));
    while (layout_spans_next(&it, &s)) {
        if (!s.pad) {
            judge_owe_check(st, s.file);
            journal_put_doubt(commit_facts(&st->ledger.member), st->id, s.file,
                              &st->rows.state[s.file]);
        }
    }
}

void judge_touched(struct engine_torrent *st, uint32_t file)
{
    uint32_t first, end;
    judge_doubt_file(st, file);
    judge_tell(st, file, TRUST_RECHECK);
    journal_put_doubt(commit_facts(&st->ledger.member), st->id, file,
                      &st->rows.state[file]);
    layout_file_pieces(&st->geom, file, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        if (picker_state(torrent_picker(st->t), i) == PICKER_HAVE) {
            torrent_check_piece(st->t, i, true);
        }
    }
    store_accept(st->store, file);
    turn_touch(st);
}
