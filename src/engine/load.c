/* The objects of a torrent: made from its rows, and freed; see load.h. */
#include "engine/load.h"

#include "base/mem.h"
#include "engine/adopt.h"
#include "engine/infos.h"
#include "engine/keep.h"
#include "engine/limits.h"
#include "engine/links.h"
#include "engine/made.h"
#include "engine/magnet.h"
#include "engine/others.h"
#include "engine/pipes.h"
#include "engine/refusals.h"
#include "engine/rows.h"
#include "engine/trackers.h"
#include "engine/turn.h"
#include "journal/load.h"
#include "store/home.h"

#include <stdlib.h>
#include <string.h>

#define LOAD_PEERS_MAX 500

/* What the database thread has read, for the loop thread to take. */
struct rows_loaded {
    struct journal_stat stat;
    bool stat_loaded;
    struct journal_run run;      /* the last that may have written its files */
    struct metainfo *meta;       /* owns; NULL: there is no info dictionary */
    struct magnet_state *magnet; /* owns; of one without */
    struct torrent_rows rows;    /* owns; as far as the journal has them */
    struct keep_debt keep;       /* owns */
    struct err error;            /* why it could not all be read */
};

struct engine_torrent *engine_load_find(const struct engine *s, int64_t id)
{
    struct engine_torrent *st;
    HASH_FIND(hh, s->torrents, &id, sizeof(id), st);
    return st;
}

struct engine_torrent *engine_load_new(struct engine *s,
                                       struct journal_torrent *row)
{
    struct engine_torrent *st = mem_zalloc(sizeof(*st));
    st->s = s;
    st->id = row->id;
    st->row = *row;
    row->name = row->save_path = row->label = NULL;
    pipes_join(st);
    life_init(&st->life, st->row.wanted, st->row.starts, s->o.follow_wishes);
    (void)life_takes_news(&st->life); /* it is told when something changes */
    HASH_ADD(hh, s->torrents, id, sizeof(st->id), st);
    turn_touch(st);
    return st;
}

/* Before the object itself goes. */
static void load_unlink(struct engine_torrent *st)
{
    struct engine *s = st->s;
    turn_forget(st);
    limits_forget(st);
    if (s->unfinished == st) {
        s->unfinished = NULL;
    }
    HASH_DELETE(hh, s->torrents, st);
}

void engine_load_free(struct engine_torrent *st)
{
    engine_load_unload(st);
    load_unlink(st);
    for (uint32_t i = 0; i < st->net.n_links; i++) {
        BTC_ASSERT(st->net.links[i] == NULL);
    }
    free(st->net.links);
    commit_leave(&st->ledger.member);
    free(st->ledger.pieces.list);
    free(st->ledger.files.list);
    free(st->ledger.counted.list);
    free(st->row.name);
    free(st->row.save_path);
    free(st->row.label);
    free(st->error);
    free(st->ledger.next_stat);
    free(st->ledger.next_error);
    free(st->ledger.told_error);
    magnet_free_state(st->net.magnet);
    free(st);
}

/* What was read and not taken. */
static void load_free_loaded(struct rows_loaded *l)
{
    if (l != NULL) {
        metainfo_free(l->meta);
        magnet_free_state(l->magnet);
        rows_free(&l->rows);
        keep_debt_fini(&l->keep);
        free(l);
    }
}

void engine_load_unload(struct engine_torrent *st)
{
    links_close_all(st);
    trackers_cancel(st);
    torrent_free(st->t);
    st->ran = false;
    st->t = NULL;
    if (st->store != NULL) {
        store_tree_free(st->store);
        st->store = NULL;
    }
    infos_forget(st);
    metainfo_free(st->meta);
    st->meta = NULL;
    load_free_loaded(st->rows.loaded);
    rows_free(&st->rows);
    free(st->disk_error);
    st->disk_error = NULL;
    st->watch.anew = false;
    bits_fini(&st->startup.select);
    bits_fini(&st->startup.claimed);
    bits_fini(&st->startup.to_check);
    bits_fini(&st->startup.changed);
    bits_fini(&st->startup.adopt.strangers);
    bits_fini(&st->startup.adopt.used);
    made_forget(st);
    others_forget(st);
    bits_fini(&st->startup.adopt.taken);
    refusals_forget(st);
    st->ledger.pieces.n = st->ledger.pieces.n_taken = 0;
    st->ledger.files.n = st->ledger.files.n_taken = 0;
    st->ledger.counted.n = 0;
}

/* The last run that may have written its files. What this very run has left at
 * rest is journaled to the end. */
static int load_run(struct rows_loaded *l, struct journal *db)
{
    struct journal_run *r = &l->run;
    int rc = journal_load_run(db, l->stat.last_run, r, &l->error);
    if (rc == 0 && r->id == journal_run_id(db)) {
        r->ended_at = r->heartbeat_at;
    }
    return rc;
}

/* Who has no info dictionary is a magnet, or has lost it. */
static int load_without_info(int64_t id, struct journal *db,
                             struct rows_loaded *l)
{
    struct err *e = &l->error;
    struct journal_torrent *row = NULL;
    size_t n = 0;
    *e = (struct err){0};
    int err = journal_load_by_id(db, id, &row, &n, e);
    if (err == 0 && n > 0 && row[0].piece_length > 0) {
        err = err_set(e, BTC_E_DB,
                      "the info dictionary of torrent %lld is missing; "
                      "`btc db check` tells more",
                      (long long)id);
    } else if (err == 0) {
        err = magnet_load(db, id, &l->magnet, e);
    }
    journal_torrents_free(row, n);
    return err;
}

/* Who it is: the info dictionary, or what is known of a magnet's. On the
 * database thread: the torrent's own row may be changing. */
static int load_meta(int64_t id, struct journal *db, struct rows_loaded *l)
{
    struct err *e = &l->error;
    uint8_t *info = NULL;
    size_t len = 0;
    int err = journal_load_info(db, id, &info, &len, e);
    if (err == 0) {
        err = metainfo_parse_info(slice_of(info, len), &l->meta, e);
    } else if (err == BTC_E_NOTFOUND) {
        err = load_without_info(id, db, l);
    }
    free(info);
    return err;
}

void engine_load_rows(struct engine_torrent *st, struct journal *db)
{
    struct rows_loaded *l = mem_zalloc(sizeof(*l));
    struct torrent_rows *r = &l->rows;
    struct err *e = &l->error;
    st->rows.loaded = l;
    int err = journal_load_stat(db, st->id, &l->stat, e);
    l->stat_loaded = err == 0;
    if (err == 0) {
        err = load_run(l, db);
    }
    if (err == 0) {
        err = load_meta(st->id, db, l);
    }
    if (err == 0) {
        err = journal_load_files(db, st->id, &r->files, &r->n_files, e);
    }
    if (err == 0) {
        err = journal_load_pieces(db, st->id, &r->pieces, &r->n_pieces, e);
    }
    if (err == 0) {
        err = journal_load_blocks(db, st->id, &r->blocks, &r->n_blocks, e);
    }
    if (err == 0) {
        err = journal_load_peers(db, st->id, LOAD_PEERS_MAX, &r->peers,
                                 &r->n_peers, e);
    }
    if (err == 0) {
        (void)journal_load_trackers(db, st->id, &r->trackers, &r->n_trackers,
                                    e);
    }
    if (e->code == 0 && l->meta != NULL) {
        keep_load(db, st->id, &l->keep);
    }
}

/* The rows are another torrent's than the info dictionary. */
static int load_check_identity(const struct engine_torrent *st, struct err *e)
{
    if (st->rows.n_files == st->meta->n_files &&
        memcmp(st->meta->v1.bytes, st->row.info_hash, SHA1_LEN) == 0) {
        return 0;
    }
    return err_set(e, BTC_E_DB,
                   "the info dictionary of torrent %lld does not match its "
                   "rows; `btc db check` tells more",
                   (long long)st->id);
}

/* A path that leads out of the save path, or to nothing. */
static int load_check_path(uint32_t file, const char *column, const char *path,
                           struct err *e)
{
    if (path != NULL && store_path_is_clean(path)) {
        return 0;
    }
    if (path == NULL) {
        path = "";
    }
    return err_set(e, BTC_E_DB,
                   "the row of file %u has a %s that does not lead below the "
                   "save path: \"%.80s\"; mend it, then `btc resume`",
                   file, column, path);
}

/* Row `i` is that of file `i`, as the info dictionary has it. */
static int load_check_file(const struct engine_torrent *st, uint32_t i,
                           struct err *e)
{
    const struct journal_file *f = &st->rows.files[i];
    const struct metainfo_file *m = &st->meta->files[i];
    if (f->file != i || f->offset != m->offset || f->length != m->length ||
        f->pad != m->pad) {
        return err_set(e, BTC_E_DB,
                       "the row of file %u does not match the info dictionary; "
                       "mend it, then `btc resume`",
                       f->file);
    }
    int rc = 0;
    if (!f->pad) {
        rc = load_check_path(i, "path", f->path, e);
    }
    if (rc == 0 && f->part != NULL) {
        rc = load_check_path(i, "part", f->part, e);
    }
    return rc;
}

/* Claims of pieces and blocks that the torrent has. */
static int load_check_claims(const struct engine_torrent *st, struct err *e)
{
    const struct torrent_rows *r = &st->rows;
    const struct layout g = {.total = st->meta->total_size,
                             .piece_length = st->meta->piece_length,
                             .n_pieces = st->meta->n_pieces};
    for (size_t i = 0; i < r->n_pieces; i++) {
        if (r->pieces[i].piece >= g.n_pieces) {
            return err_set(e, BTC_E_DB,
                           "there is a row of piece %u, and the torrent has "
                           "%u: `btc db check --repair`, then `btc resume`",
                           r->pieces[i].piece, g.n_pieces);
        }
    }
    for (size_t i = 0; i < r->n_blocks; i++) {
        const struct journal_block *b = &r->blocks[i];
        if (b->piece >= g.n_pieces ||
            b->block >= layout_n_blocks(&g, b->piece)) {
            return err_set(e, BTC_E_DB,
                           "there is a row of block %u of piece %u, which the "
                           "torrent does not have: `btc db check --repair`, "
                           "then `btc resume`",
                           b->block, b->piece);
        }
    }
    return 0;
}

/* Anybody may write to the rows: what does not fit ends this torrent alone. Not
 * on the database thread: the row may change while that one loads. */
static void load_check(struct engine_torrent *st, struct err *e)
{
    if (e->code != 0 || st->meta == NULL) {
        return;
    }
    int rc = load_check_identity(st, e);
    for (uint32_t i = 0; rc == 0 && i < st->meta->n_files; i++) {
        rc = load_check_file(st, i, e);
    }
    if (rc == 0) {
        (void)load_check_claims(st, e);
    }
}

/* A run that is killed may come to its end before the command that follows:
 * that is owed before anything is here. */
static void load_owe(struct engine_torrent *st)
{
    bool misses =
        st->row.piece_length == 0 || st->stat.bytes_done < st->stat.bytes_total;
    if (st->s->o.owes_done && !st->s->o.check_only && misses &&
        !st->stat.done_owed) {
        st->stat.done_owed = true;
        journal_put_owed(commit_facts(&st->ledger.member), st->id, true);
    }
}

/* The rows take the place of those before; wishes that were kept meanwhile
 * stay.
 */
static void load_take_rows(struct engine_torrent *st, struct rows_loaded *l)
{
    l->rows.kept = st->rows.kept;
    st->rows.kept = NULL;
    rows_free(&st->rows);
    st->rows = l->rows;
    l->rows = (struct torrent_rows){0};
    st->meta = l->meta;
    l->meta = NULL;
    if (st->meta != NULL) {
        infos_add(st);
    }
    if (l->magnet != NULL) {
        magnet_free_state(st->net.magnet);
        st->net.magnet = l->magnet;
        l->magnet = NULL;
    }
}

/* A core that goes on knows better than the journal what was moved. */
static void load_take_stat(struct engine_torrent *st,
                           const struct rows_loaded *l)
{
    st->stat = l->stat;
    st->startup.last_run = l->run;
    st->ledger.stat_known = l->stat_loaded;
    if (st->t != NULL) {
        struct torrent_stats ts;
        torrent_get_stats(st->t, loop_now_ms(st->s->loop), &ts);
        st->stat.downloaded = ts.downloaded;
        st->stat.uploaded = ts.uploaded;
        st->stat.wasted = ts.wasted;
    }
}

int engine_load_take(struct engine_torrent *st, struct err *e)
{
    struct rows_loaded *l = st->rows.loaded;
    load_take_stat(st, l);
    load_take_rows(st, l);
    load_owe(st);
    load_check(st, &l->error);
    *e = l->error;
    if (e->code == 0 && !st->s->o.check_only) {
        keep_pay(st, &l->keep);
    }
    load_free_loaded(l);
    return e->code;
}

static void load_open_store(struct engine_torrent *st)
{
    uint32_t n = st->meta->n_files;
    struct store_file *files = mem_calloc(n > 0 ? n : 1, sizeof(*files));
    struct fingerprint *own =
        mem_calloc(rows_n_parts(&st->rows) + 1, sizeof(*own));
    uint32_t n_own = 0;
    bits_fini(&st->startup.adopt.taken);
    (void)bits_init(&st->startup.adopt.taken, n); /* METAINFO_MAX_FILES fits */
    for (uint32_t i = 0; i < n; i++) {
        files[i] = adopt_place(st, i, &own[n_own]);
        n_own += files[i].own != NULL ? 1 : 0;
    }
    st->store = store_tree_new(st->s->disk, st->row.save_path, files, n,
                               st->row.alloc_full);
    store_tree_expect_made(st->store, st->stat.making_ns);
    st->geom = (struct layout){.total = st->meta->total_size,
                               .piece_length = st->meta->piece_length,
                               .n_pieces = st->meta->n_pieces,
                               .n_files = n,
                               .files = store_tree_layout(st->store)};
    free(files);
    free(own);
    rows_shrink(&st->rows, st->store);
    metainfo_drop_files(st->meta);
}

void engine_load_priorities(struct engine_torrent *st)
{
    uint8_t *prio = mem_calloc(st->rows.n_files + 1, 1);
    for (size_t i = 0; i < st->rows.n_files; i++) {
        prio[i] = st->rows.state[i].priority;
    }
    torrent_set_priorities(st->t, prio);
    free(prio);
}

/* What an earlier run knew of a tracker. */
static void load_restore_tracker(struct engine_torrent *st, uint32_t at,
                                 const struct journal_tracker *row)
{
    struct announce_past past = {.state = announce_state_from_name(row->state),
                                 .failures = row->failures,
                                 .last_unix = row->last_announce,
                                 .next_unix = row->next_announce,
                                 .min_unix = row->not_before,
                                 .error = row->error,
                                 .tracker_id = row->tracker_id};
    torrent_restore_tracker(st->t, at, &past, loop_unix_now());
}

/* A core that runs has asked those that it knows: there is no past of them. */
static void load_give_trackers(struct engine_torrent *st, bool runs)
{
    for (size_t i = 0; i < st->rows.n_trackers; i++) {
        int at = torrent_add_tracker(st->t, st->rows.trackers[i].url,
                                     st->rows.trackers[i].tier);
        if (at >= 0 && !runs) {
            load_restore_tracker(st, (uint32_t)at, &st->rows.trackers[i]);
        }
    }
    journal_trackers_free(st->rows.trackers, st->rows.n_trackers);
    st->rows.trackers = NULL;
    st->rows.n_trackers = 0;
}

/* One that can be dialled, or that is not to be. A peer that a user named may
 * not have been dialled yet. */
static void load_give_peer(struct engine_torrent *st,
                           const struct journal_peer *p)
{
    struct addr a;
    struct peerset_entry old = {.bytes_down = (uint64_t)p->bytes_down,
                                .bytes_up = (uint64_t)p->bytes_up,
                                .last_seen = p->last_seen,
                                .failures = (uint32_t)p->failures,
                                .is_seed = p->is_seed,
                                .banned = p->banned};
    enum peer_source source =
        peer_source_from_name(slice_str(p->source), PEER_SOURCE_RESUME);
    if (source != PEER_SOURCE_USER) {
        source = PEER_SOURCE_RESUME;
    }
    if (addr_parse_ip(slice_str(p->address), p->port, &a) &&
        (p->connectable || p->banned || source == PEER_SOURCE_USER)) {
        torrent_add_peer(st->t, &a, source, &old);
    }
}

static void load_give_peers(struct engine_torrent *st)
{
    for (size_t i = 0; i < st->rows.n_peers; i++) {
        load_give_peer(st, &st->rows.peers[i]);
    }
    free(st->rows.peers);
    st->rows.peers = NULL;
    st->rows.n_peers = 0;
}

/* What a core is made of, and what one that runs learns. */
static struct torrent_config load_config(struct engine_torrent *st)
{
    struct engine *s = st->s;
    struct torrent_config c = {.shared = &s->shared,
                               .info_hash = st->row.info_hash,
                               .max_peers = st->row.max_peers > 0
                                                ? (uint32_t)st->row.max_peers
                                                : s->o.max_peers,
                               .sequential = st->row.sequential,
                               .is_private = st->row.is_private,
                               .no_pex = s->o.reach.no_pex,
                               .up_limit = (uint64_t)st->row.up_limit,
                               .downloaded = st->stat.downloaded,
                               .uploaded = st->stat.uploaded,
                               .wasted = st->stat.wasted};
    if (st->meta != NULL) {
        c.geom = &st->geom;
        c.info = slice_of(st->meta->info, st->meta->info_len);
    }
    return c;
}

/* A core with what the journal knows but for pieces and blocks: the startup
 * verification decides on those. */
static void load_open_core(struct engine_torrent *st)
{
    struct engine *s = st->s;
    struct torrent_config c = load_config(st);
    st->t = torrent_new(&c, loop_now_ms(s->loop));
    bucket_init(&st->net.down_bucket, (uint64_t)st->row.down_limit,
                loop_now_ms(s->loop));
    if (st->meta == NULL) {
        magnet_restore(st);
    }
    load_give_trackers(st, false);
    load_give_peers(st);
    if (s->o.check_only) {
        torrent_set_check_only(st->t);
    }
}

/* The core of a magnet goes on with what it has learned. It knows its peers,
 * and wishes that came while the rows were read stand in `row`. */
static void load_learn(struct engine_torrent *st)
{
    struct torrent_config c = load_config(st);
    uint64_t now = loop_now_ms(st->s->loop);
    torrent_learn(st->t, &c);
    torrent_set_limits(st->t, c.up_limit, c.max_peers, now);
    bucket_set_rate(&st->net.down_bucket, (uint64_t)st->row.down_limit, now);
    links_set_pieces(st);
    load_give_trackers(st, true);
    magnet_free_state(st->net.magnet);
    st->net.magnet = NULL;
}

void engine_load_open(struct engine_torrent *st)
{
    if (st->meta != NULL) {
        load_open_store(st);
    }
    if (st->t == NULL) {
        load_open_core(st);
    } else if (st->meta != NULL) {
        load_learn(st);
    }
    st->ran = false;
    if (st->meta != NULL) {
        engine_load_priorities(st);
    }
}
