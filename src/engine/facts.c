/* Facts on their way into the journal; see facts.h. */
#include "engine/facts.h"

#include "base/log.h"
#include "base/num.h"
#include "base/vec.h"
#include "core/durable/trust.h"
#include "engine/pipes.h"
#include "engine/refusals.h"
#include "engine/turn.h"

#include <stdio.h>
#include <string.h>

#define FACTS_TRIM_PEERS 2000 /* new rows of peers, then the worst go */

void facts_event(struct engine_torrent *st, enum level level, const char *kind,
                 const char *text)
{
    log_write(level == LEVEL_INFO ? LOG_INFO : LOG_WARN, kind, "%s", text);
    journal_put_event(pipes_free_facts(st->s), st->id, level, kind, text);
}

/* Its row under another address goes: the port that a connection came from is
 * nobody's address. */
static void facts_forget_peer(struct engine_torrent *st,
                              struct peerset_entry *e)
{
    char ip[ADDR_TEXT_MAX];
    if (e->journaled.family != ADDR_NONE) {
        addr_format_ip(&e->journaled, ip);
        journal_del_peer(pipes_free_facts(st->s), st->id, ip,
                         e->journaled.port);
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
        journal_trim_peers(pipes_free_facts(st->s), st->id);
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
    if (e->outcome.what != NULL) {
        (void)snprintf(row.outcome, sizeof(row.outcome), "%s", e->outcome.what);
        row.outcome_at = e->outcome.unix_time;
        row.outcome_count = e->outcome.n;
    }
    if (live) {
        row.connected = true;
        row.choking = info.choking;
        row.interested = info.interested;
        row.down_rate = (int64_t)info.down_rate;
        row.up_rate = (int64_t)info.up_rate;
        (void)snprintf(row.client, sizeof(row.client), "%s", info.client);
    }
    journal_put_peer(pipes_free_facts(st->s), st->id, &row);
}

/* A time to come by the wall clock, rounded up; 0 for one that is over or never
 * comes. */
static int64_t facts_unix(uint64_t at_ms, uint64_t now_ms)
{
    if (at_ms <= now_ms || at_ms == UINT64_MAX) {
        return 0;
    }
    return loop_unix_now() + (int64_t)((at_ms - now_ms + 999) / 1000);
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
                                  .leechers = k->leechers,
                                  .completed = k->downloaded};
    row.failures = k->failures;
    row.next_announce = facts_unix(k->next_ms, now);
    row.not_before = facts_unix(k->min_ms, now);
    (void)snprintf(row.state, sizeof(row.state), "%s",
                   announce_state_name(k->state));
    (void)snprintf(row.error, sizeof(row.error), "%s", k->error);
    (void)snprintf(row.tracker_id, sizeof(row.tracker_id), "%s", k->tracker_id);
    journal_put_tracker(pipes_free_facts(st->s), st->id, &row);
}

uint64_t facts_unclaim(struct engine_torrent *st, uint32_t piece)
{
    struct commit_member *m = &st->ledger.member;
    struct layout_spans it;
    struct span s;
    uint64_t bytes = 0;
    journal_del_piece(commit_facts(m), st->id, piece);
    layout_spans_init(&it, &st->geom, layout_piece_offset(&st->geom, piece),
                      layout_piece_size(&st->geom, piece));
    while (layout_spans_next(&it, &s)) {
        struct journal_file_state *f = &st->rows.state[s.file];
        if (s.pad) {
            continue;
        }
        f->bytes_done = num_sub_u64(f->bytes_done, s.len);
        journal_put_less(commit_facts(m), st->id, s.file, f->bytes_done);
        bytes += f->priority > 0 ? s.len : 0;
    }
    return bytes;
}

void facts_put(struct engine_torrent *st, const struct action *a)
{
    struct commit_member *m = &st->ledger.member;
    switch (a->fact.type) {
    case FACT_PIECE:
        refusals_retry(st, a->piece);
        journal_put_piece(commit_claims(m), st->id, a->piece, loop_unix_now());
        st->stat.writes |= !st->s->o.check_only;
        break;
    case FACT_PIECE_LOST:
        st->ledger.lost++;
        st->ledger.lost_bytes += facts_unclaim(st, a->piece);
        break;
    case FACT_BLOCK:
        journal_put_block(commit_claims(m), st->id, a->piece, a->fact.block);
        break;
    case FACT_BLOCKS_LOST:
        journal_del_blocks(commit_facts(m), st->id, a->piece);
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

/* Remembers an index until the commit that makes it true. What is in doubt is
 * hashed again and comes again. */
static void facts_remember(const struct engine_torrent *st, struct fresh *f,
                           uint32_t index)
{
    if (!st->ledger.member.doubted) {
        f->list = vec_room(f->list, f->n, &f->cap, sizeof(*f->list));
        f->list[f->n++] = index;
    }
}

void facts_fresh_piece(struct engine_torrent *st, uint32_t piece)
{
    facts_remember(st, &st->ledger.pieces, piece);
}

void facts_fresh_file(struct engine_torrent *st, uint32_t file)
{
    facts_remember(st, &st->ledger.files, file);
}

void facts_complete(struct engine_torrent *st)
{
    st->ledger.done_pending = true;
    commit_hurry(&pipes_of(st)->c);
}

/* The wish as we know it stays: if the commit fails with what was hashed, the
 * torrent begins anew and so does the check. */
void facts_checked(struct engine_torrent *st)
{
    journal_put_verify_done(commit_facts(&st->ledger.member), st->id,
                            st->startup.verify_taken);
    if (st->s->o.check_only) {
        facts_complete(st);
    }
}

/* What was not told of yet is not told of. */
static void facts_forget_fresh(struct engine_torrent *st)
{
    st->ledger.pieces.n = st->ledger.pieces.n_taken = 0;
    st->ledger.files.n = st->ledger.files.n_taken = 0;
    st->ledger.done_taken = false;
}

void facts_forget(struct engine_torrent *st)
{
    commit_forget(&st->ledger.member);
    st->ledger.done_taken = false;
}

void facts_doubt(struct engine_torrent *st)
{
    facts_forget_fresh(st);
    st->ledger.done_pending = false;
    facts_stat(st);
    commit_hurry(&pipes_of(st)->c); /* the last one is not the last then */
}

void facts_print(struct journal_file_state *f, const struct fingerprint *seen)
{
    const struct fingerprint p = trust_print(seen, loop_unix_now());
    f->has_print = p.exists;
    f->dev = p.dev;
    f->ino = p.ino;
    f->size = p.size;
    f->mtime_ns = p.mtime_ns;
    f->ctime_ns = p.ctime_ns;
}

const char *facts_place(const struct engine_torrent *st, uint32_t file)
{
    const struct torrent_parked *parked = st->rows.parked;
    if (parked != NULL && parked[file].part != NULL) {
        return parked[file].part;
    }
    return facts_path(st, file);
}

const char *facts_path(const struct engine_torrent *st, uint32_t file)
{
    const struct torrent_parked *parked = st->rows.parked;
    if (parked != NULL && parked[file].path != NULL) {
        return parked[file].path;
    }
    return store_tree_name(st->store, file);
}
