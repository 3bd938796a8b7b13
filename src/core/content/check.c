/* Hashing existing data beside everything else, in disk order, a bounded number
 * of pieces at once. A piece under verification is neither picked nor offered.
 */
#include "base/err.h"
#include "base/mem.h"
#include "core/torrent/internal.h"
#include "model/names.h"

#define CHECK_MAX_UNREAD 3 /* read errors in a row: not a bad spot any more */

/* Queued and under way. */
uint32_t torrent_check_left(const struct torrent *t)
{
    return t->check.count + t->n_hashing;
}

bool torrent_waits_to_hash(const struct torrent *t)
{
    return t->running && t->state != TORRENT_STOPPING && t->check.count > 0 &&
           t->n_hashing == 0;
}

/* The lowest piece without its verdict. */
uint32_t torrent_check_floor(const struct torrent *t)
{
    uint32_t floor = bits_next_set(&t->check, 0);
    for (uint32_t i = 0; i < t->n_hashing; i++) {
        floor = t->hashing[i] < floor ? t->hashing[i] : floor;
    }
    return floor;
}

/* A HASH job goes out or has come back. */
static void torrent_check_begin(struct torrent *t, uint32_t piece)
{
    if (t->n_hashing == t->hashing_cap) {
        t->hashing_cap = t->hashing_cap > 0 ? t->hashing_cap * 2 : 8;
        t->hashing = mem_resize(t->hashing, t->hashing_cap, sizeof *t->hashing);
    }
    t->hashing[t->n_hashing++] = piece;
    t->n_jobs++;
    t->shared->hash_busy++;
}

static void torrent_check_end(struct torrent *t, uint32_t piece)
{
    for (uint32_t i = 0; i < t->n_hashing; i++) {
        if (t->hashing[i] == piece) {
            t->hashing[i] = t->hashing[--t->n_hashing];
            break;
        }
    }
    t->n_jobs--;
    t->shared->hash_busy--;
}

/* Starts as many as the run's workers want. */
void torrent_check_pump(struct torrent *t)
{
    while (t->check.count > 0 && t->state != TORRENT_STOPPING &&
           t->state != TORRENT_FAILED &&
           t->shared->hash_busy < t->shared->hash_jobs) {
        uint32_t piece = bits_next_set(&t->check, t->check_next);
        if (piece == t->check.n) {
            piece = bits_next_set(&t->check, 0);
        }
        t->check_next = piece + 1;
        bits_clear(&t->check, piece);
        torrent_check_begin(t, piece);
        torrent_push(t, ACTION_HASH)->piece = piece;
    }
}

/* The piece could not be read, which says nothing about it: it stays owed. */
static void torrent_check_again(struct torrent *t, uint32_t piece, bool claimed)
{
    bits_set(&t->check, piece);
    if (claimed) {
        bits_set(&t->check_claimed, piece);
    }
}

/* The storage is away or not to be read now, or fails at one piece after the
 * other: what is claimed there is not lost. A single bad spot is: its piece is
 * fetched again. */
static bool torrent_check_is_blind(struct torrent *t, int result)
{
    if (result == 0 || torrent_is_gone(result)) {
        t->n_unread = 0;
        return false;
    }
    return result != BTC_E_IO || ++t->n_unread >= CHECK_MAX_UNREAD;
}

/* What is on disk is not the piece. */
static void torrent_check_lost(struct torrent *t, uint32_t piece, bool claimed)
{
    picker_set_missing(t->picker, piece);
    if (claimed) {
        torrent_event(
            t, LEVEL_WARN, "piece-lost",
            "piece %u on disk is not what it was: it is fetched again", piece);
        torrent_fact(t, FACT_PIECE_LOST, piece, 0);
    }
    torrent_disk_reclaim(t, piece);
    t->refill = true;
    struct peer *p;
    TORRENT_EACH_PEER(p, t)
    {
        if (p->phase == PEER_ACTIVE && !p->am_interested) {
            torrent_peer_interest(t, p);
        }
    }
}

/* EVENT_HASHED. */
void torrent_check_hashed(struct torrent *t, const struct event *ev)
{
    uint32_t piece = ev->piece;
    torrent_check_end(t, piece);
    if (picker_state(t->picker, piece) != PICKER_CHECKING) {
        return;
    }
    bool claimed = bits_clear(&t->check_claimed, piece);
    if (ev->result == BTC_E_CANCELLED) {
        torrent_check_again(t, piece, claimed);
    } else if (torrent_check_is_blind(t, ev->result)) {
        torrent_check_again(t, piece, claimed);
        torrent_fail(t, ev->result, "existing data could not be read");
    } else if (ev->result == 0) {
        picker_set_missing(t->picker, piece);
        torrent_disk_forget(t, piece);
        torrent_got_piece(t, piece, false);
    } else {
        torrent_check_lost(t, piece, claimed);
    }
}
