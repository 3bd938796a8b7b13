/* What a torrent is told beside events (the journal's rows, priorities, limits)
 * and what it tells when asked (statistics, peers, files).
 */
#include "core/swarm/metadata.h"
#include "core/torrent/internal.h"

/* --- before and beside --- */

void torrent_restore_piece(struct torrent *t, uint32_t piece)
{
    content_restore_piece(t->content, piece);
}

void torrent_restore_block(struct torrent *t, uint32_t piece, uint32_t block)
{
    content_restore_block(t->content, piece, block);
}

void torrent_check_piece(struct torrent *t, uint32_t piece, bool claimed)
{
    content_check_piece(t->content, piece, claimed);
}

void torrent_restore_tracker(struct torrent *t, uint32_t tracker,
                             const struct announce_past *past, int64_t unix_now)
{
    announce_restore(swarm_trackers(t->swarm), tracker, past, t->now_ms,
                     unix_now);
}

int torrent_add_tracker(struct torrent *t, const char *url, uint32_t tier)
{
    return swarm_add_tracker(t->swarm, url, tier);
}

void torrent_add_peer(struct torrent *t, const struct addr *a,
                      enum peer_source source, const struct peerset_entry *old)
{
    swarm_add_peer(t->swarm, a, source, old);
}

/* Other pieces are wanted now: of whom do we want something? */
static void torrent_wants_changed(struct torrent *t)
{
    content_wake(t->content);
    swarm_wants_changed(t->swarm);
}

void torrent_set_priorities(struct torrent *t, const uint8_t *prio)
{
    if (t->content != NULL && content_set_priorities(t->content, prio)) {
        torrent_wants_changed(t);
    }
}

void torrent_set_sequential(struct torrent *t, bool on)
{
    if (t->content != NULL) {
        content_set_sequential(t->content, on);
    }
}

void torrent_set_limits(struct torrent *t, uint64_t up_limit,
                        uint32_t max_peers, uint64_t now_ms)
{
    swarm_set_limits(t->swarm, up_limit, max_peers, now_ms);
}

void torrent_set_check_only(struct torrent *t)
{
    t->check_only = true;
    swarm_set_mode(t->swarm, SWARM_OFF);
}

void torrent_restore_metadata(struct torrent *t, uint32_t size, uint32_t piece,
                              struct slice data)
{
    if (t->content == NULL) {
        metadata_restore(swarm_metadata(t->swarm), size, piece, data);
    }
}

void torrent_get_metadata(const struct torrent *t, struct torrent_metadata *out)
{
    const struct metadata *m = swarm_metadata(t->swarm);
    *out = (struct torrent_metadata){.size = 0};
    if (m != NULL) {
        out->size = metadata_size(m);
        out->n_pieces = metadata_n_pieces(m);
        out->n_have = metadata_n_have(m);
    }
}

struct slice torrent_metadata_piece(const struct torrent *t, uint32_t piece)
{
    return metadata_piece(swarm_metadata(t->swarm), piece);
}

struct slice torrent_metadata_info(const struct torrent *t)
{
    return metadata_info(swarm_metadata(t->swarm));
}

/* --- facts --- */

uint64_t torrent_last_payload_ms(const struct torrent *t)
{
    return swarm_last_payload_ms(t->swarm);
}

enum torrent_state torrent_state(const struct torrent *t)
{
    return t->state;
}

bool torrent_is_quiet(const struct torrent *t)
{
    return (t->content == NULL || content_is_quiet(t->content)) &&
           swarm_is_quiet(t->swarm);
}

bool torrent_is_stopped(const struct torrent *t)
{
    return t->state == TORRENT_STOPPED;
}

bool torrent_is_complete(const struct torrent *t)
{
    return t->content != NULL && content_is_complete(t->content);
}

bool torrent_waits_to_hash(const struct torrent *t)
{
    return t->state != TORRENT_STOPPED && t->content != NULL &&
           content_waits_to_hash(t->content);
}

const struct picker *torrent_picker(const struct torrent *t)
{
    return content_picker(t->content);
}

struct peerset *torrent_peerset(struct torrent *t)
{
    return swarm_peerset(t->swarm);
}

const struct announce *torrent_announce(const struct torrent *t)
{
    return swarm_trackers(t->swarm);
}

uint64_t torrent_file_done(const struct torrent *t, uint32_t file)
{
    return content_file_done(t->content, file);
}

bool torrent_file_needed(const struct torrent *t, uint32_t file)
{
    return content_file_needed(t->content, file);
}

void torrent_get_stats(const struct torrent *t, uint64_t now_ms,
                       struct torrent_stats *out)
{
    struct content_stats c = {.bytes_done = 0};
    struct swarm_stats s;
    if (t->content != NULL) {
        content_get_stats(t->content, &c);
    }
    swarm_get_stats(t->swarm, now_ms, &s);
    *out = (struct torrent_stats){
        .bytes_done = c.bytes_done,
        .bytes_total = c.bytes_total,
        .pieces_done = c.pieces_done,
        .pieces_checking = c.pieces_checking,
        .checked_to = c.checked_to,
        .down_rate = s.down_rate,
        .up_rate = s.up_rate,
        .downloaded = s.downloaded,
        .uploaded = s.uploaded,
        .wasted = s.wasted + c.wasted,
        .peers = s.peers,
        .seeds = s.seeds,
        .connecting = s.connecting,
        .last_payload_ms = s.last_payload_ms,
        .had_peer = s.had_peer,
    };
}

bool torrent_peer_info(const struct torrent *t, uint32_t peerset_id,
                       uint64_t now_ms, struct swarm_peer_info *out)
{
    return swarm_peer_info(t->swarm, peerset_id, now_ms, out);
}
