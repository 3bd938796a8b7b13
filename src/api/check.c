/* Data on disk against a torrent, without a database; see btc_check in btc.h.
 *
 * Each piece is a HASH job of a store; as many are out as there are threads
 * that hash. Nothing is created, written or remembered. */
#include "api/api.h"
#include "core/content/layout.h"
#include "store/blocked.h"
#include "store/store.h"

#include "base/limit.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"
#include "journal/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Jobs out per thread: the next one is there when one is done. */
#define API_CHECK_AHEAD 2u

struct api_check {
    const struct metainfo *m;
    const struct btc_check_options *o;
    struct btc_checked *out;
    char *dir;                  /* owns */
    struct journal_file *files; /* owns; their paths as they are to be here */
    struct layout geom;
    struct layout_file *layout_files; /* owns */
    struct bits due;                  /* pieces that hold wanted bytes */
    struct bits good;
    struct loop *loop;
    struct store *disk;
    struct store_tree *tree;
    uint32_t next;  /* piece */
    uint32_t n_out; /* jobs */
    uint64_t done, total;
    bool stopped;
    int read_error;      /* the first, enum btc_err */
    char read_text[512]; /* and its text */
};

/* A job with its spans. */
struct api_check_job {
    struct store_job job;
    struct api_check *check;
};

/* --- what is there to look at --- */

/* The files, named as they would be here. Pads are never looked at. */
static int api_check_files(struct api_check *c, const struct api_place *place,
                           struct err *e)
{
    const struct place_wish wish = {.select = c->o->select,
                                    .exclude = c->o->exclude,
                                    .name = c->o->name,
                                    .name_max = place->name_max};
    size_t n_shortened = 0;
    int code = place_files(c->m, &wish, &c->files, &n_shortened, e);
    for (uint32_t i = 0; code == 0 && i < c->m->n_files; i++) {
        if (c->files[i].pad) {
            c->files[i].state.priority = 0;
        }
    }
    return code;
}

/* Pieces, and which of them are looked at. */
static int api_check_pieces(struct api_check *c, struct err *e)
{
    const struct metainfo *m = c->m;
    c->layout_files = mem_calloc(m->n_files + 1, sizeof(*c->layout_files));
    for (uint32_t i = 0; i < m->n_files; i++) {
        c->layout_files[i] = (struct layout_file){.offset = m->files[i].offset,
                                                  .length = m->files[i].length,
                                                  .pad = m->files[i].pad};
    }
    c->geom = (struct layout){.total = m->total_size,
                              .piece_length = m->piece_length,
                              .n_pieces = m->n_pieces,
                              .n_files = m->n_files,
                              .files = c->layout_files};
    if (bits_init(&c->due, m->n_pieces) < 0 ||
        bits_init(&c->good, m->n_pieces) < 0) {
        return err_set(e, BTC_E_LIMIT, "too many pieces");
    }
    for (uint32_t i = 0; i < m->n_files; i++) {
        uint32_t first, end;
        layout_file_pieces(&c->geom, i, &first, &end);
        for (uint32_t p = first; c->files[i].state.priority > 0 && p < end;
             p++) {
            if (bits_set(&c->due, p)) {
                c->total += layout_piece_size(&c->geom, p);
            }
        }
    }
    return 0;
}

/* The folder and the files of a store. */
static int api_check_open(struct api_check *c, struct err *e)
{
    const struct store_options options = {0};
    c->loop = loop_new();
    if (c->loop == NULL) {
        return limit_files(e);
    }
    c->disk = store_new(c->loop, &options);
    if (c->disk == NULL) {
        return limit_threads(e);
    }
    struct store_file *files = mem_calloc(c->m->n_files + 1, sizeof(*files));
    for (uint32_t i = 0; i < c->m->n_files; i++) {
        files[i] = (struct store_file){.path = c->files[i].path,
                                       .offset = c->files[i].offset,
                                       .length = c->files[i].length,
                                       .link = c->m->files[i].link,
                                       .pad = c->files[i].pad};
    }
    c->tree = store_tree_new(c->disk, c->dir, files, c->m->n_files, false);
    free(files);
    return 0;
}

/* --- hashing --- */

static void api_check_more(struct api_check *c);

/* Somebody must know of the first error that says nothing about the data. */
static void api_check_unread(struct api_check *c, int code, const char *text)
{
    if (c->read_error == 0) {
        c->read_error = code;
        (void)snprintf(c->read_text, sizeof(c->read_text), "%s", text);
    }
}

/* A piece has its verdict. */
static void api_check_done(struct store_job *job)
{
    struct api_check_job *j = job->ctx;
    struct api_check *c = j->check;
    uint32_t piece = (uint32_t)job->tag;
    bool failed = job->result != 0 && job->result != BTC_E_HASH &&
                  job->result != BTC_E_SHORT;
    if (job->result == 0) {
        (void)bits_set(&c->good, piece);
    } else if (failed) {
        api_check_unread(c, job->result, job->fail.text);
    }
    c->n_out--;
    c->done += layout_piece_size(&c->geom, piece);
    free(job->spans);
    free(j);
    if (c->o->on_progress != NULL &&
        !c->o->on_progress(c->o->ctx, c->done, c->total)) {
        c->stopped = true;
    }
    api_check_more(c);
}

/* Hashes one piece. */
static void api_check_submit(struct api_check *c, uint32_t piece)
{
    struct api_check_job *j = mem_zalloc(sizeof(*j));
    struct layout_spans it;
    struct span s;
    uint32_t cap = 0;
    j->check = c;
    j->job = (struct store_job){.op = STORE_HASH,
                                .low = true,
                                .store = c->tree,
                                .done = api_check_done,
                                .ctx = j,
                                .tag = piece,
                                .fail.file = -1};
    layout_spans_init(&it, &c->geom, layout_piece_offset(&c->geom, piece),
                      layout_piece_size(&c->geom, piece));
    while (layout_spans_next(&it, &s)) {
        j->job.spans =
            vec_room(j->job.spans, j->job.n_spans, &cap, sizeof(*j->job.spans));
        j->job.spans[j->job.n_spans++] = s;
    }
    memcpy(j->job.expected, c->m->piece_hashes + (size_t)piece * SHA1_LEN,
           SHA1_LEN);
    c->n_out++;
    store_submit(c->disk, &j->job);
}

/* Keeps the threads busy; the end when nothing is out. */
static void api_check_more(struct api_check *c)
{
    uint32_t most = store_threads(c->disk) * API_CHECK_AHEAD;
    while (!c->stopped && c->n_out < most &&
           (c->next = bits_next_set(&c->due, c->next)) < c->due.n) {
        api_check_submit(c, c->next++);
    }
    if (c->n_out == 0) {
        loop_stop(c->loop);
    }
}

/* --- the verdict --- */

/* Bytes of a file in good pieces. */
static uint64_t api_check_good(const struct api_check *c, uint32_t file)
{
    const struct layout_file *f = &c->layout_files[file];
    uint64_t sum = 0;
    uint32_t first, end;
    layout_file_pieces(&c->geom, file, &first, &end);
    for (uint32_t p = first; p < end; p++) {
        uint64_t from = layout_piece_offset(&c->geom, p);
        uint64_t to = from + layout_piece_size(&c->geom, p);
        from = num_max_u64(from, f->offset);
        to = num_min_u64(to, f->offset + f->length);
        if (bits_get(&c->good, p)) {
            sum += to - from;
        }
    }
    return sum;
}

/* Fills one file of the result. */
static void api_check_tell(struct api_check *c, uint32_t i)
{
    struct btc_checked_file *f = &c->out->files[c->out->n_files++];
    struct stat st;
    char *path = mem_printf("%s/%s", c->dir, c->files[i].path);
    *f = (struct btc_checked_file){.path = mem_strdup(c->files[i].path),
                                   .number = i + 1,
                                   .length = c->files[i].length,
                                   .good = api_check_good(c, i),
                                   .wanted = c->files[i].state.priority > 0,
                                   .size = -1};
    bool link = c->m->files[i].link != NULL;
    int rc = link ? lstat(path, &st) : stat(path, &st);
    if (rc == 0 && link) {
        f->size = 0; /* what stands in its place stays there */
    } else if (rc == 0 && S_ISREG(st.st_mode)) {
        f->size = st.st_size;
    } else if (rc != 0 && errno != ENOENT && errno != ENOTDIR &&
               errno != ELOOP) {
        struct err e;
        int code = err_set_errno(&e, errno, "%.300s", path);
        api_check_unread(c, code, e.msg);
    } else if (rc != 0 && f->wanted && !link &&
               store_is_blocked(c->dir, path)) {
        struct err e;
        int code = err_set(&e, BTC_E_EXISTS,
                           "%.300s: something else is in its place, or in that "
                           "of one of its folders",
                           path);
        api_check_unread(c, code, e.msg);
    }
    free(path);
}

/* Fills the result. */
static void api_check_fill(struct api_check *c)
{
    c->out->files = mem_calloc(c->m->n_files + 1, sizeof(*c->out->files));
    for (uint32_t i = 0; i < c->m->n_files; i++) {
        if (!c->files[i].pad) {
            api_check_tell(c, i);
        }
    }
    c->out->n_pieces = c->due.count;
    c->out->n_good = c->good.count;
}

/* A wanted file that is too long; NULL = none. */
static const struct btc_checked_file *
api_check_longer(const struct btc_checked *out)
{
    for (size_t i = 0; i < out->n_files; i++) {
        const struct btc_checked_file *f = &out->files[i];
        if (f->wanted && f->size > 0 && (uint64_t)f->size > f->length) {
            return f;
        }
    }
    return NULL;
}

/* Some wanted file is there, or none has to be. */
static bool api_check_sees(const struct btc_checked *out)
{
    bool none = true;
    for (size_t i = 0; i < out->n_files; i++) {
        none &= !out->files[i].wanted;
        if (out->files[i].wanted && out->files[i].size >= 0) {
            return true;
        }
    }
    return none;
}

/* A wanted file of no bytes is in no piece. */
static const char *api_check_lacks(const struct btc_checked *out)
{
    for (size_t i = 0; i < out->n_files; i++) {
        if (out->files[i].wanted && out->files[i].size < 0) {
            return out->files[i].path;
        }
    }
    return NULL;
}

/* What it all comes to. */
static int api_check_judge(const struct api_check *c, struct err *e)
{
    const struct btc_checked *out = c->out;
    const struct btc_checked_file *longer = api_check_longer(out);
    if (c->stopped) {
        return err_set(e, BTC_E_INTERRUPTED,
                       "interrupted; nothing was written");
    }
    if (c->read_error != 0) {
        return err_set(e, c->read_error, "cannot read: %s", c->read_text);
    }
    if (!api_check_sees(out)) {
        return err_set(e, BTC_E_STORAGE,
                       "%.300s: no file of the torrent is there", c->dir);
    }
    if (out->n_good < out->n_pieces) {
        return err_set(e, BTC_E_VERIFY, "%u of %u pieces are bad or missing",
                       out->n_pieces - out->n_good, out->n_pieces);
    }
    if (longer != NULL) {
        return err_set(e, BTC_E_EXISTS,
                       "%.300s is longer: %lld bytes, the torrent's has %llu",
                       longer->path, (long long)longer->size,
                       (unsigned long long)longer->length);
    }
    if (api_check_lacks(out) != NULL) {
        return err_set(e, BTC_E_VERIFY, "%.300s is missing",
                       api_check_lacks(out));
    }
    return 0;
}

/* --- all of it --- */

static void api_check_fini(struct api_check *c)
{
    store_tree_free(c->tree);
    if (c->disk != NULL) {
        store_free(c->disk);
    }
    if (c->loop != NULL) {
        loop_free(c->loop);
    }
    if (c->files != NULL) {
        journal_files_free(c->files, c->m->n_files);
    }
    free(c->layout_files);
    bits_fini(&c->due);
    bits_fini(&c->good);
}

static int api_check_run(struct api_check *c, const struct api_place *place,
                         struct err *e)
{
    struct stat st;
    if (stat(c->dir, &st) != 0) {
        return err_set(e, BTC_E_STORAGE, "%.300s: no such folder", c->dir);
    }
    int code = api_check_files(c, place, e);
    if (code == 0) {
        code = api_check_pieces(c, e);
    }
    if (code == 0) {
        code = api_check_open(c, e);
    }
    if (code == 0) {
        api_check_more(c);
        loop_run(c->loop);
        api_check_fill(c);
        code = api_check_judge(c, e);
    }
    return code;
}

int btc_check(const struct btc_source *s, const struct btc_check_options *o,
              struct btc_checked *out, struct btc_error *e)
{
    struct err err = {0};
    struct api_place place = {0};
    const struct btc_add_options where = {.dir = o->dir};
    struct api_check c = {.m = s->meta, .o = o, .out = out};
    *out = (struct btc_checked){0};
    if (s->meta == NULL || !digest_is_set(&s->meta->v1)) {
        return api_status(
            e,
            err_set(&err, BTC_E_UNSUPPORTED,
                    "%.300s: what it holds is not known here: a .torrent file "
                    "with v1 hashes is needed",
                    s->label),
            &err);
    }
    int code = api_place_init(&place, &where, &err);
    if (code == 0) {
        c.dir = place.save_path;
        code = api_check_run(&c, &place, &err);
        api_check_fini(&c);
    }
    api_place_fini(&place);
    return api_status(e, code, &err);
}

void btc_checked_fini(struct btc_checked *c)
{
    for (size_t i = 0; i < c->n_files; i++) {
        free(c->files[i].path);
    }
    free(c->files);
    *c = (struct btc_checked){0};
}
