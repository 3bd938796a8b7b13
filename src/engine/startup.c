/* Startup verification: fingerprints, then (where it may pay) a scan for data
 * beyond the journal, then the files that are absent, then the core runs. All
 * of it in disk jobs; hashing goes on beside the download.
 */
#include "engine/internal.h"

#include "base/log.h"
#include "base/mem.h"
#include "core/durable/trust.h"
#include "engine/adopt.h"
#include "model/fingerprint.h"
#include "model/names.h"
#include "model/span.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The wish changed while a job was out: back to where a stop leaves it. */
static bool startup_is_off(struct engine_torrent *st)
{
    bool run = st->row.wanted == WANTED_RUN || st->s->o.check_only;
    if (!st->s->stopping && run && !st->remove) {
        return false;
    }
    st->phase = PHASE_IDLE;
    bits_fini(&st->strangers);
    engine_wake(st->s);
    return true;
}

/* --- the last step: files, then go --- */

/* Gives the core what is trusted and what is to be hashed. */
static void startup_hand_over(struct engine_torrent *st)
{
    struct torrent *t = st->t;
    for (size_t i = 0; i < st->n_blocks; i++) {
        if (!bits_get(&st->claimed, st->blocks[i].piece)) {
            torrent_restore_block(t, st->blocks[i].piece, st->blocks[i].block);
        }
    }
    for (uint32_t i = 0; i < st->geom.n_pieces; i++) {
        bool claimed = bits_get(&st->claimed, i);
        if (bits_get(&st->to_check, i)) {
            torrent_check_piece(t, i, claimed);
        } else if (claimed) {
            torrent_restore_piece(t, i);
        }
    }
    free(st->pieces);
    free(st->blocks);
    st->pieces = NULL;
    st->blocks = NULL;
    st->n_pieces = st->n_blocks = 0;
    engine_torrent_run(st);
}

static void startup_create(struct engine_torrent *st);

/* A person insists: what is in the way goes. */
static bool startup_may_overwrite(const struct engine_torrent *st)
{
    return st->row.overwrite || st->s->o.overwrite;
}

/* A file that was not asked for when CREATE went out is wanted by now. */
static bool startup_wants_more(const struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        if (!st->geom.files[i].pad && torrent_file_needed(st->t, i) &&
            !bits_get(&st->select, i)) {
            return true;
        }
    }
    return false;
}

/* Why the files could not be made, and what helps when something that is no
 * data of the torrent's is in the way. */
static void startup_create_text(const struct engine_torrent *st,
                                const struct store_job *job,
                                char text[static sizeof st->error])
{
    int n = snprintf(text, sizeof st->error, "%s", job->error);
    if (job->overwrite.would_help) {
        (void)snprintf(text + n, sizeof st->error - (size_t)n,
                       "; `btc resume %lld --overwrite` cuts it, or move it "
                       "away",
                       (long long)st->id);
    } else if (job->result == BTC_E_EXISTS) {
        (void)snprintf(text + n, sizeof st->error - (size_t)n,
                       "; move that away, or `btc rm %lld` and get it with "
                       "another --out",
                       (long long)st->id);
    }
}

/* The files are journaled as the torrent's own. */
static void startup_owned(struct engine_torrent *st, int code, const char *text)
{
    engine_job_done(st);
    if (startup_is_off(st)) {
        return;
    }
    if (code < 0) {
        engine_torrent_fail(st, code, text);
    } else if (startup_wants_more(st)) {
        startup_create(st);
    } else {
        startup_hand_over(st);
    }
    engine_wake(st->s);
}

/* The files are there, or could not be made. */
static void startup_created(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    engine_job_done(st);
    if (startup_is_off(st)) {
        engine_job_free(job);
        return;
    }
    if (job->result < 0) {
        char text[sizeof st->error];
        startup_create_text(st, job, text);
        engine_torrent_fail(st, job->result, text);
    } else {
        if (st->row.overwrite) {
            st->row.overwrite = false;
            journal_put_overwritten(st->s->batch, st->id);
        }
        adopt_own(st, job->prints, startup_owned);
    }
    engine_job_free(job);
    engine_wake(st->s);
}

/* Makes the files that something is wanted of. */
static void startup_create(struct engine_torrent *st)
{
    if (st->s->o.check_only) {
        startup_hand_over(st);
        return;
    }
    bits_fini(&st->select);
    if (bits_init(&st->select, st->geom.n_files) < 0) {
        engine_torrent_fail(st, BTC_E_LIMIT, "too many files");
        return;
    }
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        if (!st->geom.files[i].pad && torrent_file_needed(st->t, i)) {
            bits_set(&st->select, i);
        }
    }
    st->phase = PHASE_CREATE;
    struct store_job *job = engine_job(st, STORE_CREATE, startup_created);
    job->select = &st->select;
    job->overwrite.wished = startup_may_overwrite(st);
    store_submit(st->s->disk, job);
}

/* --- the space there is --- */

/* Refuses what cannot fit before a byte is fetched. */
static void startup_spaced(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct engine *s = st->s;
    engine_job_done(st);
    uint64_t avail = job->bytes_free;
    int result = job->result;
    engine_job_free(job);
    if (startup_is_off(st)) {
        return;
    }
    uint64_t floor = engine_min_free(s);
    uint64_t need = st->bytes_missing;
    if (result == 0 && need > 0 && (avail < floor || avail - floor < need)) {
        char text[400];
        (void)snprintf(text, sizeof text,
                       "%s: %llu MiB are missing, %llu MiB are free and %llu "
                       "MiB stay free (--min-free); make room, then `btc "
                       "resume`",
                       st->row.save_path,
                       (unsigned long long)((need + (1u << 20) - 1) >> 20),
                       (unsigned long long)(avail >> 20),
                       (unsigned long long)(floor >> 20));
        engine_torrent_fail(st, BTC_E_NOSPACE, text);
        engine_wake(s);
        return;
    }
    startup_create(st);
}

/* See startup_spaced. */
static void startup_space(struct engine_torrent *st)
{
    if (st->s->o.check_only) {
        startup_create(st);
        return;
    }
    store_submit(st->s->disk, engine_job(st, STORE_SPACE, startup_spaced));
}

/* --- files that are not known as ours --- */

/* They may be written, or one may not. */
static void startup_adopted(struct engine_torrent *st, int code,
                            const char *text)
{
    engine_job_done(st);
    if (startup_is_off(st)) {
        return;
    }
    if (code < 0) {
        engine_torrent_fail(st, code, text);
        engine_wake(st->s);
    } else {
        startup_space(st);
    }
}

/* What is there and not ours is looked at before anything is written. */
static void startup_adopt(struct engine_torrent *st, bool scanned)
{
    adopt_look(st, &st->strangers, scanned ? &st->to_check : NULL,
               startup_adopted);
}

/* Files that are to be written, are there, and nobody knows them. */
static void startup_find_strangers(struct engine_torrent *st,
                                   const struct fingerprint *prints)
{
    bits_fini(&st->strangers);
    int err = bits_init(&st->strangers, st->geom.n_files);
    BTC_ASSERT(err == 0);
    if (st->s->o.check_only || startup_may_overwrite(st)) {
        return;
    }
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        const struct journal_file *f = &st->files[i];
        if (!f->pad && !f->has_print && prints[i].exists && prints[i].is_file &&
            prints[i].size > 0 && prints[i].size <= f->length &&
            torrent_file_needed(st->t, i)) {
            (void)bits_set(&st->strangers, i);
        }
    }
}

/* --- data beyond the journal --- */

/* Whole pieces of data that nobody claims: hash them, keep the good ones. */
static void startup_scanned(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    engine_job_done(st);
    if (startup_is_off(st)) {
        engine_job_free(job);
        return;
    }
    for (uint32_t i = st->checked_from;
         job->result == 0 && i < st->geom.n_pieces; i++) {
        if (bits_get(&job->scan, i) && !bits_get(&st->claimed, i)) {
            bits_set(&st->to_check, i);
        }
    }
    engine_job_free(job);
    startup_adopt(st, true);
    engine_wake(st->s);
}

/* Asks the filesystem which pieces have data. */
static void startup_scan(struct engine_torrent *st)
{
    if (!st->scan_needed || st->s->o.verify == BTC_VERIFY_NONE) {
        startup_adopt(st, false);
        return;
    }
    st->phase = PHASE_SCAN;
    struct store_job *job = engine_job(st, STORE_SCAN, startup_scanned);
    job->piece_length = st->geom.piece_length;
    job->n_pieces = st->geom.n_pieces;
    store_submit(st->s->disk, job);
}

/* --- fingerprints --- */

/* A file changed by somebody else: its claims are hashed again, also if this
 * run is interrupted before it has come to them. */
static void startup_recheck_file(struct engine_torrent *st, uint32_t file)
{
    uint32_t first, end;
    layout_file_pieces(&st->geom, file, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        if (bits_get(&st->claimed, i)) {
            bits_set(&st->to_check, i);
        }
    }
    st->files[file].verify_since = loop_unix_now() + 1;
    char text[512];
    (void)snprintf(text, sizeof text,
                   "%.400s was changed by somebody else: its pieces are hashed "
                   "again",
                   st->files[file].path);
    engine_commit_event(st, LEVEL_WARN, "file-changed", text);
}

/* A file is gone: its pieces are lost, an event row says so. */
static void startup_lose_file(struct engine_torrent *st, uint32_t file)
{
    uint32_t first, end;
    layout_file_pieces(&st->geom, file, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        if (bits_clear(&st->claimed, i)) {
            journal_del_piece(st->facts, st->id, i);
        }
        journal_del_blocks(st->facts, st->id, i);
    }
    size_t kept = 0;
    for (size_t i = 0; i < st->n_blocks; i++) {
        if (st->blocks[i].piece < first || st->blocks[i].piece >= end) {
            st->blocks[kept++] = st->blocks[i];
        }
    }
    st->n_blocks = kept;
    char text[512];
    (void)snprintf(text, sizeof text,
                   "%.400s is gone: its pieces are fetched again",
                   st->files[file].path);
    engine_commit_event(st, LEVEL_WARN, "file-lost", text);
    st->stat_dirty = true;
}

/* The file's fingerprint as it is now goes into the journal. */
static void startup_take_print(struct engine_torrent *st, uint32_t file,
                               const struct fingerprint *p)
{
    struct journal_file *f = &st->files[file];
    f->has_print = p->exists;
    f->dev = p->dev;
    f->ino = p->ino;
    f->size = p->size;
    f->mtime_ns = p->mtime_ns;
    journal_put_file(st->facts, st->id, f);
}

/* What the judge needs of each file. Index i of the array is file map[i]. */
static size_t startup_collect(struct engine_torrent *st,
                              const struct fingerprint *prints,
                              struct trust_file *out, uint32_t *map)
{
    struct bits blocks;
    size_t n = 0;
    int err = bits_init(&blocks, st->geom.n_pieces);
    BTC_ASSERT(err == 0);
    for (size_t i = 0; i < st->n_blocks; i++) {
        bits_set(&blocks, st->blocks[i].piece);
    }
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        const struct journal_file *f = &st->files[i];
        const struct fingerprint *p = &prints[i];
        if (f->pad || f->length == 0) {
            continue;
        }
        uint32_t first, end;
        layout_file_pieces(&st->geom, i, &first, &end);
        bool whole = bits_next_clear(&st->claimed, first) >= end;
        map[n] = i;
        out[n++] = (struct trust_file){
            .length = f->length,
            .claimed = bits_next_set(&st->claimed, first) < end ||
                       bits_next_set(&blocks, first) < end,
            .whole = whole,
            .has_journal = f->has_print,
            .journal = {.dev = f->dev,
                        .ino = f->ino,
                        .size = f->size,
                        .mtime_ns = f->mtime_ns},
            .now = {.exists = p->exists && p->is_file,
                    .dev = p->dev,
                    .ino = p->ino,
                    .size = p->size,
                    .mtime_ns = p->mtime_ns,
                    .blocks = p->blocks}};
    }
    bits_fini(&blocks);
    return n;
}

/* What a wanted file may still take. Allocated data of unknown worth counts as
 * there; so do journaled bytes that a file system keeps in fewer blocks. */
static uint64_t startup_missing(const struct journal_file *f,
                                const struct fingerprint *now)
{
    uint64_t there = now->blocks * 512;
    there = there > f->bytes_done ? there : f->bytes_done;
    there = now->exists ? there : 0;
    return f->priority > 0 && f->length > there ? f->length - there : 0;
}

/* Carries the verdicts out. */
static void startup_apply(struct engine_torrent *st,
                          const struct fingerprint *prints,
                          const struct trust_file *files, const uint32_t *map,
                          size_t n)
{
    bool trust = st->s->o.verify == BTC_VERIFY_NONE;
    st->bytes_missing = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t file = map[i];
        st->bytes_missing += startup_missing(&st->files[file], &files[i].now);
        if (files[i].verdict == TRUST_LOST) {
            startup_lose_file(st, file);
        } else if (files[i].verdict == TRUST_RECHECK && !trust) {
            startup_recheck_file(st, file);
        }
        st->scan_needed |= files[i].beyond;
        if (!files[i].claimed && !st->files[file].has_print) {
            continue; /* not known as ours: see adopt.h */
        }
        if (files[i].verdict != TRUST_TRUST ||
            files[i].now.mtime_ns != st->files[file].mtime_ns) {
            startup_take_print(st, file, &prints[file]);
        }
    }
}

/* Claims older than somebody's wish for a check. */
static void startup_apply_wishes(struct engine_torrent *st)
{
    const struct btc_run_options *o = &st->s->o;
    int64_t since = st->row.verify_since;
    if (o->check_only && o->older_than_s > 0) {
        since = loop_unix_now() - o->older_than_s;
    } else {
        st->verify_taken = since;
    }
    for (size_t i = 0; i < st->n_pieces; i++) {
        uint32_t piece = st->pieces[i].piece;
        int64_t limit = since;
        struct layout_spans it;
        struct span s;
        layout_spans_init(&it, &st->geom, layout_piece_offset(&st->geom, piece),
                          layout_piece_size(&st->geom, piece));
        while (layout_spans_next(&it, &s)) {
            int64_t f = s.pad ? 0 : st->files[s.file].verify_since;
            limit = f > limit ? f : limit;
        }
        if (bits_get(&st->claimed, piece) &&
            st->pieces[i].verified_at < limit && o->verify != BTC_VERIFY_NONE) {
            bits_set(&st->to_check, piece);
        }
    }
    /* A check of everything that was interrupted goes on; a new one starts at
     * the first piece. */
    bool interrupted = st->stat.checked_to < st->geom.n_pieces;
    bool again = st->verify_all && !st->verify_more;
    st->checked_from = interrupted && !again ? st->stat.checked_to : 0;
    st->scan_needed |= interrupted || st->verify_all;
}

/* --accept-loss: the journal forgets its claims and starts over. */
static void startup_forget_all(struct engine_torrent *st)
{
    for (size_t i = 0; i < st->n_pieces; i++) {
        journal_del_piece(st->facts, st->id, st->pieces[i].piece);
    }
    for (size_t i = 0; i < st->n_blocks; i++) {
        journal_del_blocks(st->facts, st->id, st->blocks[i].piece);
    }
    bits_zero(&st->claimed);
    st->n_blocks = st->n_pieces = 0;
    journal_put_accepted_loss(st->facts, st->id);
    engine_commit_event(st, LEVEL_WARN, "accept-loss",
                        "the storage was absent: starting over as wished");
    st->stat_dirty = true;
}

/* The storage is gone: nothing is created, nothing is lost. */
static void startup_absent(struct engine_torrent *st, bool root)
{
    char text[500];
    (void)snprintf(text, sizeof text,
                   root ? "%.300s: the files of \"%.80s\" are absent; bring "
                          "the storage back, or start over with --accept-loss"
                        : "%.300s: no such folder for \"%.80s\"; create it or "
                          "bring the storage back",
                   st->row.save_path, st->row.name);
    engine_torrent_fail(st, BTC_E_STORAGE, text);
}

/* The fingerprints are here. */
static void startup_judged(struct engine_torrent *st,
                           const struct store_job *job)
{
    const struct engine *s = st->s;
    bool quiet = st->stat.updated_at < s->before.heartbeat_at;
    struct trust_run run = {.had_run = s->before.id != 0,
                            .clean = s->before.ended_at != 0,
                            .same_boot = s->same_boot,
                            .interval_s = (s->journal_interval_ms + 999) / 1000,
                            .started_at = s->before.started_at,
                            .heartbeat_at = quiet ? st->stat.updated_at
                                                  : s->before.heartbeat_at,
                            .root_dev = st->stat.root_dev};
    struct fingerprint root = {.exists = job->root.exists,
                               .dev = job->root.dev};
    struct trust_file *files = mem_calloc(st->geom.n_files + 1, sizeof *files);
    uint32_t *map = mem_calloc(st->geom.n_files + 1, sizeof *map);
    size_t n = startup_collect(st, job->prints, files, map);
    bool there = trust_judge(&run, &root, files, n);
    if (!there && root.exists && (s->o.accept_loss || st->row.accept_loss)) {
        startup_forget_all(st);
        n = startup_collect(st, job->prints, files, map);
        there = trust_judge(&run, &root, files, n);
    }
    if (there) {
        st->stat.root_dev = root.dev;
        startup_apply(st, job->prints, files, map, n);
        startup_apply_wishes(st);
        startup_find_strangers(st, job->prints);
        startup_scan(st);
    } else {
        startup_absent(st, root.exists);
    }
    free(files);
    free(map);
}

/* Answer to STAT. */
static void startup_stated(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    engine_job_done(st);
    if (!startup_is_off(st)) {
        if (job->result < 0) {
            engine_torrent_fail(st, job->result, job->error);
        } else {
            startup_judged(st, job);
        }
    }
    engine_job_free(job);
    engine_wake(st->s);
}

void engine_startup_begin(struct engine_torrent *st)
{
    bits_fini(&st->claimed);
    bits_fini(&st->to_check);
    if (bits_init(&st->claimed, st->geom.n_pieces) < 0 ||
        bits_init(&st->to_check, st->geom.n_pieces) < 0) {
        engine_torrent_fail(st, BTC_E_LIMIT, "too many pieces");
        return;
    }
    for (size_t i = 0; i < st->n_pieces; i++) {
        bits_set(&st->claimed, st->pieces[i].piece);
    }
    st->scan_needed = false;
    st->phase = PHASE_STAT;
    store_submit(st->s->disk, engine_job(st, STORE_STAT, startup_stated));
}

/* A wish while the core runs: the claims are hashed again beside it. */
void engine_startup_verify(struct engine_torrent *st, int64_t since)
{
    struct event ev = {.type = EVENT_TICK};
    st->verify_taken = since;
    for (uint32_t i = 0; i < st->geom.n_pieces; i++) {
        if (picker_state(torrent_picker(st->t), i) == PICKER_HAVE) {
            torrent_check_piece(st->t, i, true);
        }
    }
    engine_tell_type(st, BTC_EVENT_CHECKING);
    engine_event(st, &ev);
}
