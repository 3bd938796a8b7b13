/* Makes a v1 .torrent: checks the options, has the files walked and hashed, and
 * sees to it that the output is what a parser will accept.
 *
 * Before hours go into hashing, the torrent is written once into memory with
 * zeros for hashes and parsed again: whatever a client would refuse or rename
 * is found then. An output that exists is compared the same way, early by its
 * sizes and at the end by its bytes.
 */
#include "create/create.h"

#include "base/mem.h"
#include "create/internal.h"

#include "base/file.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CREATE_CREATED_BY "btc/" BTC_VERSION

struct create_work {
    const struct create_options *o; /* borrows */
    struct err *e;                  /* borrows; may be NULL */
    char *name;                     /* owns */
    char *output;                   /* owns */
    bool to_stdout;                 /* no file is made */
    bool exists;                    /* the output does */
    struct create_list list;
    struct metainfo_file *files;   /* owns; paths borrowed from the list */
    struct metainfo_url *trackers; /* owns, with the URLs */
    char **web_seeds;              /* owns */
    uint8_t *hashes;               /* owns */
    struct metainfo_spec spec;     /* borrows from the above */
};

uint32_t create_piece_length(uint64_t total)
{
    uint32_t len = CREATE_PIECE_LEN_MIN;

    while (len < CREATE_PIECE_LEN_MAX && total / len > CREATE_PIECES_AIM) {
        len *= 2;
    }
    return len;
}

/* The torrent's name: the last element of the path as the user wrote it, or of
 * what "." and ".." stand for. */
static int create_find_name(struct create_work *w)
{
    const char *path = w->o->path;
    size_t end = 0;
    if (path != NULL) {
        end = strlen(path);
    }
    size_t start;
    struct slice s;
    char *real;

    if (end == 0) {
        return err_set(w->e, BTC_E_USAGE, "nothing to make a torrent of");
    }
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    s = slice_of(path + start, end - start);
    if (s.len > 0 && !slice_eq_str(s, ".") && !slice_eq_str(s, "..")) {
        w->name = mem_strndup((const char *)s.p, s.len);
        return 0;
    }
    real = realpath(path, NULL);
    if (real == NULL) {
        return err_set_errno(w->e, errno, "cannot look at '%s'", path);
    }
    w->name = mem_strdup(strrchr(real, '/') + 1);
    free(real);
    if (w->name[0] == '\0') {
        return err_set(w->e, BTC_E_USAGE,
                       "the root folder has no name for a torrent");
    }
    return 0;
}

/* Adds one tracker; doubles are dropped. */
static int create_add_tracker(struct create_work *w, struct slice text,
                              uint32_t tier)
{
    struct metainfo_spec *spec = &w->spec;
    const char *why = NULL;
    char *url = url_tidy(text, &why);

    if (url == NULL) {
        return err_set(w->e, BTC_E_USAGE,
                       "'%.*s' is not a tracker's URL (like "
                       "http://example.org/announce or udp://example.org:80): "
                       "it %s",
                       (int)text.len, (const char *)text.p, why);
    }
    for (uint32_t i = 0; i < spec->n_trackers; i++) {
        if (strcmp(url, w->trackers[i].url) == 0) {
            free(url);
            return 0;
        }
    }
    if (spec->n_trackers == METAINFO_MAX_TRACKERS) {
        free(url);
        return err_set(w->e, BTC_E_USAGE, "more than %d trackers",
                       METAINFO_MAX_TRACKERS);
    }
    w->trackers[spec->n_trackers++] =
        (struct metainfo_url){.url = url, .tier = tier};
    return 0;
}

/* Each option is a tier, each URL between its commas a tracker. */
static int create_read_trackers(struct create_work *w)
{
    int rc = 0;

    w->trackers = mem_calloc(METAINFO_MAX_TRACKERS, sizeof(*w->trackers));
    w->spec.trackers = w->trackers;
    for (size_t i = 0; rc == 0 && i < w->o->n_trackers; i++) {
        const char *p = w->o->trackers[i];
        while (rc == 0) {
            size_t len = strcspn(p, ",");
            rc = create_add_tracker(w, slice_of(p, len), (uint32_t)i);
            if (p[len] == '\0') {
                break;
            }
            p += len + 1;
        }
    }
    return rc;
}

static int create_read_web_seeds(struct create_work *w)
{
    if (w->o->n_web_seeds > METAINFO_MAX_WEB_SEEDS) {
        return err_set(w->e, BTC_E_USAGE, "more than %d web seeds",
                       METAINFO_MAX_WEB_SEEDS);
    }
    w->web_seeds = mem_calloc(METAINFO_MAX_WEB_SEEDS, sizeof(*w->web_seeds));
    w->spec.web_seeds = w->web_seeds;
    for (size_t i = 0; i < w->o->n_web_seeds; i++) {
        const char *why = NULL;
        char *url = url_tidy_http(slice_str(w->o->web_seeds[i]), &why);
        if (url == NULL) {
            return err_set(w->e, BTC_E_USAGE,
                           "'%s' is not a web seed's URL (http:// or "
                           "https://): it %s",
                           w->o->web_seeds[i], why);
        }
        w->web_seeds[w->spec.n_web_seeds++] = url;
    }
    return 0;
}

/* Everything that can be said before the disk is looked at. */
static int create_read_options(struct create_work *w)
{
    const struct create_options *o = w->o;
    uint64_t len = o->piece_length;
    int rc;

    if (len != 0 && (len < CREATE_PIECE_LEN_MIN ||
                     len > METAINFO_MAX_PIECE_LEN || (len & (len - 1)) != 0)) {
        return err_set(w->e, BTC_E_USAGE,
                       "a piece length of %" PRIu64
                       " is not a power of two from 16K to 256M",
                       len);
    }
    w->spec.is_private = o->is_private;
    w->spec.created_by = CREATE_CREATED_BY;
    if (o->comment != NULL && o->comment[0] != '\0') {
        w->spec.comment = o->comment;
    }
    w->spec.creation_date = o->creation_date;
    if (o->creation_date == 0) {
        w->spec.creation_date = (int64_t)time(NULL);
    }
    rc = create_find_name(w);
    if (rc == 0) {
        rc = create_read_trackers(w);
    }
    if (rc != 0) {
        return rc;
    }
    return create_read_web_seeds(w);
}

/* Finds the output's place and whether something stands there. */
static int create_find_output(struct create_work *w, struct stat *st)
{
    if (w->o->output != NULL) {
        w->output = mem_strdup(w->o->output);
    } else {
        w->output = mem_printf("%s.torrent", w->name);
    }
    w->to_stdout = strcmp(w->output, "-") == 0;
    if (w->to_stdout &&
        (fstat(STDOUT_FILENO, st) != 0 || isatty(STDOUT_FILENO))) {
        return err_set(w->e, BTC_E_USAGE,
                       "standard output takes no torrent here: send it to a "
                       "file or a pipe");
    }
    if (w->to_stdout) {
        return 0;
    }
    if (strlen(w->output) >= PATH_MAX) {
        return err_set(w->e, BTC_E_USAGE, "the output's path is too long");
    }
    w->exists = stat(w->output, st) == 0;
    if (!w->exists && errno != ENOENT) {
        return err_set_errno(w->e, errno, "cannot write '%s'", w->output);
    }
    if (w->exists && !S_ISREG(st->st_mode)) {
        return err_set(w->e, BTC_E_EXISTS,
                       "'%s' exists and is not a regular file", w->output);
    }
    if (w->exists && !w->o->force) {
        return 0;
    }
    return create_check_folder(w->output, w->e);
}

/* Walks, and fills in what follows from the files. */
static int create_find_files(struct create_work *w, const struct stat *skip)
{
    struct metainfo_spec *spec = &w->spec;
    uint64_t total;
    uint64_t n;
    int rc = create_walk(w->o->path, skip, &w->list, w->e);

    if (rc < 0) {
        return rc;
    }
    total = w->list.total_size;
    w->files = mem_calloc(w->list.n_files, sizeof(*w->files));
    for (uint32_t i = 0; i < w->list.n_files; i++) {
        w->files[i].path = w->list.files[i].path;
        w->files[i].length = w->list.files[i].length;
    }
    spec->name = w->name;
    spec->files = w->files;
    spec->n_files = w->list.n_files;
    spec->multi_file = w->list.multi_file;
    if (w->o->piece_length != 0) {
        spec->piece_length = (uint32_t)w->o->piece_length;
    } else {
        spec->piece_length = create_piece_length(total);
    }
    n = total / spec->piece_length + (total % spec->piece_length != 0);
    if (n > METAINFO_MAX_BYTES / SHA1_LEN) {
        return err_set(w->e, BTC_E_LIMIT,
                       "%" PRIu64 " pieces are too many for a torrent: choose "
                       "a longer piece length",
                       n);
    }
    spec->n_pieces = (uint32_t)n;
    w->hashes = mem_calloc((size_t)n, SHA1_LEN);
    spec->piece_hashes = w->hashes;
    return 0;
}

/* Writes the torrent into memory. */
static int create_write(const struct create_work *w,
                        const struct metainfo_spec *spec, struct buf *out)
{
    int rc;

    buf_init(out, METAINFO_MAX_BYTES);
    rc = metainfo_write(spec, out);
    if (rc < 0) {
        buf_fini(out);
        return err_set(w->e, rc == BTC_E_LIMIT ? BTC_E_LIMIT : BTC_E_INTERNAL,
                       "the torrent would be larger than %u bytes: choose a "
                       "longer piece length",
                       METAINFO_MAX_BYTES);
    }
    return 0;
}

/* Compares a file with what a client makes of it. */
static int create_check_file(const struct create_work *w, uint32_t i,
                             const struct metainfo_file *file)
{
    const char *want = w->list.multi_file ? w->files[i].path : w->name;
    size_t name_len = strlen(w->name);
    const char *got = file->path;

    if (w->list.multi_file && strncmp(got, w->name, name_len) == 0 &&
        got[name_len] == '/') {
        got += name_len + 1;
    }
    if (strcmp(got, want) == 0) {
        return 0;
    }
    return err_set(w->e, BTC_E_METAINFO,
                   "'%s' has a name that a torrent cannot carry (not UTF-8, or "
                   "control characters), clients would call it '%s': rename "
                   "it first",
                   want, got);
}

/* Parses what is about to be made: no client shall refuse it. */
static int create_check(struct create_work *w)
{
    struct metainfo *m = NULL;
    struct buf b;
    int rc = create_write(w, &w->spec, &b);

    if (rc < 0) {
        return rc;
    }
    rc = metainfo_parse(buf_slice(&b), false, &m, w->e);
    if (rc < 0) {
        (void)err_prefix(w->e, "this cannot be made a torrent");
    }
    for (uint32_t i = 0; rc == 0 && i < m->n_files; i++) {
        rc = create_check_file(w, i, &m->files[i]);
    }
    metainfo_free(m);
    buf_fini(&b);
    return rc;
}

static int create_refuse(const struct create_work *w)
{
    return err_set(w->e, BTC_E_EXISTS,
                   "'%s' exists and differs: choose another output, or "
                   "replace it with --force",
                   w->output);
}

/* An output that exists must be a torrent that may turn out to be the same. */
static int create_check_existing(struct create_work *w)
{
    struct metainfo *m = NULL;
    struct buf b;
    bool same;

    if (!w->exists || w->o->force) {
        return 0;
    }
    buf_init(&b, METAINFO_MAX_BYTES + (1u << 20));
    same = create_load(w->output, &b, NULL) == 0 &&
           metainfo_parse(buf_slice(&b), false, &m, NULL) == 0 &&
           m->total_size == w->list.total_size &&
           m->n_files == w->list.n_files &&
           m->piece_length == w->spec.piece_length;
    /* When it was made is no difference. */
    if (same && w->spec.creation_date > 0) {
        w->spec.creation_date = m->creation_date;
    }
    metainfo_free(m);
    buf_fini(&b);
    if (same) {
        return 0;
    }
    return create_refuse(w);
}

static int create_hash_pieces(struct create_work *w)
{
    const struct create_options *o = w->o;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct create_job job = {
        .root = o->path,
        .list = &w->list,
        .hashes = w->hashes,
        .n_pieces = w->spec.n_pieces,
        .piece_length = w->spec.piece_length,
        .threads = o->threads != 0 ? o->threads : (uint32_t)cores,
        .on_progress = o->on_progress,
        .ctx = o->ctx,
        .cancel = o->cancel,
    };

    if (o->threads == 0 && cores < 1) {
        job.threads = 1;
    }
    return create_hash(&job, w->e);
}

/* Writes the output, unless it is there already. */
static int create_output(struct create_work *w, struct create_result *res)
{
    struct metainfo *m = NULL;
    struct buf b;
    struct buf old;
    int rc = create_write(w, &w->spec, &b);
    bool same = false;

    if (rc < 0) {
        return rc;
    }
    buf_init(&old, METAINFO_MAX_BYTES + (1u << 20));
    if (w->exists) {
        same = create_load(w->output, &old, NULL) == 0 &&
               slice_eq(buf_slice(&b), buf_slice(&old));
    }
    rc = metainfo_parse(buf_slice(&b), false, &m, w->e);
    if (rc == 0 && w->exists && !same && !w->o->force) {
        rc = create_refuse(w);
    } else if (rc == 0 && w->to_stdout) {
        rc = create_send(STDOUT_FILENO, buf_slice(&b), w->e);
    } else if (rc == 0 && !same) {
        rc = file_save(w->output, buf_slice(&b), w->o->force, w->e);
    }
    if (rc == 0) {
        memcpy(res->info_hash, m->v1.bytes, SHA1_LEN);
        res->total_size = m->total_size;
        res->piece_length = m->piece_length;
        res->n_pieces = m->n_pieces;
        res->n_files = m->n_files;
        res->n_left_out = w->list.n_left_out;
        (void)snprintf(res->output, sizeof(res->output), "%s", w->output);
    }
    metainfo_free(m);
    buf_fini(&old);
    buf_fini(&b);
    return rc;
}

static void create_work_fini(struct create_work *w)
{
    for (uint32_t i = 0; i < w->spec.n_trackers; i++) {
        free(w->trackers[i].url);
    }
    for (uint32_t i = 0; i < w->spec.n_web_seeds; i++) {
        free(w->web_seeds[i]);
    }
    create_list_fini(&w->list);
    free(w->trackers);
    free(w->web_seeds);
    free(w->files);
    free(w->hashes);
    free(w->output);
    free(w->name);
}

int create_torrent(const struct create_options *o, struct create_result *res,
                   struct err *e)
{
    struct create_work w = {.o = o, .e = e};
    struct stat st;
    int rc;

    memset(res, 0, sizeof(*res));
    rc = create_read_options(&w);
    if (rc == 0) {
        rc = create_find_output(&w, &st);
    }
    if (rc == 0) {
        rc = create_find_files(&w, w.exists || w.to_stdout ? &st : NULL);
    }
    if (rc == 0) {
        rc = create_check(&w);
    }
    if (rc == 0) {
        rc = create_check_existing(&w);
    }
    if (rc == 0) {
        rc = create_hash_pieces(&w);
    }
    if (rc == 0) {
        rc = create_output(&w, res);
    }
    create_work_fini(&w);
    return rc;
}
