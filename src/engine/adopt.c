/* See adopt.h. One job at a time: files in the order of the torrent, of each
 * its pieces until one matches. A piece that matches speaks for all the files
 * that it touches. */
#include "engine/adopt.h"

#include "base/mem.h"
#include "core/durable/trust.h"
#include "engine/facts.h"
#include "engine/infos.h"
#include "engine/others.h"
#include "journal/owner.h"
#include "journal/shared.h"
#include "journal/writer.h"
#include "model/span.h"
#include "store/home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a torrent's name in that of its hidden folder: with the rest of it
 * short enough for every file system. */
#define ADOPT_NAME_MAX 100
#define ADOPT_PATH_MAX 140 /* bytes of a path that are shown, its end */
/* So many zeros in the places where nothing has come yet tell a copy of a file
 * that is half here. */
#define ADOPT_ZEROS_MIN 4096u

/* What is under way. */
struct adopt {
    struct engine_torrent *st; /* borrows; counts in its n_jobs */
    adopt_done_fn *done;
    struct bits strangers;         /* owns; not looked at yet, or not ours */
    const struct bits *candidates; /* borrows; NULL = all pieces */
    uint32_t file;                 /* that is looked at */
    uint32_t piece, end;           /* of the file: the next to hash */
    struct fingerprint print;      /* of the file */
    char *save_path, *path;        /* own; of the file, when it is refused */
    int64_t owner;                 /* another torrent that has it, or 0 */
    struct bits unknown; /* owns; first `strangers`: one piece is enough */
    const struct journal_other *other; /* borrows; who has data in `file`: all
                                        * pieces must match */
    struct store_look_place *places;   /* owns; where others may have it */
    void (*next)(struct adopt *a);     /* a circle that is none on the stack */
    struct store_job job;              /* the one that is out */
};

/* Tells the outcome. */
static void adopt_end(struct adopt *a, int code, const char *text)
{
    struct engine_torrent *st = a->st;
    adopt_done_fn *done = a->done;
    bits_fini(&a->strangers);
    bits_fini(&a->unknown);
    free(a->save_path);
    free(a->path);
    free(a->places);
    free(a);
    done(st, code, text);
}

/* Nobody waits for it any more. */
static bool adopt_is_off(const struct engine_torrent *st)
{
    return st->life.aim != LIFE_AIM_RUN;
}

/* The next job. */
static struct store_job *adopt_job(struct adopt *a, enum store_op op,
                                   store_done_fn *done)
{
    a->job = (struct store_job){.op = op,
                                .store = a->st->store,
                                .done = done,
                                .ctx = a,
                                .look.file = a->file,
                                .fail.file = -1};
    return &a->job;
}

/* What helps. To insist would cost another torrent its data, if it has the
 * file. */
static void adopt_refuse_text(const struct adopt *a, char *out, size_t size)
{
    long long id = (long long)a->st->id;
    if (a->other) {
        others_text(a->st, a->other, out, size);
    } else if (a->owner == 0) {
        (void)snprintf(out, size,
                       "move that away, or `btc resume %lld --overwrite`", id);
    } else {
        (void)snprintf(out, size,
                       "torrent %lld has that file, too; go elsewhere: `btc "
                       "move %lld DIR --here`",
                       (long long)a->owner, id);
    }
}

/* What is wrong with the file. */
static const char *adopt_refuse_reason(const struct adopt *a)
{
    if (a->other) {
        return "exists and is not all of this torrent's";
    }
    return "exists and holds no piece of this torrent";
}

/* The owner is known. */
static void adopt_refused(void *ctx)
{
    struct adopt *a = ctx;
    char text[ADOPT_PATH_MAX + 192];
    char help[128];
    char *path = mem_printf("%s/%s", a->save_path, a->path);
    size_t len = strlen(path);
    size_t cut = 0;
    if (len > ADOPT_PATH_MAX) {
        cut = len - ADOPT_PATH_MAX;
    }
    adopt_refuse_text(a, help, sizeof(help));
    (void)snprintf(text, sizeof(text), "%s%s: %s; %s", cut > 0 ? "..." : "",
                   path + cut, adopt_refuse_reason(a), help);
    free(path);
    adopt_end(a, BTC_E_EXISTS, text);
}

/* Another torrent has the place. */
static int adopt_found_owner(void *ctx, const struct journal_torrent *other,
                             uint32_t file, const char *path)
{
    struct adopt *a = ctx;
    (void)file;
    (void)path;
    a->owner = other->id;
    return 1;
}

/* On the database thread. Whose it is, by whatever name, or whose it was. */
static void adopt_find_owner(void *ctx, struct journal *db)
{
    struct adopt *a = ctx;
    struct journal_file file = {.path = a->path};
    const struct journal_near_files place = {
        .id = a->st->id, .save_path = a->save_path, .files = &file, .n = 1};
    a->owner = journal_owner(db, a->st->id, &a->print);
    if (a->owner == 0) {
        (void)journal_near(db, &place, adopt_found_owner, a, NULL);
    }
}

/* Of the file nothing matches. Nor will it at the next try, as long as it is
 * the same. */
static void adopt_refuse(struct adopt *a)
{
    a->st->startup.adopt.refused = a->print;
    a->st->startup.adopt.refused_file = a->file;
    a->save_path = mem_strdup(a->st->row.save_path);
    a->path = mem_strdup(facts_place(a->st, a->file));
    if (a->other) {
        adopt_refused(a);
        return;
    }
    journal_thread_call(a->st->s->journal_thread, adopt_find_owner,
                        adopt_refused, a);
}

/* The files of a piece that matches are the torrent's, unless others may have
 * them, too: then one piece says nothing of the rest. */
static void adopt_take(struct adopt *a, const struct store_job *job)
{
    for (uint32_t i = 0; i < job->n_spans; i++) {
        size_t n;
        uint32_t file = job->spans[i].file;
        (void)others_of(a->st, file, &n);
        if (n == 0 || (file == a->file && !a->other)) {
            (void)bits_clear(&a->strangers, file);
        }
    }
}

/* Answer to HASH. */
static void adopt_hashed(struct store_job *job)
{
    struct adopt *a = job->ctx;
    int result = job->result;
    char text[sizeof(job->fail.text)];
    (void)snprintf(text, sizeof(text), "%s", job->fail.text);
    if (result == 0) {
        adopt_take(a, job);
    }
    free(job->spans);
    job->spans = NULL;
    if (a->other && (result == BTC_E_HASH || result == BTC_E_SHORT)) {
        adopt_refuse(a);
    } else if (result == 0 || result == BTC_E_HASH || result == BTC_E_SHORT) {
        a->next(a);
    } else {
        adopt_end(a, result, text);
    }
}

/* The piece says nothing more: it cannot match, or it is trusted. */
static bool adopt_skips(const struct adopt *a, uint32_t piece)
{
    if (a->other) {
        return others_trust(a->st, piece);
    }
    return a->candidates && !bits_get(a->candidates, piece);
}

/* No piece of it is left to look at. */
static void adopt_through(struct adopt *a)
{
    if (a->other) {
        (void)bits_clear(&a->strangers, a->file);
        a->next(a);
    } else {
        adopt_refuse(a);
    }
}

/* Hashes the next piece of the file that may match. */
static void adopt_hash(struct adopt *a)
{
    const struct layout *g = &a->st->geom;
    while (a->piece < a->end && adopt_skips(a, a->piece)) {
        a->piece++;
    }
    if (a->piece >= a->end) {
        adopt_through(a);
        return;
    }
    struct store_job *job = adopt_job(a, STORE_HASH, adopt_hashed);
    struct layout_spans it;
    struct span s;
    job->spans = mem_array(g->n_files, sizeof(*job->spans));
    layout_spans_init(&it, g, layout_piece_offset(g, a->piece),
                      layout_piece_size(g, a->piece));
    while (layout_spans_next(&it, &s)) {
        job->spans[job->n_spans++] = s;
    }
    infos_submit(a->st, job, a->piece++);
}

/* Whether all of it was hashed in an earlier try. */
static bool adopt_was_refused(const struct adopt *a)
{
    const struct engine_torrent *st = a->st;
    return st->startup.adopt.refused.exists &&
           st->startup.adopt.refused_file == a->file &&
           trust_is_untouched(&st->startup.adopt.refused, &a->print);
}

/* The bytes of the file that the journal has as blocks of unfinished pieces; 0
 * spans when what is left says nothing. */
static void adopt_find_blocks(struct adopt *a)
{
    const struct engine_torrent *st = a->st;
    struct store_job *job = &a->job;
    uint64_t rest = st->geom.files[a->file].length;
    job->spans = mem_array(st->rows.n_blocks + 1, sizeof(*job->spans));
    for (size_t i = 0; i < st->rows.n_blocks; i++) {
        const struct journal_block *b = &st->rows.blocks[i];
        struct layout_spans it;
        struct span s;
        layout_spans_init(&it, &st->geom,
                          layout_piece_offset(&st->geom, b->piece) +
                              (uint64_t)b->block * BLOCK_LEN,
                          layout_block_size(&st->geom, b->piece, b->block));
        while (layout_spans_next(&it, &s)) {
            if (!s.pad && s.file == a->file) {
                job->spans[job->n_spans++] = s;
                rest -= s.len;
            }
        }
    }
    if (rest < ADOPT_ZEROS_MIN) {
        job->n_spans = 0;
    }
}

/* Another has data in it: all must be good already, for nothing is written. */
static void adopt_share(struct adopt *a, const struct journal_other *other)
{
    a->other = other;
    others_forbid(a->st, other);
    if (a->print.size == a->st->geom.files[a->file].length) {
        a->next(a);
    } else {
        adopt_refuse(a);
    }
}

/* Answer to LOOK. */
static void adopt_looked(struct store_job *job)
{
    struct adopt *a = job->ctx;
    bool half = job->n_spans > 0;
    size_t n;
    const struct journal_other *others = others_of(a->st, a->file, &n);
    free(job->spans);
    job->spans = NULL;
    job->n_spans = 0;
    if (job->result != 0) {
        char text[sizeof(job->fail.text)];
        (void)snprintf(text, sizeof(text), "%s", job->fail.text);
        adopt_end(a, job->result, text);
        return;
    }
    a->print = job->look.print;
    layout_file_pieces(&a->st->geom, a->file, &a->piece, &a->end);
    if (job->look.other < n) {
        adopt_share(a, &others[job->look.other]);
        return;
    }
    if (half && job->look.print.size != a->st->geom.files[a->file].length) {
        job->look.used = true; /* no copy */
    }
    if (!bits_get(&a->unknown, a->file)) {
        job->look.used = false; /* its own, and nobody else's */
    }
    bool check = a->st->s->o.check_only; /* writes nothing, refuses nothing */
    if (job->look.used && check) {
        (void)bits_set(&a->st->startup.adopt.used, a->file);
    }
    if (!job->look.used || check) {
        (void)bits_clear(&a->strangers, a->file);
    }
    if (job->look.used && !check && adopt_was_refused(a)) {
        adopt_refuse(a);
    } else {
        a->next(a);
    }
}

/* Where others may have the file. */
static void adopt_find_places(struct adopt *a)
{
    size_t n;
    const struct journal_other *others = others_of(a->st, a->file, &n);
    free(a->places);
    a->places = others_places(others, n);
    a->job.look.others = a->places;
    a->job.look.n_others = (uint32_t)n;
}

/* Is it a copy of a file that is half here? Such a one is as long as the
 * torrent's and holds zeros wherever nothing has come yet. Nobody else's file
 * does, and if one did, nothing is written over but zeros. */
static void adopt_ask(struct adopt *a, uint32_t file)
{
    a->file = file;
    a->other = NULL;
    struct store_job *job = adopt_job(a, STORE_LOOK, adopt_looked);
    adopt_find_places(a);
    adopt_find_blocks(a);
    store_submit(a->st->s->disk, job);
}

/* What is to be done next. */
static void adopt_next(struct adopt *a)
{
    uint32_t file = bits_next_set(&a->strangers, 0);
    if (adopt_is_off(a->st)) {
        adopt_end(a, BTC_E_CANCELLED, "");
    } else if (file >= a->strangers.n) {
        adopt_end(a, 0, "");
    } else if (file == a->file) {
        adopt_hash(a);
    } else {
        adopt_ask(a, file);
    }
}

/* Those in which others may have data are looked at, too. */
static void adopt_add_others(struct adopt *a)
{
    int err = bits_init(&a->unknown, a->st->geom.n_files);
    BTC_ASSERT(err == 0);
    bits_copy(&a->unknown, &a->strangers);
    others_mark(a->st, &a->strangers);
}

void adopt_look(struct engine_torrent *st, struct bits *strangers,
                const struct bits *candidates, adopt_done_fn *done)
{
    struct adopt *a = mem_zalloc(sizeof(*a));
    *a = (struct adopt){.st = st,
                        .done = done,
                        .next = adopt_next,
                        .strangers = *strangers,
                        .candidates = candidates,
                        .file = UINT32_MAX};
    *strangers = (struct bits){0};
    adopt_add_others(a);
    st->n_jobs++;
    adopt_next(a);
}

/* A name for bytes out of sight: in a hidden folder beside the torrent's. */
static char *adopt_part(const struct engine_torrent *st, uint32_t file)
{
    const char *top = st->rows.files[file].path;
    size_t len = strcspn(top, "/");
    char hash[9];
    if (len > ADOPT_NAME_MAX) {
        len = ADOPT_NAME_MAX;
        while (len > 0 && ((unsigned char)top[len] & 0xc0) == 0x80) {
            len--; /* not into the middle of a UTF-8 character */
        }
    }
    bytes_to_hex(st->meta->v1.bytes, 4, hash);
    return mem_printf(".%.*s.%s.part/%u", (int)len, top, hash, file);
}

struct store_file adopt_place(struct engine_torrent *st, uint32_t file,
                              struct fingerprint *own)
{
    const struct metainfo_file *m = &st->meta->files[file];
    struct journal_file *f = &st->rows.files[file];
    bool check = st->s->o.check_only; /* moves and makes nothing */
    bool off = f->state.priority == 0 && !m->pad && m->length > 0;
    if (off && !f->part && !f->state.has_print && !check) {
        f->part = adopt_part(st, file);
    }
    bool parked = f->part && (off || check);
    if (f->part && !parked) {
        (void)bits_set(&st->startup.adopt.taken, file);
    }
    bool may_be_home =
        parked && (f->state.has_print || st->stat.making_ns != 0);
    bool is_known = f->part && f->state.has_print;
    if (is_known) {
        *own = journal_file_print(&f->state);
    }
    return (struct store_file){.path = parked ? f->part : f->path,
                               .home = may_be_home ? f->path : NULL,
                               .own = is_known ? own : NULL,
                               .offset = m->offset,
                               .length = m->length,
                               .link = m->link,
                               .from = parked ? NULL : f->part,
                               .sparse = parked,
                               .pad = m->pad,
                               .executable = m->executable && !parked};
}

/* A move gives a file another ctime: the journal hears of that. */
static void adopt_moved(struct engine_torrent *st, uint32_t file, int64_t ctime)
{
    struct journal_file_state *f = &st->rows.state[file];
    if (store_tree_was_moved(st->store, file)) {
        f->ctime_ns = ctime;
        journal_put_doubt(commit_facts(&st->ledger.member), st->id, file, f);
        (void)bits_clear(&st->startup.adopt.taken, file);
    }
}

/* The file is out of sight no more. */
static void adopt_unpark(struct engine_torrent *st, uint32_t file)
{
    free(st->rows.parked[file].part);
    st->rows.parked[file].part = NULL;
    journal_put_part(commit_facts(&st->ledger.member), st->id, file, NULL);
}

void adopt_home(struct engine_torrent *st, const struct fingerprint *prints)
{
    struct torrent_parked *parked = st->rows.parked;
    if (parked == NULL) {
        return;
    }
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        if (parked[i].part && store_tree_is_home(st->store, i)) {
            (void)bits_set(&st->startup.adopt.taken, i);
        }
    }
    BITS_EACH (i, &st->startup.adopt.taken) {
        if (prints[i].exists) {
            adopt_unpark(st, i);
            adopt_moved(st, i, prints[i].ctime_ns);
        }
    }
}

void adopt_gone(struct engine_torrent *st)
{
    BITS_EACH (i, &st->startup.adopt.taken) {
        if (st->rows.parked && st->rows.parked[i].part) {
            adopt_unpark(st, i);
        }
    }
    bits_fini(&st->startup.adopt.taken);
}

bool adopt_is_stale(const struct engine_torrent *st)
{
    const struct torrent_parked *parked = st->rows.parked;
    for (uint32_t i = 0; parked && i < st->geom.n_files; i++) {
        if (parked[i].part && st->rows.state[i].priority > 0 &&
            !st->s->o.check_only) {
            return true;
        }
    }
    return false;
}
