/* Magnets in a run; see magnet.h. */
#include "engine/magnet.h"

#include "base/mem.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/report.h"
#include "engine/turn.h"
#include "journal/magnet.h"
#include "proto/metainfo/choose.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGNET_PEERS_MAX 200 /* taken over */

/* A peer that was met or heard of. */
struct magnet_peer {
    struct addr addr;
    enum peer_source source;
};

struct magnet_state {
    struct journal_magnet row; /* owns */
    struct magnet_peer *peers; /* owns; to be taken over */
    size_t n_peers;
};

/* Something for the database thread. */
struct magnet_job {
    struct engine_torrent *st; /* borrows; counts as a job of it */
    int64_t id;
    uint32_t size, piece;
    uint8_t *data; /* owns */
    size_t len;
    struct metainfo *meta;      /* owns; of a dictionary that is whole */
    struct journal_add add;     /* points into the rest */
    struct journal_file *files; /* owns, and their paths */
    char *name;                 /* owns */
    int code;
    struct err e;
};

int magnet_load(struct journal *db, int64_t id, struct magnet_state **out,
                struct err *e)
{
    struct magnet_state *m = mem_zalloc(sizeof *m);
    int err = journal_load_magnet(db, id, &m->row, e);
    if (err != 0) {
        magnet_free_state(m);
        m = NULL;
    }
    *out = m;
    return err;
}

void magnet_free_state(struct magnet_state *m)
{
    if (m != NULL) {
        journal_magnet_fini(&m->row);
        free(m->peers);
        free(m);
    }
}

void magnet_restore(struct engine_torrent *st)
{
    const struct journal_magnet *row = &st->net.magnet->row;
    for (size_t i = 0; i < row->n_pieces; i++) {
        const struct journal_metadata *p = &row->pieces[i];
        torrent_restore_metadata(st->t, row->size, p->piece,
                                 slice_of(p->data, p->len));
    }
}

/* --- jobs of the database thread --- */

static struct magnet_job *magnet_job_new(struct engine_torrent *st)
{
    struct magnet_job *j = mem_zalloc(sizeof *j);
    j->st = st;
    j->id = st->id;
    st->n_jobs++;
    return j;
}

static void magnet_job_free(struct magnet_job *j)
{
    journal_files_free(j->files, j->meta != NULL ? j->meta->n_files : 0);
    metainfo_free(j->meta);
    free(j->name);
    free(j->data);
    free(j);
}

static void magnet_put(void *ctx, struct journal *db)
{
    struct magnet_job *j = ctx;
    j->code = journal_put_metadata(db, j->id, j->size, j->piece,
                                   slice_of(j->data, j->len), &j->e);
}

static void magnet_drop(void *ctx, struct journal *db)
{
    struct magnet_job *j = ctx;
    j->code = journal_drop_metadata(db, j->id, &j->e);
}

/* A piece that could not be journaled is asked for again in the next run. */
static void magnet_put_done(void *ctx)
{
    struct magnet_job *j = ctx;
    jobs_done(j->st);
    magnet_job_free(j);
}

void magnet_piece(struct engine_torrent *st, uint32_t piece)
{
    struct torrent_metadata m;
    struct slice data = torrent_metadata_piece(st->t, piece);
    struct magnet_job *j = magnet_job_new(st);
    torrent_get_metadata(st->t, &m);
    j->size = m.size;
    j->piece = piece;
    j->data = mem_dup(data.p, data.len);
    j->len = data.len;
    facts_stat(st);
    journal_thread_call(st->s->journal_thread, magnet_put, magnet_put_done, j);
}

void magnet_lost(struct engine_torrent *st)
{
    struct magnet_job *j = magnet_job_new(st);
    journal_thread_call(st->s->journal_thread, magnet_drop, magnet_put_done, j);
}

/* --- the whole dictionary --- */

/* Rows of the files, as they are chosen and called. */
static int magnet_files(struct magnet_job *j, const struct journal_magnet *row)
{
    uint32_t n = j->meta->n_files;
    struct choose_file *choice = mem_calloc(n > 0 ? n : 1, sizeof *choice);
    j->files = mem_calloc(n > 0 ? n : 1, sizeof *j->files);
    for (uint32_t i = 0; i < n; i++) {
        const struct metainfo_file *m = &j->meta->files[i];
        choice[i] = (struct choose_file){
            .path = m->path, .pad = m->pad, .wanted = true};
        j->files[i] = (struct journal_file){.file = i,
                                            .path = mem_strdup(m->path),
                                            .offset = m->offset,
                                            .length = m->length,
                                            .pad = m->pad};
    }
    int code = choose_files(choice, n, row->selected, row->excluded, &j->e);
    for (uint32_t i = 0; i < n; i++) {
        j->files[i].priority = choice[i].wanted || choice[i].pad ? 4 : 0;
    }
    free(choice);
    for (uint32_t i = 0; code == 0 && row->out_name != NULL && i < n; i++) {
        char *path = NULL;
        code = choose_rename(j->files[i].path, j->meta->multi_file,
                             row->out_name, &path, &j->e);
        if (code == 0) {
            free(j->files[i].path);
            j->files[i].path = path;
        }
    }
    return code;
}

/* What the rows will be. */
static int magnet_prepare(struct magnet_job *j,
                          const struct journal_magnet *row)
{
    int code = metainfo_parse_info(slice_of(j->data, j->len), &j->meta, &j->e);
    if (code == 0) {
        code = magnet_files(j, row);
    }
    if (code != 0) {
        return code;
    }
    const struct metainfo *m = j->meta;
    j->name = mem_strdup(m->name);
    if (row->out_name != NULL && m->n_files > 0) {
        const char *path = j->files[0].path;
        free(j->name);
        j->name = mem_strndup(path, strcspn(path, "/"));
    }
    j->add = (struct journal_add){
        .info = m->info, .info_len = m->info_len, .files = j->files};
    struct journal_torrent *t = &j->add.torrent;
    t->name = j->name;
    t->is_private = m->is_private;
    t->total_size = m->total_size;
    t->piece_length = m->piece_length;
    t->n_pieces = m->n_pieces;
    t->n_files = m->n_files;
    return 0;
}

static void magnet_learn(void *ctx, struct journal *db)
{
    struct magnet_job *j = ctx;
    j->code = journal_learn(db, j->id, &j->add, &j->e);
}

/* Whom the torrent has met. */
static void magnet_keep_peers(struct engine_torrent *st)
{
    struct magnet_state *m = st->net.magnet;
    struct peerset *ps = torrent_peerset(st->t);
    m->peers = mem_calloc(MAGNET_PEERS_MAX, sizeof *m->peers);
    for (uint32_t i = 0; i < peerset_count(ps); i++) {
        const struct peerset_entry *e = peerset_at(ps, i);
        if (m->n_peers < MAGNET_PEERS_MAX && !e->is_self && !e->banned &&
            (e->connectable || e->source != PEER_SOURCE_INCOMING)) {
            m->peers[m->n_peers++] = (struct magnet_peer){
                .addr = e->addr, .source = (enum peer_source)e->source};
        }
    }
}

void magnet_take_peers(struct engine_torrent *st)
{
    struct magnet_state *m = st->net.magnet;
    for (size_t i = 0; m != NULL && i < m->n_peers; i++) {
        torrent_add_peer(st->t, &m->peers[i].addr, m->peers[i].source, NULL);
    }
    magnet_free_state(m);
    st->net.magnet = NULL;
}

/* The row as it stands in the journal now. */
static void magnet_take_row(struct engine_torrent *st,
                            const struct magnet_job *j)
{
    const struct journal_torrent *t = &j->add.torrent;
    if (strcmp(st->row.name, st->net.magnet->row.given_name) == 0) {
        free(st->row.name);
        st->row.name = mem_strdup(j->name);
    }
    st->row.is_private = t->is_private;
    st->row.total_size = t->total_size;
    st->row.piece_length = t->piece_length;
    st->row.n_pieces = t->n_pieces;
    st->row.n_files = t->n_files;
}

/* With its content known the torrent begins anew, unless the run is for nothing
 * more. */
static void magnet_go_on(struct engine_torrent *st)
{
    if (st->s->o.metadata_only) {
        st->asked = false;
    } else {
        turn_post(st, LIFE_AGAIN);
    }
}

/* It stands in the journal, or cannot. */
static void magnet_end(struct magnet_job *j)
{
    struct engine_torrent *st = j->st;
    if (j->code != 0) {
        turn_post_failed(st, j->code, j->e.msg);
    } else {
        magnet_take_row(st, j);
        magnet_keep_peers(st);
        report_tell_type(st, BTC_EVENT_METADATA);
        facts_event(st, LEVEL_INFO, "metadata",
                    "the metadata is here and right");
        magnet_go_on(st);
    }
    jobs_done(st);
    magnet_job_free(j);
}

static void magnet_learned(void *ctx)
{
    magnet_end(ctx);
}

void magnet_whole(struct engine_torrent *st)
{
    struct slice info = torrent_metadata_info(st->t);
    struct magnet_job *j = magnet_job_new(st);
    j->data = mem_dup(info.p, info.len);
    j->len = info.len;
    j->code = magnet_prepare(j, &st->net.magnet->row);
    if (j->code == 0) {
        journal_thread_call(st->s->journal_thread, magnet_learn, magnet_learned,
                            j);
    } else {
        magnet_end(j);
    }
}
