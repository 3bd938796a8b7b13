/* The startup of a torrent, step by step: fingerprints, then (where it may pay)
 * a scan for data beyond the journal, then a look at files that are not known
 * as ours, then the space there is, then the files that are absent, then the
 * core runs. Each step is a disk job whose answer begins the next; hashing goes
 * on beside the download. What the fingerprints mean is judge.c's.
 */
#include "engine/startup.h"

#include "base/mem.h"
#include "engine/adopt.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/judge.h"
#include "engine/limits.h"
#include "engine/made.h"
#include "engine/others.h"
#include "engine/pipes.h"
#include "engine/report.h"
#include "engine/turn.h"
#include "model/fingerprint.h"
#include "model/names.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a path that are shown, its end. */
#define STARTUP_PATH_MAX 80

/* It does not come to run. */
static void startup_failed(struct engine_torrent *st, int code,
                           const char *text)
{
    judge_withdraw(st);
    turn_post_failed(st, code, text);
}

/* The wish changed while a job was out: what it found is not looked at. */
static bool startup_is_off(const struct engine_torrent *st)
{
    return st->life.aim != LIFE_AIM_RUN;
}

/* --- the last step: files, then go --- */

void startup_hand_over(struct engine_torrent *st)
{
    struct torrent *t = st->t;
    for (size_t i = 0; i < st->rows.n_blocks; i++) {
        if (!bits_get(&st->startup.claimed, st->rows.blocks[i].piece)) {
            torrent_restore_block(t, st->rows.blocks[i].piece,
                                  st->rows.blocks[i].block);
        }
    }
    for (uint32_t i = 0; i < st->geom.n_pieces; i++) {
        bool claimed = bits_get(&st->startup.claimed, i);
        if (bits_get(&st->startup.to_check, i)) {
            torrent_check_piece(t, i, claimed);
        } else if (claimed) {
            torrent_restore_piece(t, i);
        }
    }
    free(st->rows.pieces);
    free(st->rows.blocks);
    st->rows.pieces = NULL;
    st->rows.blocks = NULL;
    st->rows.n_pieces = st->rows.n_blocks = 0;
}

static void startup_create(struct engine_torrent *st);

/* A file that was not asked for when CREATE went out is wanted by now. */
static bool startup_wants_more(const struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        if (!st->geom.files[i].pad && torrent_file_needed(st->t, i) &&
            !bits_get(&st->startup.select, i)) {
            return true;
        }
    }
    return false;
}

/* How a file that is too long becomes the torrent's, unless that would cost
 * somebody else his data. */
static void startup_cut_text(const struct engine_torrent *st, char *text,
                             size_t size)
{
    if (st->startup.longer_help[0] != '\0') {
        (void)snprintf(text, size, "; %s", st->startup.longer_help);
        return;
    }
    (void)snprintf(text, size,
                   "; `btc resume %lld --overwrite` cuts it to its length and "
                   "keeps what is good, or move it away",
                   (long long)st->id);
}

bool startup_is_too_long(const struct engine_torrent *st, char *text,
                         size_t size)
{
    if (!st->startup.longer.exists) {
        return false;
    }
    const struct layout_file *f = &st->geom.files[st->startup.longer_file];
    const char *path = facts_place(st, st->startup.longer_file);
    size_t len = strlen(path);
    size_t cut = 0;
    if (len > STARTUP_PATH_MAX) {
        cut = len - STARTUP_PATH_MAX;
    }
    int n = snprintf(text, size,
                     "%s: exists and is longer: %llu bytes, the torrent's has "
                     "%llu",
                     path + cut, (unsigned long long)st->startup.longer.size,
                     (unsigned long long)f->length);
    startup_cut_text(st, text + n, size - (size_t)n);
    return true;
}

/* No piece of it is here. */
static bool startup_is_foreign(const struct engine_torrent *st, uint32_t file)
{
    uint32_t piece, end;
    layout_file_pieces(&st->geom, file, &piece, &end);
    while (piece < end &&
           picker_state(torrent_picker(st->t), piece) != PICKER_HAVE) {
        piece++;
    }
    return piece == end;
}

bool startup_is_in_the_way(const struct engine_torrent *st, char *text,
                           size_t size)
{
    BITS_EACH (i, &st->startup.adopt.used) {
        if (startup_is_foreign(st, i)) {
            const char *path = facts_place(st, i);
            size_t len = strlen(path);
            size_t cut = len > STARTUP_PATH_MAX ? len - STARTUP_PATH_MAX : 0;
            (void)snprintf(text, size,
                           "%s: what is in its place, or in that of one of "
                           "its folders, holds no piece of this torrent: move "
                           "that away, or `btc resume %lld` refuses it",
                           path + cut, (long long)st->id);
            return true;
        }
    }
    return false;
}

/* Why the files could not be made, and what helps when something that is no
 * data of the torrent's is in the way. */
static void startup_create_text(const struct engine_torrent *st,
                                const struct store_job *job,
                                char text[static TORRENT_ERROR_MAX])
{
    int n = snprintf(text, TORRENT_ERROR_MAX, "%s", job->fail.text);
    if (job->create.may_insist) {
        startup_cut_text(st, text + n, TORRENT_ERROR_MAX - (size_t)n);
    } else if (job->result == BTC_E_EXISTS) {
        (void)snprintf(text + n, TORRENT_ERROR_MAX - (size_t)n,
                       "; move that away, or the torrent: `btc move %lld DIR`",
                       (long long)st->id);
    }
}

/* The files are journaled as the torrent's own. */
static void startup_owned(struct engine_torrent *st, int code, const char *text)
{
    jobs_done(st);
    bool off = startup_is_off(st);
    if (code == 0 && !off && startup_wants_more(st)) {
        startup_create(st);
        return;
    }
    made_forget(st);
    if (code < 0 && !off) {
        startup_failed(st, code, text);
    } else {
        turn_post(st, LIFE_CREATED);
    }
}

/* The files could not be made. */
static void startup_not_created(struct engine_torrent *st,
                                const struct store_job *job)
{
    made_none(st);
    if (startup_is_off(st)) {
        turn_post(st, LIFE_CREATED);
    } else {
        char text[TORRENT_ERROR_MAX];
        startup_create_text(st, job, text);
        startup_failed(st, job->result, text);
    }
}

/* The files are there, or could not be made. They are the torrent's also when
 * something else is wished by now. */
static void startup_created(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    jobs_done(st);
    if (job->result < 0) {
        startup_not_created(st, job);
    } else {
        if (!startup_is_off(st)) {
            judge_end_overwrite(st);
        }
        made_own(st, job->prints, startup_owned);
    }
    jobs_free(job);
}

/* The journal knows what comes. */
static void startup_announced(struct engine_torrent *st, int code,
                              const char *text)
{
    jobs_done(st);
    if (code < 0 || startup_is_off(st)) {
        made_none(st);
    }
    if (startup_is_off(st)) {
        turn_post(st, LIFE_CREATED);
        return;
    }
    if (code < 0) {
        startup_failed(st, code, text);
        return;
    }
    struct store_job *job = jobs_new(st, STORE_CREATE, startup_created);
    job->select = &st->startup.select;
    job->create.overwrite = judge_may_overwrite(st);
    job->create.writes = &st->startup.adopt.writes;
    job->create.label = st->startup.adopt.label;
    store_submit(st->s->disk, job);
}

/* Makes the files that something is wanted of. */
static void startup_create(struct engine_torrent *st)
{
    if (st->s->o.check_only) {
        turn_post(st, LIFE_CREATED);
        return;
    }
    bits_fini(&st->startup.select);
    if (bits_init(&st->startup.select, st->geom.n_files) < 0) {
        startup_failed(st, BTC_E_LIMIT, "too many files");
        return;
    }
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        if (!st->geom.files[i].pad && torrent_file_needed(st->t, i)) {
            bits_set(&st->startup.select, i);
        }
    }
    made_find_writes(st);
    made_announce(st, judge_may_overwrite(st), startup_announced);
}

/* --- the space there is --- */

/* Refuses what cannot fit before a byte is fetched. */
static void startup_spaced(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct engine *s = st->s;
    jobs_done(st);
    uint64_t avail = job->bytes_free;
    int result = job->result;
    jobs_free(job);
    if (startup_is_off(st)) {
        turn_post(st, LIFE_CREATED);
        return;
    }
    uint64_t floor = limits_min_free(s);
    uint64_t need = st->startup.bytes_missing;
    if (result == 0 && need > 0 && (avail < floor || avail - floor < need)) {
        char text[400];
        (void)snprintf(text, sizeof(text),
                       "%s: %llu MiB are missing, %llu MiB are free and %llu "
                       "MiB stay free (--min-free); make room, then `btc "
                       "resume`",
                       st->row.save_path,
                       (unsigned long long)((need + (1u << 20) - 1) >> 20),
                       (unsigned long long)(avail >> 20),
                       (unsigned long long)(floor >> 20));
        startup_failed(st, BTC_E_NOSPACE, text);
        return;
    }
    startup_create(st);
}

void startup_space(struct engine_torrent *st)
{
    if (st->s->o.check_only) {
        startup_create(st);
        return;
    }
    store_submit(st->s->disk, jobs_new(st, STORE_SPACE, startup_spaced));
}

/* --- files that are not known as ours --- */

/* They may be written, or one may not. */
static void startup_adopted(struct engine_torrent *st, int code,
                            const char *text)
{
    jobs_done(st);
    if (code == BTC_E_EXISTS) {
        judge_refused(st, st->startup.adopt.refused_file);
    }
    if (code < 0 && !startup_is_off(st)) {
        startup_failed(st, code, text);
    } else {
        turn_post(st, LIFE_SCANNED);
    }
}

/* What is there and not ours is looked at before anything is written. */
static void startup_adopt(struct engine_torrent *st, bool scanned)
{
    adopt_look(st, &st->startup.adopt.strangers,
               scanned ? &st->startup.to_check : NULL, startup_adopted);
}

/* Something is there, and CREATE would look at what it is. A link of the
 * torrent's leaves anything where it is. */
static bool startup_is_there(const struct engine_torrent *st, uint32_t file,
                             const struct fingerprint *prints)
{
    return !st->geom.files[file].pad && prints[file].exists &&
           torrent_file_needed(st->t, file) &&
           store_tree_link(st->store, file) == NULL;
}

/* btc verify: folders, sockets, links that lead nowhere and the like, which
 * CREATE would refuse, also in the place of a folder, or of a file that was
 * known: of one without bytes nothing else tells. */
static void startup_find_things(struct engine_torrent *st,
                                const struct fingerprint *prints)
{
    struct bits *used = &st->startup.adopt.used;
    bits_fini(used);
    if (!st->s->o.check_only) {
        return;
    }
    int err = bits_init(used, st->geom.n_files);
    BTC_ASSERT(err == 0);
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        bool thing = startup_is_there(st, i, prints) && !prints[i].is_file;
        bool blocked = prints[i].is_blocked && torrent_file_needed(st->t, i);
        if (thing || blocked) {
            (void)bits_set(used, i);
        }
    }
}

/* Files that are to be written, are there, and nobody knows them. */
static void startup_find_strangers(struct engine_torrent *st,
                                   const struct fingerprint *prints)
{
    bits_fini(&st->startup.adopt.strangers);
    int err = bits_init(&st->startup.adopt.strangers, st->geom.n_files);
    BTC_ASSERT(err == 0);
    startup_find_things(st, prints);
    if (judge_may_overwrite(st)) {
        return;
    }
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        const struct layout_file *f = &st->geom.files[i];
        if (startup_is_there(st, i, prints) && prints[i].is_file &&
            !st->rows.state[i].has_print && prints[i].size > 0 &&
            prints[i].size <= f->length) {
            (void)bits_set(&st->startup.adopt.strangers, i);
        }
    }
}

/* --- data beyond the journal --- */

/* Whole pieces of data that nobody claims: hash them, keep the good ones. */
static void startup_scanned(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    bool use = job->result == 0 && !startup_is_off(st);
    jobs_done(st);
    for (uint32_t i = st->startup.checked_from; use && i < st->geom.n_pieces;
         i++) {
        if (bits_get(&job->scan.found, i) &&
            !bits_get(&st->startup.claimed, i)) {
            bits_set(&st->startup.to_check, i);
        }
    }
    jobs_free(job);
    startup_adopt(st, true);
}

/* Asks the filesystem which pieces have data. */
void startup_scan(struct engine_torrent *st)
{
    if (!st->startup.scan_needed || st->s->o.verify == BTC_VERIFY_NONE) {
        startup_adopt(st, false);
        return;
    }
    struct store_job *job = jobs_new(st, STORE_SCAN, startup_scanned);
    job->scan.piece_length = st->geom.piece_length;
    job->scan.n_pieces = st->geom.n_pieces;
    store_submit(st->s->disk, job);
}

/* --- fingerprints --- */

/* The storage is gone: nothing is created, nothing is lost. */
static void startup_absent(struct engine_torrent *st, bool root)
{
    char text[TORRENT_ERROR_MAX];
    char help[80] = "create it or bring the storage back";
    const char *what = "there is no such folder";
    if (root) {
        what = "its files are absent";
        /* Without a number it would be the end of all that are absent. */
        (void)snprintf(help, sizeof(help),
                       "bring the storage back, or start over: `btc resume "
                       "%lld --accept-loss`",
                       (long long)st->id);
    }
    (void)snprintf(text, sizeof(text),
                   "%.80s: %s (%.40s); %s; was it moved? `btc move %lld DIR "
                   "--here`",
                   st->row.save_path, what, st->row.name, help,
                   (long long)st->id);
    turn_post_failed(st, BTC_E_STORAGE, text);
}

/* A file without bytes that is to be there and is not: no piece would miss it.
 * Where the file system has no links nothing is to be done about those. */
static bool startup_is_lacking(const struct engine_torrent *st, uint32_t file,
                               const struct fingerprint *prints)
{
    const struct layout_file *f = &st->geom.files[file];
    return !f->pad && st->rows.state[file].priority > 0 && f->length == 0 &&
           !prints[file].exists && store_tree_link(st->store, file) == NULL;
}

/* btc verify makes no files, so CREATE does not find what it would refuse or
 * make. */
static void startup_find_wrong(struct engine_torrent *st,
                               const struct fingerprint *prints)
{
    st->startup.longer = (struct fingerprint){0};
    st->startup.n_lacking = 0;
    for (uint32_t i = 0; st->s->o.check_only && i < st->geom.n_files; i++) {
        const struct layout_file *f = &st->geom.files[i];
        bool is_longer = prints[i].exists && prints[i].is_file && !f->pad &&
                         st->rows.state[i].priority > 0 &&
                         store_tree_link(st->store, i) == NULL &&
                         prints[i].size > f->length;
        if (is_longer && !st->startup.longer.exists) {
            st->startup.longer = prints[i];
            st->startup.longer_file = i;
        }
        if (startup_is_lacking(st, i, prints)) {
            st->startup.n_lacking++;
        }
    }
}

/* Nothing can be found in files of which there are none. */
static bool startup_has_files(const struct engine_torrent *st,
                              const struct fingerprint *prints)
{
    uint32_t i = 0;
    while (i < st->geom.n_files && !prints[i].exists) {
        i++;
    }
    return i < st->geom.n_files;
}

/* Who else has the files is known. */
static void startup_know_others(struct engine_torrent *st)
{
    turn_post(st, LIFE_STATED);
}

/* Somebody has the file that is too long, or all have been told of. */
static void startup_found_longer(void *ctx, const struct journal_other *o)
{
    struct engine_torrent *st = ctx;
    if (o) {
        others_text(st, o, st->startup.longer_help,
                    sizeof(st->startup.longer_help));
    } else {
        startup_know_others(st);
    }
}

/* What is said of a file that is too long must not harm anybody. */
static void startup_ask_longer(struct engine_torrent *st)
{
    struct journal_owned *file = mem_array(1, sizeof(*file));
    *file = (struct journal_owned){.file = st->startup.longer_file,
                                   .print = st->startup.longer};
    others_who(st, file, 1, startup_found_longer, st);
}

/* Who insists, or only looks, asks nobody before he writes. */
static void startup_find_others(struct engine_torrent *st,
                                const struct fingerprint *prints)
{
    others_forget(st);
    store_tree_allow(st->store);
    st->startup.longer_help[0] = '\0';
    if (st->startup.longer.exists) {
        startup_ask_longer(st);
    } else if (st->s->o.check_only || judge_may_overwrite(st)) {
        startup_know_others(st);
    } else {
        others_find(st, prints, startup_know_others);
    }
}

/* The fingerprints are here. */
static void startup_judged(struct engine_torrent *st,
                           const struct store_job *job)
{
    pipes_place(st, job->root.dev, job->prints);
    if (judge_files(st, job)) {
        adopt_gone(st);
        startup_find_strangers(st, job->prints);
        startup_find_wrong(st, job->prints);
        made_see(st, job->prints);
        st->startup.scan_needed &= startup_has_files(st, job->prints);
        startup_find_others(st, job->prints);
    } else {
        startup_absent(st, job->root.exists);
    }
}

/* Answer to STAT. */
static void startup_stated(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    jobs_done(st);
    if (startup_is_off(st)) {
        turn_post(st, LIFE_STATED);
    } else if (job->result < 0) {
        turn_post_failed(st, job->result, job->fail.text);
    } else {
        adopt_home(st, job->prints);
        startup_judged(st, job);
    }
    jobs_free(job);
}

void startup_stat(struct engine_torrent *st)
{
    bits_fini(&st->startup.claimed);
    bits_fini(&st->startup.to_check);
    bits_fini(&st->startup.changed);
    if (bits_init(&st->startup.claimed, st->geom.n_pieces) < 0 ||
        bits_init(&st->startup.to_check, st->geom.n_pieces) < 0 ||
        bits_init(&st->startup.changed, st->geom.n_files) < 0) {
        turn_post_failed(st, BTC_E_LIMIT, "too many pieces");
        return;
    }
    for (size_t i = 0; i < st->rows.n_pieces; i++) {
        bits_set(&st->startup.claimed, st->rows.pieces[i].piece);
    }
    st->startup.scan_needed = false;
    struct store_job *job = jobs_new(st, STORE_STAT, startup_stated);
    job->look.blocked = st->s->o.check_only;
    store_submit(st->s->disk, job);
}

/* The claims are hashed again beside the download. */
void startup_verify(struct engine_torrent *st, int64_t since)
{
    struct event ev = {.type = EVENT_TICK};
    st->startup.verify_taken = since;
    for (uint32_t i = 0; i < st->geom.n_pieces; i++) {
        if (picker_state(torrent_picker(st->t), i) == PICKER_HAVE) {
            torrent_check_piece(st->t, i, true);
        }
    }
    report_tell_type(st, BTC_EVENT_CHECKING);
    turn_input(st, &ev);
}
