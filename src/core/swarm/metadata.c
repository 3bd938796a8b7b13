/* The info dictionary of a magnet; see metadata.h. */
#include "core/swarm/metadata.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include <stdlib.h>
#include <string.h>

#define METADATA_NOBODY  UINT32_MAX /* as a sender: the journal, or nobody */
#define METADATA_SEVERAL (UINT32_MAX - 1)

/* Somebody who has offered metadata. */
struct metadata_peer {
    uint32_t id;
    uint32_t size;                   /* as it says */
    uint32_t asked[METADATA_WINDOW]; /* pieces; METADATA_NONE */
    uint64_t asked_ms[METADATA_WINDOW];
    uint64_t rest_ms;    /* nothing is asked before this */
    uint32_t n_fails;    /* times that it refused or did not answer */
    uint32_t n_given_up; /* times that its size got nowhere */
    bool is_liar;        /* of the size under which a hash was wrong */
};

/* What came of a size that was given up with something in it. */
struct metadata_parked {
    uint32_t size; /* 0 = nothing is parked */
    uint32_t n_pieces, n_have;
    uint8_t *data;    /* owns */
    uint32_t *sender; /* owns */
};

struct metadata {
    uint8_t info_hash[SHA1_LEN];
    uint32_t size; /* under trial; 0 = none is known */
    uint32_t n_pieces, n_have;
    uint8_t *data;     /* owns; `size` bytes */
    uint32_t *sender;  /* owns; per piece, METADATA_NONE: not here */
    uint64_t moved_ms; /* the last piece came, or the trial began */
    uint32_t alone;    /* the only peer that is asked; METADATA_NOBODY: all */
    bool one_by_one;   /* several lied together: one peer at a time */
    struct metadata_peer peers[METADATA_PEERS];
    uint32_t n_peers;
    struct metadata_parked parked; /* of all that were given up, the most */
};

struct metadata *metadata_new(const uint8_t info_hash[SHA1_LEN])
{
    struct metadata *m = mem_zalloc(sizeof(*m));
    memcpy(m->info_hash, info_hash, SHA1_LEN);
    m->alone = METADATA_NOBODY;
    return m;
}

/* What is there goes. */
static void metadata_drop(struct metadata *m)
{
    free(m->data);
    free(m->sender);
    m->data = NULL;
    m->sender = NULL;
    m->size = m->n_pieces = m->n_have = 0;
    for (uint32_t i = 0; i < m->n_peers; i++) {
        for (int k = 0; k < METADATA_WINDOW; k++) {
            m->peers[i].asked[k] = METADATA_NONE;
        }
    }
}

void metadata_free(struct metadata *m)
{
    if (m != NULL) {
        metadata_drop(m);
        free(m->parked.data);
        free(m->parked.sender);
        free(m);
    }
}

/* A trial of this size begins. */
static void metadata_begin(struct metadata *m, uint32_t size, uint64_t now_ms)
{
    metadata_drop(m);
    m->size = size;
    m->n_pieces = (size - 1) / UT_METADATA_PIECE + 1;
    m->data = mem_zalloc(size);
    m->sender = mem_array(m->n_pieces, sizeof(*m->sender));
    for (uint32_t i = 0; i < m->n_pieces; i++) {
        m->sender[i] = METADATA_NONE;
    }
    m->moved_ms = now_ms;
}

/* Bytes of a piece. */
static uint32_t metadata_len(const struct metadata *m, uint32_t piece)
{
    uint32_t at = piece * UT_METADATA_PIECE;
    return num_min_u32(m->size - at, UT_METADATA_PIECE);
}

/* METADATA_NONE marks a piece that is missing, so the journal's own have the
 * mark of several senders: nobody is blamed for them. */
static void metadata_put(struct metadata *m, uint32_t piece, uint32_t sender,
                         struct slice data)
{
    memcpy(m->data + (size_t)piece * UT_METADATA_PIECE, data.p, data.len);
    m->sender[piece] = sender;
    m->n_have++;
}

void metadata_restore(struct metadata *m, uint32_t size, uint32_t piece,
                      struct slice data)
{
    if (size == 0 || size > METADATA_MAX_BYTES) {
        return;
    }
    if (m->size == 0) {
        metadata_begin(m, size, 0);
    }
    if (m->size == size && piece < m->n_pieces &&
        m->sender[piece] == METADATA_NONE &&
        data.len == metadata_len(m, piece)) {
        metadata_put(m, piece, METADATA_SEVERAL, data);
    }
}

static struct metadata_peer *metadata_find(struct metadata *m, uint32_t id)
{
    for (uint32_t i = 0; i < m->n_peers; i++) {
        if (m->peers[i].id == id) {
            return &m->peers[i];
        }
    }
    return NULL;
}

/* The rest keeps its order: who came first is tried first. */
static void metadata_remove(struct metadata *m, struct metadata_peer *p)
{
    size_t behind = (size_t)(&m->peers[m->n_peers] - p) - 1;
    memmove(p, p + 1, behind * sizeof(*p));
    m->n_peers--;
}

/* In a full table the one that has failed most makes room, if any has. */
static bool metadata_make_room(struct metadata *m)
{
    struct metadata_peer *worst = NULL;
    uint32_t most = 0;
    if (m->n_peers < METADATA_PEERS) {
        return true;
    }
    for (uint32_t i = 0; i < m->n_peers; i++) {
        struct metadata_peer *p = &m->peers[i];
        uint32_t n = p->n_fails + p->n_given_up + (p->is_liar ? 1 : 0);
        if (n > most && p->id != m->alone) {
            worst = p;
            most = n;
        }
    }
    if (worst != NULL) {
        metadata_remove(m, worst);
    }
    return worst != NULL;
}

/* A newcomer's size has been given up as seldom as that of anybody here, and no
 * less: to come again and again wins nothing. */
static struct metadata_peer *metadata_join(struct metadata *m, uint32_t id)
{
    uint32_t least = UINT32_MAX;
    if (!metadata_make_room(m)) {
        return NULL;
    }
    for (uint32_t i = 0; i < m->n_peers; i++) {
        least = num_min_u32(least, m->peers[i].n_given_up);
    }
    struct metadata_peer *p = &m->peers[m->n_peers];
    *p = (struct metadata_peer){.id = id};
    if (m->n_peers > 0) {
        p->n_given_up = least;
    }
    m->n_peers++;
    for (int k = 0; k < METADATA_WINDOW; k++) {
        p->asked[k] = METADATA_NONE;
    }
    return p;
}

bool metadata_offer(struct metadata *m, uint32_t peer, uint64_t size,
                    uint64_t now_ms)
{
    struct metadata_peer *p = metadata_find(m, peer);
    if (size == 0 || size > METADATA_MAX_BYTES) {
        return false;
    }
    if (p == NULL) {
        p = metadata_join(m, peer);
    } else if (p->size != size) {
        p->n_given_up++; /* by itself */
    }
    if (p != NULL) {
        p->size = (uint32_t)size;
    }
    if (m->size == 0) {
        metadata_begin(m, (uint32_t)size, now_ms);
    }
    return true;
}

void metadata_leave(struct metadata *m, uint32_t peer)
{
    struct metadata_peer *p = metadata_find(m, peer);
    if (p != NULL) {
        metadata_remove(m, p);
    }
    if (m->alone == peer) {
        m->alone = METADATA_NOBODY;
    }
}

/* The piece is asked of somebody who may still answer in time. */
static bool metadata_is_asked(const struct metadata *m, uint32_t piece,
                              uint64_t now_ms)
{
    for (uint32_t i = 0; i < m->n_peers; i++) {
        const struct metadata_peer *p = &m->peers[i];
        for (int k = 0; k < METADATA_WINDOW; k++) {
            if (p->asked[k] == piece &&
                now_ms - p->asked_ms[k] < METADATA_LATE_MS) {
                return true;
            }
        }
    }
    return false;
}

/* A place in the peer's window, or -1. */
static int metadata_slot(const struct metadata_peer *p, uint32_t piece)
{
    for (int k = 0; k < METADATA_WINDOW; k++) {
        if (p->asked[k] == piece) {
            return k;
        }
    }
    return -1;
}

/* It refused or was silent: it rests, longer each time, so that it cannot keep
 * the turn of one who answers. */
static void metadata_fail(struct metadata *m, struct metadata_peer *p,
                          uint64_t now_ms)
{
    p->rest_ms = now_ms + ((uint64_t)METADATA_REFUSED_MS << p->n_fails);
    if (p->n_fails < METADATA_FAILS_MAX) {
        p->n_fails++;
    }
    if (m->alone == p->id) {
        m->alone = METADATA_NOBODY;
    }
}

/* The next of those that are asked one by one. What others sent goes, since
 * only what one alone has sent tells who lied. */
static void metadata_choose_alone(struct metadata *m,
                                  const struct metadata_peer *p,
                                  uint64_t now_ms)
{
    m->alone = p->id;
    if (m->n_have > 0) {
        metadata_begin(m, m->size, now_ms);
    }
}

/* The peer may be asked at all. */
static bool metadata_may_ask(struct metadata *m, const struct metadata_peer *p,
                             uint64_t now_ms)
{
    if (p == NULL || p->size != m->size || m->size == 0 || p->is_liar ||
        now_ms < p->rest_ms) {
        return false;
    }
    if (m->one_by_one && m->alone == METADATA_NOBODY) {
        metadata_choose_alone(m, p, now_ms);
    }
    return m->alone == METADATA_NOBODY || m->alone == p->id;
}

uint32_t metadata_next(struct metadata *m, uint32_t peer, uint64_t now_ms)
{
    struct metadata_peer *p = metadata_find(m, peer);
    if (!metadata_may_ask(m, p, now_ms)) {
        return METADATA_NONE;
    }
    int slot = metadata_slot(p, METADATA_NONE);
    bool stands_still = now_ms - m->moved_ms >= METADATA_LATE_MS;
    for (uint32_t i = 0; slot >= 0 && i < m->n_pieces; i++) {
        if (m->sender[i] == METADATA_NONE && metadata_slot(p, i) < 0 &&
            (stands_still || !metadata_is_asked(m, i, now_ms))) {
            p->asked[slot] = i;
            p->asked_ms[slot] = now_ms;
            return i;
        }
    }
    return METADATA_NONE;
}

/* Who sent all of it; METADATA_NOBODY: several, or the journal. */
static uint32_t metadata_only_sender(const struct metadata *m)
{
    uint32_t who = m->sender[0];
    for (uint32_t i = 1; i < m->n_pieces; i++) {
        if (m->sender[i] != who) {
            return METADATA_NOBODY;
        }
    }
    if (who == METADATA_SEVERAL) {
        return METADATA_NOBODY;
    }
    return who;
}

/* All is there: is it the right one? */
static enum metadata_result metadata_judge(struct metadata *m, uint64_t now_ms,
                                           uint32_t *liar)
{
    uint8_t digest[SHA1_LEN];
    hash_sha1(slice_of(m->data, m->size), digest);
    if (memcmp(digest, m->info_hash, SHA1_LEN) == 0) {
        return METADATA_WHOLE;
    }
    *liar = metadata_only_sender(m);
    struct metadata_peer *p = metadata_find(m, *liar);
    if (p != NULL) {
        p->is_liar = true;
    }
    uint32_t size = m->size;
    m->one_by_one = true;
    m->alone = METADATA_NOBODY;
    metadata_begin(m, size, now_ms);
    return METADATA_WRONG;
}

enum metadata_result metadata_take(struct metadata *m, uint32_t peer,
                                   const struct ut_metadata *data,
                                   uint64_t now_ms, uint32_t *liar)
{
    struct metadata_peer *p = metadata_find(m, peer);
    int slot = -1;
    if (p != NULL) {
        slot = metadata_slot(p, data->piece);
    }
    *liar = METADATA_NOBODY;
    if (slot < 0 || data->piece == METADATA_NONE) {
        return METADATA_IGNORED;
    }
    p->asked[slot] = METADATA_NONE;
    if (data->total_size != 0 && data->total_size != p->size) {
        return METADATA_BAD;
    }
    if (p->size != m->size || data->piece >= m->n_pieces ||
        m->sender[data->piece] != METADATA_NONE) {
        return METADATA_IGNORED;
    }
    if (data->data.len != metadata_len(m, data->piece)) {
        return METADATA_BAD;
    }
    metadata_put(m, data->piece, peer, data->data);
    m->moved_ms = now_ms;
    if (m->n_have == m->n_pieces) {
        return metadata_judge(m, now_ms, liar);
    }
    return METADATA_TAKEN;
}

void metadata_reject(struct metadata *m, uint32_t peer, uint32_t piece,
                     uint64_t now_ms)
{
    struct metadata_peer *p = metadata_find(m, peer);
    int slot = -1;
    if (p != NULL) {
        slot = metadata_slot(p, piece);
    }
    if (slot >= 0 && piece != METADATA_NONE) {
        p->asked[slot] = METADATA_NONE;
        metadata_fail(m, p, now_ms);
    }
}

/* Peers that offer the size. */
static uint32_t metadata_n_of(const struct metadata *m, uint32_t size)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_peers; i++) {
        n += m->peers[i].size == size ? 1 : 0;
    }
    return n;
}

/* The size after this one: of those that others offer, what was given up least
 * often; of these, what most offer; of these, what was offered first. 0 = there
 * is none. */
static uint32_t metadata_other_size(const struct metadata *m)
{
    const struct metadata_peer *best = NULL;
    for (uint32_t i = 0; i < m->n_peers; i++) {
        const struct metadata_peer *p = &m->peers[i];
        if (p->size == m->size || p->is_liar) {
            continue;
        }
        if (best == NULL || p->n_given_up < best->n_given_up ||
            (p->n_given_up == best->n_given_up &&
             metadata_n_of(m, p->size) > metadata_n_of(m, best->size))) {
            best = p;
        }
    }
    if (best != NULL) {
        return best->size;
    }
    return 0;
}

/* How long the size under trial may stand still while another one waits. One of
 * which nothing at all has come is soon given up, a second time less soon: an
 * honest peer may be slow. */
static uint64_t metadata_patience_ms(const struct metadata *m)
{
    uint32_t least = UINT32_MAX;
    if (m->n_have > 0) {
        return METADATA_STUCK_MS;
    }
    if (metadata_n_of(m, m->size) == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < m->n_peers; i++) {
        if (m->peers[i].size == m->size) {
            least = num_min_u32(least, m->peers[i].n_given_up);
        }
    }
    least = num_min_u32(least, METADATA_FAILS_MAX);
    return num_min_u64((uint64_t)METADATA_LATE_MS << least, METADATA_STUCK_MS);
}

/* Takes what is there out of the trial. */
static struct metadata_parked metadata_detach(struct metadata *m)
{
    struct metadata_parked old = {.size = m->size,
                                  .n_pieces = m->n_pieces,
                                  .n_have = m->n_have,
                                  .data = m->data,
                                  .sender = m->sender};
    m->data = NULL;
    m->sender = NULL;
    return old;
}

/* Goes on with what is parked, if it is of the size under trial. */
static void metadata_unpark(struct metadata *m)
{
    struct metadata_parked *k = &m->parked;
    if (k->size == m->size) {
        free(m->data);
        free(m->sender);
        m->data = k->data;
        m->sender = k->sender;
        m->n_have = k->n_have;
        *k = (struct metadata_parked){.size = 0};
    }
}

/* The size under trial got nowhere. A silent liar must not cost what an honest
 * peer has sent: that is kept until its size is tried again. True when
 * something is lost. */
static bool metadata_give_up(struct metadata *m, uint32_t other,
                             uint64_t now_ms)
{
    for (uint32_t i = 0; i < m->n_peers; i++) {
        if (m->peers[i].size == m->size) {
            m->peers[i].n_given_up++;
        }
    }
    struct metadata_parked old = metadata_detach(m);
    metadata_begin(m, other, now_ms);
    metadata_unpark(m);
    bool lost = m->parked.n_have > 0 && old.n_have > 0;
    if (old.n_have > m->parked.n_have) {
        struct metadata_parked less = m->parked;
        m->parked = old;
        old = less;
    }
    free(old.data);
    free(old.sender);
    return lost;
}

/* What it was asked too long ago is not waited for. */
static void metadata_tick_peer(struct metadata *m, struct metadata_peer *p,
                               uint64_t now_ms)
{
    uint64_t patience_ms = METADATA_STUCK_MS;
    bool failed = false;
    if (m->alone == p->id) {
        patience_ms = METADATA_LATE_MS; /* nobody else is asked meanwhile */
    }
    for (int k = 0; k < METADATA_WINDOW; k++) {
        if (p->asked[k] != METADATA_NONE &&
            now_ms - p->asked_ms[k] >= patience_ms) {
            p->asked[k] = METADATA_NONE;
            failed = true;
        }
    }
    if (failed) {
        metadata_fail(m, p, now_ms);
    }
}

bool metadata_tick(struct metadata *m, uint64_t now_ms)
{
    for (uint32_t i = 0; i < m->n_peers; i++) {
        metadata_tick_peer(m, &m->peers[i], now_ms);
    }
    uint32_t other = metadata_other_size(m);
    uint64_t patience_ms = METADATA_STUCK_MS;
    if (other != 0) {
        patience_ms = metadata_patience_ms(m);
    }
    if (m->size == 0 || now_ms - m->moved_ms < patience_ms) {
        return false;
    }
    m->alone = METADATA_NOBODY;
    m->moved_ms = now_ms;
    if (other == 0) {
        return false;
    }
    return metadata_give_up(m, other, now_ms);
}

uint32_t metadata_size(const struct metadata *m)
{
    return m->size;
}

uint32_t metadata_n_pieces(const struct metadata *m)
{
    return m->n_pieces;
}

uint32_t metadata_n_have(const struct metadata *m)
{
    return m->n_have;
}

struct slice metadata_piece(const struct metadata *m, uint32_t piece)
{
    if (piece >= m->n_pieces || m->sender[piece] == METADATA_NONE) {
        return slice_of(NULL, 0);
    }
    return slice_of(m->data + (size_t)piece * UT_METADATA_PIECE,
                    metadata_len(m, piece));
}

struct slice metadata_info(const struct metadata *m)
{
    return slice_of(m->data, m->size);
}
