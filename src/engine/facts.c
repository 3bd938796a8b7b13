/* Facts on their way into the journal; see facts.h. */
#include "engine/facts.h"

#include "base/log.h"
#include "base/vec.h"
#include "engine/turn.h"

#include <stdio.h>
#include <string.h>

#define FACTS_TRIM_PEERS 2000 /* new rows of peers, then the worst go */

void facts_event(struct engine_torrent *st, enum level level, const char *kind,
                 const char *text)
{
    log_write(level == LEVEL_INFO ? LOG_INFO : LOG_WARN, kind, "%s", text);
    journal_put_event(st->s->commit.batch, st->id, level, kind, text);
}

/* Its row under another address goes: the port that a connection came from is
 * nobody's address. */
static void facts_forget_peer(struct engine_torrent *st,
                              struct peerset_entry *e)
{
    char ip[ADDR_TEXT_MAX];
    if (e->journaled.family != ADDR_NONE) {
        addr_format_ip(&e->journaled, ip);
        journal_del_peer(st->s->commit.batch, st->id, ip, e->journaled.port);
        e->journaled = addr_none();
    }
}

/* A peer's row as it is now. A stranger that cannot be dialled has one while it
 * is connected, or else everybody who calls and goes would leave a row. */
void facts_peer(struct engine_torrent *st, uint32_t id)
{
    struct peerset_entry *e = peerset_get(torrent_peerset(st->t), id);
    struct swarm_peer_info info;
    struct journal_peer row = {0};
    char ip[ADDR_TEXT_MAX];
    if (e == NULL) {
        return;
    }
    bool live = torrent_peer_info(st->t, id, loop_now_ms(st->s->loop), &info);
    bool known = live || e->connectable || e->banned;
    if (!known || !addr_eq(&e->journaled, &e->addr)) {
        facts_forget_peer(st, e);
    }
    if (!known) {
        return;
    }
    if (e->journaled.family == ADDR_NONE &&
        ++st->ledger.n_peer_rows % FACTS_TRIM_PEERS == 0) {
        journal_trim_peers(st->s->commit.batch, st->id);
    }
    e->journaled = e->addr;
    addr_format_ip(&e->addr, ip);
    (void)snprintf(row.address, sizeof(row.address), "%.47s", ip);
    (void)snprintf(row.source, sizeof(row.source), "%s",
                   peer_source_name(e->source));
    row.port = e->addr.port;
    row.banned = e->banned;
    row.is_seed = e->is_seed;
    row.connectable = e->connectable;
    row.bytes_down = (int64_t)e->bytes_down;
    row.bytes_up = (int64_t)e->bytes_up;
    row.failures = e->failures;
    row.last_seen = e->last_seen;
    if (live) {
        row.connected = true;
        row.choking = info.choking;
        row.interested = info.interested;
        row.down_rate = (int64_t)info.down_rate;
        row.up_rate = (int64_t)info.up_rate;
        (void)snprintf(row.client, sizeof(row.client), "%s", info.client);
    }
    journal_put_peer(st->s->commit.batch, st->id, &row);
}

/* A tracker's row as it is now. */
static void facts_tracker(struct engine_torrent *st, uint32_t i)
{
    const struct announce_tracker *k = announce_get(torrent_announce(st->t), i);
    uint64_t now = loop_now_ms(st->s->loop);
    struct journal_tracker row = {.url = k->url,
                                  .tier = k->tier,
                                  .last_announce = k->last_unix,
                                  .seeders = k->seeders,
                                  .leechers = k->leechers};
    if (k->next_ms > now && k->next_ms != UINT64_MAX) {
        row.next_announce =
            loop_unix_now() + (int64_t)((k->next_ms - now) / 1000);
    }
    (void)snprintf(row.state, sizeof(row.state), "%s",
                   announce_state_name(k->state));
    (void)snprintf(row.error, sizeof(row.error), "%s", k->error);
    (void)snprintf(row.tracker_id, sizeof(row.tracker_id), "%s", k->tracker_id);
    journal_put_tracker(st->s->commit.batch, st->id, &row);
}

void facts_put(struct engine_torrent *st, const struct action *a)
{
    switch (a->fact.type) {
    case FACT_PIECE:
        if (st->ledger.tainted) {
            break;
        }
        journal_put_piece(st->ledger.facts, st->id, a->piece, loop_unix_now());
        st->stat.writes |= !st->s->o.check_only;
        st->ledger.dirty = true;
        break;
    case FACT_PIECE_LOST:
        journal_del_piece(st->ledger.facts, st->id, a->piece);
        break;
    case FACT_BLOCK:
        if (st->ledger.tainted) {
            break;
        }
        journal_put_block(st->ledger.facts, st->id, a->piece, a->fact.block);
        st->ledger.dirty = true;
        break;
    case FACT_BLOCKS_LOST:
        journal_del_blocks(st->ledger.facts, st->id, a->piece);
        break;
    case FACT_PEER:
        facts_peer(st, a->fact.index);
        break;
    case FACT_TRACKER:
        facts_tracker(st, a->fact.index);
        break;
    case FACT_METADATA:
    case FACT_METADATA_LOST:
        break; /* magnet.c has them */
    case FACT_EVENT:
        facts_event(st, a->fact.level, a->fact.kind, a->fact.text);
        break;
    }
}

void facts_stat(struct engine_torrent *st)
{
    st->ledger.stat_dirty = true;
    turn_ask(st);
}

/* Remembers an index until the commit that makes it true. */
static void facts_remember(uint32_t **list, uint32_t *n, uint32_t *cap,
                           uint32_t index)
{
    *list = vec_room(*list, *n, cap, sizeof **list);
    (*list)[(*n)++] = index;
}

void facts_fresh_piece(struct engine_torrent *st, uint32_t piece)
{
    if (!st->ledger.tainted) {
        facts_remember(&st->ledger.fresh_pieces, &st->ledger.n_fresh,
                       &st->ledger.fresh_cap, piece);
    }
}

void facts_fresh_file(struct engine_torrent *st, uint32_t file)
{
    if (!st->ledger.tainted) {
        facts_remember(&st->ledger.fresh_files, &st->ledger.n_fresh_files,
                       &st->ledger.fresh_files_cap, file);
    }
}

void facts_complete(struct engine_torrent *st)
{
    st->ledger.done_pending = true;
    st->s->commit.now = true;
}

void facts_checked(struct engine_torrent *st)
{
    journal_put_verify_done(st->ledger.facts, st->id, st->startup.verify_taken);
    if (st->row.verify_since <= st->startup.verify_taken) {
        st->row.verify_since = 0;
    }
    if (st->s->o.check_only) {
        facts_complete(st);
    }
}

void facts_forget(struct engine_torrent *st)
{
    journal_batch_free(st->ledger.facts);
    journal_batch_free(st->ledger.syncing);
    st->ledger.facts = journal_batch_new();
    st->ledger.syncing = journal_batch_new();
    st->ledger.dirty = st->ledger.collected = st->ledger.done_collected = false;
}

/* What the kernel could not write may be gone from its cache, too: no later
 * sync makes claims true that speak of data written until now, nor of what is
 * being written. The data is found again, if it is there, by hashing when the
 * torrent begins anew. */
void facts_taint(struct engine_torrent *st)
{
    st->ledger.tainted = true;
    turn_ask(st);
    journal_batch_append(st->ledger.syncing, st->ledger.facts);
    journal_batch_drop_claims(st->ledger.syncing);
    journal_batch_append(st->ledger.facts, st->ledger.syncing);
    st->ledger.collected = st->ledger.done_collected = st->ledger.done_pending =
        false;
    st->ledger.n_fresh = st->ledger.n_fresh_files = 0;
    st->ledger.n_collected = st->ledger.n_files_collected = 0;
    facts_stat(st);
}
