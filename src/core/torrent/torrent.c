/* One torrent's lifecycle: creation, events in, actions out.
 *
 * torrent_input hands the event to content or swarm, carries what content has
 * to tell to the swarm, and then settles what follows from any event: closed
 * peers are freed, checks go on, the state is told when it changed, peers are
 * asked for what became free, dials and announces go on.
 */
#include "core/torrent/torrent.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/internal.h"
#include <stdlib.h>

/* The bytes that it is about. */
static void torrent_open_content(struct torrent *t,
                                 const struct torrent_config *c)
{
    t->content =
        content_new(&(struct content_config){.shared = &c->shared->content,
                                             .actions = &t->actions,
                                             .layout = c->geom,
                                             .sequential = c->sequential});
}

struct torrent *torrent_new(const struct torrent_config *c, uint64_t now_ms)
{
    struct torrent *t = mem_zalloc(sizeof *t);
    t->shared = c->shared;
    t->now_ms = now_ms;
    if (c->geom != NULL) {
        torrent_open_content(t, c);
    }
    t->swarm = swarm_new(
        &(struct swarm_config){.shared = &c->shared->swarm,
                               .actions = &t->actions,
                               .content = t->content,
                               .info_hash = c->info_hash,
                               .info = c->info,
                               .use_pex = !c->is_private && !c->no_pex,
                               .use_dht = !c->is_private,
                               .max_peers = c->max_peers,
                               .up_limit = c->up_limit,
                               .downloaded = c->downloaded,
                               .uploaded = c->uploaded,
                               .wasted = c->wasted},
        now_ms);
    return t;
}

void torrent_free(struct torrent *t)
{
    if (t == NULL) {
        return;
    }
    swarm_free(t->swarm);
    content_free(t->content);
    actions_fini(&t->actions);
    free(t);
}

/* --- actions out --- */

/* What the last action lent out is ours again. */
static void torrent_take_back(struct torrent *t)
{
    swarm_take_back(t->swarm);
    actions_take_back(&t->actions);
}

/* Messages first: they are what peers wait for. */
bool torrent_next_action(struct torrent *t, struct action *out)
{
    torrent_take_back(t);
    return swarm_next_send(t->swarm, out) || actions_next(&t->actions, out);
}

/* --- state --- */

/* What the swarm is for in a state. */
static enum swarm_mode torrent_swarm_mode(const struct torrent *t)
{
    if (t->check_only) {
        return SWARM_OFF;
    }
    switch (t->state) {
    case TORRENT_STOPPED:
    case TORRENT_STOPPING:
        return SWARM_OFF;
    case TORRENT_CHECKING:
        return SWARM_CHECKING;
    case TORRENT_METADATA:
    case TORRENT_LEARNED:
    case TORRENT_DOWNLOADING:
        return SWARM_DOWNLOADING;
    case TORRENT_SEEDING:
        return SWARM_SEEDING;
    case TORRENT_FAILED:
        return SWARM_BROKEN;
    }
    return SWARM_OFF;
}

static void torrent_set_state(struct torrent *t, enum torrent_state state)
{
    t->state = state;
    swarm_set_mode(t->swarm, torrent_swarm_mode(t));
}

void torrent_learn(struct torrent *t, const struct torrent_config *c)
{
    BTC_ASSERT(t->state == TORRENT_METADATA && t->content == NULL);
    torrent_open_content(t, c);
    t->info = c->info;
    t->learns = true;
    torrent_set_state(t, TORRENT_LEARNED);
    if (c->is_private) {
        swarm_set_private(t->swarm);
    }
}

void torrent_give_info(struct torrent *t, struct slice info)
{
    if (t->content == NULL) {
        return;
    }
    t->info = info;
    if (!t->learns) {
        swarm_give_info(t->swarm, info);
    }
}

/* The state while the torrent runs, from what there is. */
static enum torrent_state torrent_running_state(const struct torrent *t)
{
    if (t->content == NULL) {
        return TORRENT_METADATA;
    }
    uint32_t left = content_wanted_left(t->content);
    uint32_t checking = content_check_left(t->content);
    if (checking > 0 && (t->check_only || left == 0 || left <= checking)) {
        return TORRENT_CHECKING;
    }
    if (left == 0) {
        return TORRENT_SEEDING;
    }
    return TORRENT_DOWNLOADING;
}

/* Everything wanted is here, or not any more. */
static void torrent_update_complete(struct torrent *t)
{
    bool complete = torrent_is_complete(t);
    if (complete && !t->told_complete) {
        actions_notify(&t->actions, NOTIFY_COMPLETE, 0, 0);
        swarm_completed(t->swarm, t->fetched && content_left(t->content) == 0);
    }
    t->told_complete = complete;
}

/* Tells when the state changed, the check ended or everything is here. */
static void torrent_update_state(struct torrent *t)
{
    if (t->state == TORRENT_STOPPING || t->state == TORRENT_LEARNED) {
        return;
    }
    enum torrent_state now = t->state;
    if (t->state != TORRENT_FAILED) {
        now = torrent_running_state(t);
    }
    if (now != t->state) {
        torrent_set_state(t, now);
        actions_notify(&t->actions, NOTIFY_STATE, 0, 0);
    }
    if (t->content == NULL) {
        return;
    }
    bool checked = content_check_left(t->content) == 0;
    if (checked && !t->told_checked) {
        actions_notify(&t->actions, NOTIFY_CHECKED, 0, 0);
    }
    t->told_checked = checked;
    torrent_update_complete(t);
}

/* --- what content tells --- */

/* The disk let us down: nothing more is asked for, the engine decides. */
static void torrent_on_failed(struct torrent *t,
                              const struct content_outcome *out)
{
    if (t->state != TORRENT_STOPPING) {
        torrent_set_state(t, TORRENT_FAILED);
    }
    actions_error(&t->actions, out->result, out->text);
    swarm_drop_requests(t->swarm);
}

/* Carries one outcome of content to the swarm; true when blocks became free. */
static bool torrent_on_outcome(struct torrent *t,
                               const struct content_outcome *out)
{
    switch (out->type) {
    case CONTENT_PIECE_VERIFIED:
        t->fetched |= out->fetched;
        swarm_piece_verified(t->swarm, out->piece);
        break;
    case CONTENT_PIECE_LOST:
        swarm_wants_changed(t->swarm);
        break;
    case CONTENT_GOOD:
        swarm_good(t->swarm, out->peer);
        break;
    case CONTENT_SUSPECT:
        swarm_suspect(t->swarm, out->peer);
        break;
    case CONTENT_STALLED:
        swarm_stalled(t->swarm, out->peer);
        break;
    case CONTENT_BAN:
        swarm_ban(t->swarm, out->peer, out->text);
        break;
    case CONTENT_FAILED:
        torrent_on_failed(t, out);
        break;
    case CONTENT_BLOCKS_FREE:
        return true;
    }
    return false;
}

/* Empties content's mailbox; true when there is something to ask for. */
static bool torrent_drain(struct torrent *t)
{
    struct content_outcome out;
    bool free = false;
    while (t->content != NULL && content_next_outcome(t->content, &out)) {
        free |= torrent_on_outcome(t, &out);
    }
    return free;
}

/* --- events in --- */

/* Dials known peers at once: none of them waits for a tracker. A swarm that
 * runs already goes on with the content that was learned. */
static void torrent_on_start(struct torrent *t)
{
    bool runs = t->state == TORRENT_LEARNED;
    if (t->state != TORRENT_STOPPED && !runs) {
        return;
    }
    t->told_complete = false;
    if (t->content != NULL) {
        content_start(t->content);
    }
    torrent_set_state(t, torrent_running_state(t));
    actions_notify(&t->actions, NOTIFY_STATE, 0, 0);
    if (t->learns) {
        t->learns = false;
        swarm_learn(t->swarm, t->content, t->info);
    }
    if (!runs && !t->check_only) {
        swarm_start(t->swarm);
        swarm_dial(t->swarm);
    }
}

/* Peers go at once; the trackers are told; the blocks go to the disk. */
static void torrent_on_stop(struct torrent *t)
{
    if (t->state == TORRENT_STOPPING || t->state == TORRENT_STOPPED) {
        return;
    }
    swarm_stop(t->swarm);
    torrent_set_state(t, TORRENT_STOPPING);
    t->stop_ms = t->now_ms;
    if (t->content != NULL) {
        content_stop(t->content);
    }
}

/* While existing data is hashed and nothing else is to be done, nobody knows
 * what we have: trackers are told afterwards. */
static bool torrent_may_announce(const struct torrent *t)
{
    return !t->check_only && t->state != TORRENT_CHECKING;
}

/* One event to the module that owns its source. */
static void torrent_dispatch(struct torrent *t, const struct event *ev)
{
    switch (ev->type) {
    case EVENT_START:
        torrent_on_start(t);
        break;
    case EVENT_STOP:
        torrent_on_stop(t);
        break;
    case EVENT_TICK:
        swarm_tick(t->swarm);
        break;
    case EVENT_CONNECTED:
        swarm_connected(t->swarm, ev->conn);
        break;
    case EVENT_ACCEPTED:
        swarm_accepted(t->swarm, ev->conn, &ev->accepted.handshake);
        break;
    case EVENT_DATA:
        swarm_data(t->swarm, ev->conn, ev->data);
        break;
    case EVENT_CLOSED:
        swarm_closed(t->swarm, ev->conn, ev->result);
        break;
    case EVENT_FINISHED:
        content_finished(t->content, ev->piece, ev->result,
                         ev->finished.unwritten, ev->finished.block_hashes);
        break;
    case EVENT_WRITTEN:
        content_written(t->content, ev->piece, ev->result,
                        ev->finished.block_hashes);
        break;
    case EVENT_HASHED:
        content_hashed(t->content, ev->piece, ev->result);
        break;
    case EVENT_UPLOADED:
        swarm_uploaded(t->swarm, ev);
        break;
    case EVENT_ANNOUNCED:
        swarm_announced(t->swarm, ev);
        break;
    case EVENT_SCRAPED:
        swarm_scraped(t->swarm, ev);
        break;
    case EVENT_PEER:
        swarm_add_peer(t->swarm, &ev->peer.addr,
                       (enum peer_source)ev->peer.source, NULL);
        break;
    }
}

/* STOP has been carried out when no job is out and the trackers know, or have
 * had their time. */
static void torrent_settle_stop(struct torrent *t)
{
    if (torrent_is_quiet(t) && (swarm_is_idle(t->swarm) ||
                                t->now_ms - t->stop_ms >= ANNOUNCE_STOP_MS)) {
        torrent_set_state(t, TORRENT_STOPPED);
        actions_notify(&t->actions, NOTIFY_STATE, 0, 0);
    }
}

/* What follows from any event. */
static void torrent_settle(struct torrent *t)
{
    bool free = torrent_drain(t);
    swarm_settle(t->swarm);
    if (t->state == TORRENT_STOPPED) {
        return;
    }
    if (t->content != NULL) {
        content_check_pump(t->content);
    }
    torrent_update_state(t);
    if (free) {
        swarm_fill(t->swarm);
    }
    swarm_dial(t->swarm);
    if (torrent_may_announce(t)) {
        swarm_announce(t->swarm);
    }
    if (t->state == TORRENT_STOPPING) {
        torrent_settle_stop(t);
    }
}

void torrent_input(struct torrent *t, const struct event *ev, uint64_t now_ms,
                   int64_t unix_now)
{
    torrent_take_back(t);
    t->now_ms = now_ms;
    swarm_set_time(t->swarm, now_ms, unix_now);
    torrent_dispatch(t, ev);
    torrent_settle(t);
}

uint32_t torrent_new_conn(struct torrent *t, const struct addr *a,
                          uint64_t now_ms)
{
    t->now_ms = now_ms;
    return swarm_new_conn(t->swarm, a, now_ms);
}

/* Ticks while peers are there; else the next announce or dial. What was set
 * from outside (priorities) takes effect at once; a check that waits for
 * another torrent's to end looks again soon. */
uint64_t torrent_deadline(const struct torrent *t)
{
    if (t->state == TORRENT_STOPPED) {
        return UINT64_MAX;
    }
    if (t->state == TORRENT_STOPPING) {
        uint64_t end = t->stop_ms + ANNOUNCE_STOP_MS;
        if (end > t->now_ms) {
            return end;
        }
        return UINT64_MAX; /* then jobs end it */
    }
    if (t->content != NULL && content_has_outcomes(t->content)) {
        return t->now_ms;
    }
    uint64_t at = swarm_deadline(t->swarm, torrent_may_announce(t));
    if (torrent_waits_to_hash(t) && t->now_ms + TORRENT_TICK_MS < at) {
        at = t->now_ms + TORRENT_TICK_MS;
    }
    return at;
}

void torrent_announce_now(struct torrent *t, uint64_t now_ms)
{
    swarm_announce_now(t->swarm, now_ms);
}

void torrent_flush(struct torrent *t)
{
    if (t->content != NULL) {
        content_flush(t->content);
    }
}
