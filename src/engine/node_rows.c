/* Rows of the DHT on their way into the journal; see node_rows.h. */
#include "engine/node_rows.h"

#include "base/log.h"
#include "base/mem.h"
#include "journal/nodes.h"
#include "journal/ways.h"

#include <stdlib.h>
#include <string.h>

#define NODE_ROWS_MS  5000 /* changes are gathered for so long */
#define NODE_ROWS_MAX 1024 /* and so many nodes at most */

/* What one call of the database thread writes. */
struct node_rows_batch {
    struct journal_node *nodes; /* owns */
    size_t n_nodes;
    struct journal_search searches[JOURNAL_SEARCHES_MAX];
    size_t n_searches;
    struct journal_place places[2];
};

struct node_rows {
    struct engine *s; /* borrows */
    struct node_rows_batch gathered;
    uint64_t write_ms; /* when it is written; 0 = nothing is there */
};

struct node_rows *node_rows_new(struct engine *s)
{
    struct node_rows *r = mem_zalloc(sizeof(*r));
    r->s = s;
    r->gathered.nodes = mem_array(NODE_ROWS_MAX, sizeof(struct journal_node));
    return r;
}

/* --- at the start --- */

void node_rows_restore(const struct node_rows *r, struct dht_config *c)
{
    struct journal_place places[2];
    struct err e = {0};
    if (journal_load_places(r->s->db, places, &e) != 0) {
        log_write(LOG_WARN, "dht", "a new place in the DHT: %s", e.msg);
        return;
    }
    if (places[0].is_known) {
        memcpy(c->id4, places[0].id, sizeof(c->id4));
        c->ip4 = places[0].ip;
    }
    if (places[1].is_known) {
        memcpy(c->id6, places[1].id, sizeof(c->id6));
        c->ip6 = places[1].ip;
    }
}

size_t node_rows_load(const struct node_rows *r, struct krpc_node **out)
{
    struct journal_node *rows = NULL;
    size_t n = 0;
    struct err e = {0};
    if (journal_load_nodes(r->s->db, &rows, &n, &e) != 0) {
        log_write(LOG_WARN, "dht", "no nodes of earlier runs: %s", e.msg);
    }
    *out = mem_calloc(n + 1, sizeof(**out));
    for (size_t i = 0; i < n; i++) {
        (*out)[i].addr = rows[i].addr;
        memcpy((*out)[i].id, rows[i].id, sizeof((*out)[i].id));
    }
    free(rows);
    return n;
}

/* --- gathering --- */

void node_rows_touch(struct node_rows *r)
{
    if (r->write_ms == 0) {
        r->write_ms = loop_now_ms(r->s->loop) + NODE_ROWS_MS;
    }
}

/* A full batch is due now. */
static void node_rows_hurry(struct node_rows *r)
{
    r->write_ms = loop_now_ms(r->s->loop);
}

/* What finds no place is told again by the next change of that node. */
void node_rows_node(struct node_rows *r, const struct krpc_node *node,
                    bool is_gone)
{
    struct node_rows_batch *b = &r->gathered;
    if (b->n_nodes == NODE_ROWS_MAX) {
        node_rows_hurry(r);
        return;
    }
    struct journal_node *j = &b->nodes[b->n_nodes++];
    *j = (struct journal_node){.addr = node->addr, .is_gone = is_gone};
    memcpy(j->id, node->id, sizeof(j->id));
    node_rows_touch(r);
}

void node_rows_search(struct node_rows *r, int64_t torrent_id,
                      const struct dht_search_result *result)
{
    struct node_rows_batch *b = &r->gathered;
    if (b->n_searches == JOURNAL_SEARCHES_MAX) {
        node_rows_hurry(r);
        return;
    }
    b->searches[b->n_searches++] =
        (struct journal_search){.torrent_id = torrent_id,
                                .answers = result->n_answers,
                                .peers = result->n_peers,
                                .announced = result->n_announced};
    node_rows_touch(r);
}

uint64_t node_rows_deadline(const struct node_rows *r)
{
    if (r->write_ms != 0) {
        return r->write_ms;
    }
    return UINT64_MAX;
}

/* --- writing --- */

static void node_rows_on_thread(void *ctx, struct journal *db)
{
    const struct node_rows_batch *b = ctx;
    struct err e = {0};
    int code = journal_save_places(db, b->places, &e);
    if (code == 0 && b->n_nodes > 0) {
        code = journal_save_nodes(db, b->nodes, b->n_nodes, &e);
    }
    if (code == 0 && b->n_searches > 0) {
        code = journal_save_searches(db, b->searches, b->n_searches, &e);
    }
    if (code != 0) {
        log_write(LOG_WARN, "dht", "nodes are not saved: %s", e.msg);
    }
}

static void node_rows_written(void *ctx)
{
    struct node_rows_batch *b = ctx;
    free(b->nodes);
    free(b);
}

static struct journal_place node_rows_place(const struct dht_family_stats *f)
{
    struct journal_place p = {
        .ip = f->ip, .nodes = f->n_nodes, .good_nodes = f->n_good};
    memcpy(p.id, f->id, sizeof(p.id));
    return p;
}

void node_rows_write(struct node_rows *r, const struct dht_stats *stats)
{
    struct node_rows_batch *b = &r->gathered;
    if (r->write_ms == 0 || r->s->journal_thread == NULL) {
        r->write_ms = 0;
        return;
    }
    r->write_ms = 0;
    b->places[0] = node_rows_place(&stats->v4);
    b->places[1] = node_rows_place(&stats->v6);
    struct node_rows_batch *out = mem_dup(b, sizeof(*b));
    out->nodes = NULL;
    if (b->n_nodes > 0) {
        out->nodes = mem_dup(b->nodes, b->n_nodes * sizeof(*b->nodes));
    }
    b->n_nodes = 0;
    b->n_searches = 0;
    journal_thread_call(r->s->journal_thread, node_rows_on_thread,
                        node_rows_written, out);
}

void node_rows_free(struct node_rows *r)
{
    if (r != NULL) {
        free(r->gathered.nodes);
        free(r);
    }
}
