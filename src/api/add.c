/* Sources become rows of the database; see btc_add in btc.h.
 *
 * First everything is made ready that needs no database (and may take long:
 * names of peers are asked of the resolver), then a chunk of sources is written
 * in one transaction, each as a part of it that fails for itself.
 */
#include "api/api.h"

#include "base/mem.h"
#include "journal/load.h"
#include "journal/magnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Written in one transaction: so few that nobody who waits to write notices. */
#define API_ADD_CHUNK       500u
#define API_ADD_CHUNK_FILES 20000u

/* Everything on the way from a source to rows. */
struct api_add {
    struct journal *db;              /* borrows */
    const struct btc_source *source; /* borrows */
    const struct metainfo *m;        /* borrows; NULL: a magnet */
    const struct btc_add_options *o; /* borrows */
    struct api_place *place;         /* borrows; shared by all of a call */
    struct api_magnet *magnet;       /* owns */
    struct metainfo *learned;        /* owns; of a magnet that is known */
    struct journal_torrent *known;   /* owns; the row with the hash, if any */
    size_t n_known;
    struct journal_file *files;       /* owns, and their paths */
    struct journal_tracker *trackers; /* owns; the urls are m's */
    char *name;                       /* owns */
    char *label;                      /* owns */
    size_t n_shortened;               /* files whose names did not fit */
    struct journal_add add;           /* points into the rest */
};

/* Frees everything. */
static void api_add_fini(struct api_add *x)
{
    journal_torrents_free(x->known, x->n_known);
    journal_files_free(x->files, x->files ? x->m->n_files : 0);
    api_magnet_free(x->magnet);
    metainfo_free(x->learned);
    free(x->trackers);
    free(x->name);
    free(x->label);
}

/* What cannot be downloaded. */
static int api_add_check_source(const struct btc_source *s, struct err *e)
{
    const struct digest *v1 = s->magnet ? &s->magnet->v1 : &s->meta->v1;
    if (!digest_is_set(v1)) {
        return err_set(e, BTC_E_UNSUPPORTED,
                       "%s: a pure v2 torrent (BEP 52), which btc cannot "
                       "download yet",
                       s->label);
    }
    return 0;
}

/* What is wished of the files. */
static struct place_wish api_add_place(const struct api_add *x)
{
    return (struct place_wish){.select = x->o->select,
                               .exclude = x->o->exclude,
                               .name = x->o->name,
                               .name_max = x->place->name_max};
}

/* Rows of the trackers, the peers by hand. */
static void api_add_sources(struct api_add *x)
{
    const struct metainfo *m = x->m;
    x->trackers =
        mem_calloc(m->n_trackers > 0 ? m->n_trackers : 1, sizeof(*x->trackers));
    for (uint32_t i = 0; i < m->n_trackers; i++) {
        x->trackers[i].url = m->trackers[i].url;
        x->trackers[i].tier = m->trackers[i].tier;
    }
    x->add.trackers = x->trackers;
    x->add.n_trackers = m->n_trackers;
    x->add.web_seeds = m->web_seeds;
    x->add.n_web_seeds = m->n_web_seeds;
    x->add.peers = x->place->peers.p;
    x->add.n_peers = x->place->peers.n;
}

/* The row of the torrent. */
static int api_add_torrent(struct api_add *x, struct err *e)
{
    const struct metainfo *m = x->m;
    const struct btc_add_options *o = x->o;
    struct journal_torrent *t = &x->add.torrent;
    memcpy(t->info_hash, m->v1.bytes, sizeof(t->info_hash));
    const struct place_wish place = api_add_place(x);
    x->name = place_name(m, &place, x->files);
    t->name = x->name;
    t->save_path = x->place->save_path;
    t->is_private = m->is_private;
    x->label = mem_strdup(o->label);
    t->label = x->label;
    t->total_size = m->total_size;
    t->piece_length = m->piece_length;
    t->n_pieces = m->n_pieces;
    t->n_files = m->n_files;
    x->add.info = m->info;
    x->add.info_len = m->info_len;
    x->add.files = x->files;
    return api_add_options(o, t, e);
}

/* A known torrent stays where it is. */
static int api_add_same_folder(const struct api_add *x,
                               const struct journal_torrent *t, struct err *e)
{
    if (x->o->dir && strcmp(t->save_path, x->place->save_path) != 0) {
        return err_set(e, BTC_E_EXISTS,
                       "torrent %lld (%.80s) is known with its files in "
                       "%.140s, not in %.140s; leave --dir out, or move it: "
                       "`btc move %lld DIR`",
                       (long long)t->id, t->name, t->save_path,
                       x->place->save_path, (long long)t->id);
    }
    return 0;
}

/* And it keeps its names. */
static int api_add_same_place(const struct api_add *x,
                              const struct journal_torrent *t, struct err *e)
{
    int code = api_add_same_folder(x, t, e);
    if (code != 0 || x->o->name == NULL) {
        return code;
    }
    struct journal_file *files = NULL;
    size_t n = 0;
    code = journal_load_files(x->db, t->id, &files, &n, e);
    if (code == 0 && n > 0 && strcmp(files[0].path, x->files[0].path) != 0) {
        code = err_set(e, BTC_E_EXISTS,
                       "torrent %lld is known with the file '%.150s', not "
                       "'%.150s'; leave --out out, or remove it first: `btc "
                       "rm %lld`",
                       (long long)t->id, files[0].path, x->files[0].path,
                       (long long)t->id);
    }
    journal_files_free(files, n);
    return code;
}

/* A wish that was asked for; `value` NULL: it was not. */
static int api_add_wish(const struct api_add *x, int64_t id, const char *column,
                        const char *value, struct err *e)
{
    if (value) {
        return journal_set_wish(x->db, id, column, value, e);
    }
    return 0;
}

/* A choice of files that was given counts for a known torrent, too. */
static int api_add_choice(const struct api_add *x, int64_t id, struct err *e)
{
    const struct btc_add_options *o = x->o;
    bool chosen = (o->select != NULL && *o->select != '\0') ||
                  (o->exclude != NULL && *o->exclude != '\0');
    if (!chosen) {
        return 0;
    }
    uint32_t n = x->m->n_files;
    uint8_t *priority = mem_calloc((size_t)n + 1, 1);
    for (uint32_t i = 0; i < n; i++) {
        priority[i] = x->files[i].state.priority;
    }
    int code = journal_set_priorities(x->db, id, priority, n, e);
    free(priority);
    return code;
}

/* And so do the other options. */
static int api_add_wishes(const struct api_add *x, int64_t id, struct err *e)
{
    const struct btc_add_options *o = x->o;
    char down[24], up[24], peers[24];
    (void)snprintf(down, sizeof(down), "%lld",
                   (long long)api_limit(o->down_limit));
    (void)snprintf(up, sizeof(up), "%lld", (long long)api_limit(o->up_limit));
    (void)snprintf(peers, sizeof(peers), "%u", o->max_peers);
    const struct {
        const char *column, *value;
    } wishes[] = {{"sequential", o->sequential ? "1" : NULL},
                  {"down_limit", o->down_limit > 0 ? down : NULL},
                  {"up_limit", o->up_limit > 0 ? up : NULL},
                  {"max_peers", o->max_peers > 0 ? peers : NULL},
                  {"label", o->label},
                  {"accept_loss", o->accept_loss ? "1" : NULL},
                  {"overwrite", o->overwrite ? "1" : NULL},
                  {"wanted", o->paused ? NULL : "run"}};
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof(wishes) / sizeof(*wishes); i++) {
        code = api_add_wish(x, id, wishes[i].column, wishes[i].value, e);
    }
    return code;
}

/* A magnet that peers have told nothing of yet is told by its .torrent. */
static int api_add_learn(struct api_add *x, const struct journal_torrent *t,
                         struct err *e)
{
    x->add.torrent.save_path = t->save_path;
    int code = place_conflict(x->db, x->place->own, &x->add, e);
    if (code == 0) {
        code = journal_learn(x->db, t->id, &x->add, e);
    }
    return code;
}

/* The torrent is there: what it did not know yet is added. */
static int api_add_merge(struct api_add *x, const struct journal_torrent *t,
                         struct err *e)
{
    int code = api_add_same_place(x, t, e);
    if (code == 0 && t->piece_length == 0) {
        code = api_add_learn(x, t, e);
    }
    if (code == 0) {
        code = journal_add_sources(x->db, t->id, &x->add, e);
    }
    if (code == 0) {
        code = api_add_choice(x, t->id, e);
    }
    if (code == 0) {
        code = api_add_wishes(x, t->id, e);
    }
    return code;
}

/* A magnet of a torrent whose files are known is as good as its .torrent. */
static int api_add_known_magnet(struct api_add *x, struct err *e)
{
    uint8_t *info = NULL;
    size_t len = 0;
    int code = journal_load_info(x->db, x->known->id, &info, &len, e);
    if (code == 0) {
        code = metainfo_parse_info(slice_of(info, len), &x->learned, e);
    }
    free(info);
    if (code == 0) {
        const struct place_wish place = api_add_place(x);
        x->m = x->learned;
        code = place_files(x->m, &place, &x->files, &x->n_shortened, e);
    }
    if (code == 0) {
        code = api_add_merge(x, x->known, e);
    }
    return code;
}

/* A magnet of a torrent that is known. */
static int api_add_magnet_again(struct api_add *x, int64_t id, struct err *e)
{
    int code = journal_load_by_id(x->db, id, &x->known, &x->n_known, e);
    if (code != 0 || x->n_known == 0) {
        return code;
    }
    if (x->known->piece_length > 0) {
        return api_add_known_magnet(x, e);
    }
    code = api_add_same_folder(x, x->known, e);
    if (code != 0) {
        return code;
    }
    return api_add_wishes(x, id, e);
}

/* Reads what is known, then adds or merges. */
static int api_add_store(struct api_add *x, int64_t *id, bool *known,
                         struct err *e)
{
    int code =
        journal_load_by_hash(x->db, x->m->v1.bytes, &x->known, &x->n_known, e);
    *known = x->n_known > 0;
    if (*known) {
        *id = x->known->id;
        return api_add_merge(x, x->known, e);
    }
    if (code == 0) {
        code = api_place_check(x->place, x->files, x->m->n_files, e);
    }
    if (code == 0) {
        code = place_conflict(x->db, x->place->own, &x->add, e);
    }
    if (code == 0) {
        x->add.root_dev = x->place->device;
        code = journal_add_torrent(x->db, &x->add, id, e);
    }
    return code;
}

/* What is not as the torrent says. */
static int api_add_tell(const struct api_add *x, int64_t id, struct err *e)
{
    char text[160];
    int code = 0;
    if (x->m->left_out.n_links > 0) {
        (void)snprintf(text, sizeof(text),
                       "%u symbolic links lead out of the torrent: left out",
                       x->m->left_out.n_links);
        code =
            journal_event_now(x->db, id, LEVEL_WARN, "links-left-out", text, e);
    }
    if (code == 0 && x->n_shortened > 0) {
        (void)snprintf(text, sizeof(text),
                       "%zu files have names that the file system cannot "
                       "hold: shortened, `btc files` shows them",
                       x->n_shortened);
        code = journal_event_now(x->db, id, LEVEL_WARN, "names-shortened", text,
                                 e);
    }
    return code;
}

/* The trackers and web seeds that are not used. */
static int api_add_tell_urls(const struct api_add *x,
                             const struct btc_source_info *i, int64_t id,
                             struct err *e)
{
    int code = 0;
    for (size_t n = 0; code == 0 && n < i->n_left_out; n++) {
        char *text = mem_printf("left out, for it %s: %s", i->left_out[n].why,
                                i->left_out[n].text);
        code =
            journal_event_now(x->db, id, LEVEL_WARN, "url-left-out", text, e);
        free(text);
    }
    if (code == 0 && i->n_left_out_all > i->n_left_out) {
        char *text = mem_printf("left out: %zu more URLs that cannot be used",
                                i->n_left_out_all - i->n_left_out);
        code =
            journal_event_now(x->db, id, LEVEL_WARN, "url-left-out", text, e);
        free(text);
    }
    return code;
}

/* The log's lines for those that were not known. */
static int api_add_log(const struct api_add *adds,
                       const struct btc_addition *items, size_t n, int64_t last,
                       struct err *e)
{
    int code = journal_log_added(adds->db, last, e);
    for (size_t i = 0; code == 0 && i < n; i++) {
        const struct api_add *x = &adds[i];
        if (items[i].error.status != 0 || items[i].known) {
            continue;
        }
        if (x->m != NULL) {
            code = api_add_tell(x, items[i].id, e);
        }
        if (code == 0) {
            code = api_add_tell_urls(x, &x->source->info, items[i].id, e);
        }
    }
    return code;
}

/* What needs no database. All that can be wrong is found here or by a look at
 * the database before the first write. */
static int api_add_prepare(struct api_add *x, struct err *e)
{
    int code = api_add_check_source(x->source, e);
    if (code != 0) {
        return code;
    }
    if (x->m == NULL) {
        return api_magnet_new(x->source->magnet, x->o, x->place, &x->magnet, e);
    }
    const struct place_wish place = api_add_place(x);
    code = place_files(x->m, &place, &x->files, &x->n_shortened, e);
    if (code == 0) {
        code = api_add_torrent(x, e);
    }
    if (code == 0) {
        api_add_sources(x);
    }
    return code;
}

/* The rows of one source: all of them or none. */
static int api_add_write(struct api_add *x, int64_t *id, bool *known,
                         struct err *e)
{
    int code = journal_begin(x->db, e);
    if (code != 0) {
        return code;
    }
    if (x->magnet != NULL) {
        code = api_magnet_store(x->magnet, x->db, id, known, e);
        if (code == 0 && *known) {
            code = api_add_magnet_again(x, *id, e);
        }
    } else {
        code = api_add_store(x, id, known, e);
    }
    return journal_end(x->db, code, e);
}

/* Notes what came of one. */
static void api_add_note(struct btc_addition *item, int code,
                         const struct err *e)
{
    if (code != 0) {
        item->id = 0;
        (void)api_status(&item->error, code, e);
    }
}

/* Those that have not failed yet do so now. */
static void api_add_fail_all(struct btc_addition *items, size_t n, int code,
                             const struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i].error.status == 0) {
            api_add_note(&items[i], code, e);
        }
    }
}

/* How many of the sources go into the next transaction; at least one. */
static size_t api_add_count(const struct btc_addition *items, size_t n)
{
    size_t files = items[0].source->info.n_files;
    size_t take = 1;
    while (take < n && take < API_ADD_CHUNK) {
        files += items[take].source->info.n_files;
        if (files > API_ADD_CHUNK_FILES) {
            break;
        }
        take++;
    }
    return take;
}

/* One transaction. An error is of all: nothing of it was written. */
static int api_add_chunk(struct api_add *adds, struct btc_addition *items,
                         size_t n, struct err *e)
{
    int64_t last = 0;
    int code = journal_begin_many(adds->db, e);
    if (code != 0) {
        return code;
    }
    code = journal_last_added(adds->db, &last, e);
    for (size_t i = 0; code == 0 && i < n; i++) {
        struct err err = {0};
        if (items[i].error.status == 0) {
            int wrong =
                api_add_write(&adds[i], &items[i].id, &items[i].known, &err);
            api_add_note(&items[i], wrong, &err);
        }
    }
    if (code == 0) {
        code = api_add_log(adds, items, n, last, e);
    }
    return journal_end(adds->db, code, e);
}

/* Makes a chunk ready, then writes it. */
static int api_add_some(const struct api_add *common,
                        struct btc_addition *items, size_t n, struct err *e)
{
    struct api_add *adds = mem_calloc(n, sizeof(*adds));
    for (size_t i = 0; i < n; i++) {
        struct err err = {0};
        adds[i] = *common;
        adds[i].source = items[i].source;
        adds[i].m = items[i].source->meta;
        api_add_note(&items[i], api_add_prepare(&adds[i], &err), &err);
    }
    int code = api_add_chunk(adds, items, n, e);
    for (size_t i = 0; i < n; i++) {
        api_add_fini(&adds[i]);
    }
    free(adds);
    return code;
}

/* The status of the first that failed. */
static int api_add_first(const struct btc_addition *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i].error.status != 0) {
            return items[i].error.status;
        }
    }
    return 0;
}

int btc_add_all(struct btc *b, struct btc_addition *items, size_t n,
                const struct btc_add_options *o)
{
    static const struct btc_add_options none = {0};
    struct err err = {0};
    struct api_place place = {0};
    struct api_add common = {.o = o ? o : &none, .place = &place};
    for (size_t i = 0; i < n; i++) {
        items[i].id = 0;
        items[i].known = false;
        items[i].error = (struct btc_error){0};
    }
    int code = api_db(b, &common.db, &err);
    if (code == 0) {
        place.own = store_own_new(journal_path(common.db));
        code = api_place_init(&place, common.o, &err);
    }
    size_t done = 0;
    while (code == 0 && done < n) {
        size_t take = api_add_count(items + done, n - done);
        code = api_add_some(&common, items + done, take, &err);
        done += code == 0 ? take : 0;
    }
    if (code != 0) {
        api_add_fail_all(items + done, n - done, code, &err);
    }
    api_place_fini(&place);
    return api_add_first(items, n);
}

int btc_add(struct btc *b, const struct btc_source *s,
            const struct btc_add_options *o, int64_t *id, bool *known,
            struct btc_error *e)
{
    struct btc_addition item = {.source = s};
    int status = btc_add_all(b, &item, 1, o);
    *id = item.id;
    if (known) {
        *known = item.known;
    }
    if (status != 0 && e) {
        *e = item.error;
    }
    return status;
}

/* What the database would refuse. */
static int api_add_foresee(struct api_add *x, struct err *e)
{
    const struct digest *v1 = x->m != NULL ? &x->m->v1 : &x->source->magnet->v1;
    int code =
        journal_load_by_hash(x->db, v1->bytes, &x->known, &x->n_known, e);
    if (code == 0 && x->n_known > 0) {
        return x->m != NULL ? api_add_same_place(x, x->known, e)
                            : api_add_same_folder(x, x->known, e);
    }
    if (code == 0 && x->m != NULL) {
        code = place_conflict(x->db, x->place->own, &x->add, e);
    }
    return code;
}

int btc_add_check(struct btc *b, const struct btc_source *s,
                  const struct btc_add_options *o, struct btc_error *e)
{
    struct err err = {0};
    struct api_place place = {0};
    struct btc_add_options quiet = *o;
    struct api_add x = {
        .o = &quiet, .place = &place, .source = s, .m = s->meta};
    quiet.n_peers = 0;
    int code = b != NULL ? api_db(b, &x.db, &err) : 0;
    if (code == 0) {
        place.own = x.db != NULL ? store_own_new(journal_path(x.db)) : NULL;
        code = api_place_init(&place, &quiet, &err);
    }
    if (code == 0) {
        code = api_add_prepare(&x, &err);
    }
    if (code == 0 && x.db != NULL) {
        code = api_add_foresee(&x, &err);
    }
    api_add_fini(&x);
    api_place_fini(&place);
    return api_status(e, code, &err);
}
