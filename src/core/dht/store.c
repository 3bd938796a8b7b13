/* Announced peers: a map of hashes, each with an array of peers, and a map that
 * counts the peers of each place.
 */
#include "core/dht/store.h"

#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"

#include <string.h>

struct dht_stored_peer {
    struct addr addr;
    uint64_t place;
    uint64_t at_ms; /* last announced */
};

struct dht_stored_hash {
    uint8_t info_hash[DHT_ID_LEN];
    uint32_t n;
    uint32_t cap;
    struct dht_stored_peer *peers; /* owns */
    UT_hash_handle hh;
};

/* How many peers a place has in the store. */
struct dht_stored_place {
    uint64_t place;
    uint32_t n;
    UT_hash_handle hh;
};

struct dht_store {
    struct dht_stored_hash *hashes;  /* owns */
    struct dht_stored_place *places; /* owns */
    size_t n_peers;
};

struct dht_store *dht_store_new(void)
{
    return mem_zalloc(sizeof(struct dht_store));
}

/* Counts one peer less at a place. */
static void dht_store_leave_place(struct dht_store *s, uint64_t place)
{
    struct dht_stored_place *p = NULL;

    HASH_FIND(hh, s->places, &place, sizeof place, p);
    BTC_ASSERT(p != NULL && p->n > 0);
    s->n_peers--;
    p->n--;
    if (p->n == 0) {
        HASH_DEL(s->places, p);
        free(p);
    }
}

/* Counts one peer more at a place; false when it has too many. */
static bool dht_store_enter_place(struct dht_store *s, uint64_t place)
{
    struct dht_stored_place *p = NULL;

    HASH_FIND(hh, s->places, &place, sizeof place, p);
    if (p == NULL) {
        p = mem_zalloc(sizeof *p);
        p->place = place;
        HASH_ADD(hh, s->places, place, sizeof p->place, p);
    }
    if (p->n == DHT_STORE_PLACE_PEERS) {
        return false;
    }
    p->n++;
    s->n_peers++;
    return true;
}

static void dht_store_remove_peer(struct dht_store *s,
                                  struct dht_stored_hash *h, uint32_t idx)
{
    dht_store_leave_place(s, h->peers[idx].place);
    h->n--;
    h->peers[idx] = h->peers[h->n];
}

static void dht_store_remove_hash(struct dht_store *s,
                                  struct dht_stored_hash *h)
{
    while (h->n > 0) {
        dht_store_remove_peer(s, h, h->n - 1);
    }
    /* The analyser does not see that the last one to go is the last of all.
     * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    HASH_DEL(s->hashes, h);
    free(h->peers);
    free(h);
}

void dht_store_free(struct dht_store *s)
{
    struct dht_stored_hash *h = NULL;
    struct dht_stored_hash *next = NULL;

    if (s == NULL) {
        return;
    }
    HASH_ITER (hh, s->hashes, h, next) {
        dht_store_remove_hash(s, h);
    }
    free(s);
}

static struct dht_stored_hash *
dht_store_find(const struct dht_store *s, const uint8_t info_hash[DHT_ID_LEN])
{
    struct dht_stored_hash *h = NULL;

    HASH_FIND(hh, s->hashes, info_hash, DHT_ID_LEN, h);
    return h;
}

/* Makes room for a new hash: the farthest goes, or the new one stays out. */
static bool dht_store_make_room(struct dht_store *s,
                                const uint8_t own[DHT_ID_LEN],
                                const uint8_t info_hash[DHT_ID_LEN])
{
    struct dht_stored_hash *farthest = NULL;
    struct dht_stored_hash *h = NULL;
    struct dht_stored_hash *next = NULL;

    if (HASH_COUNT(s->hashes) < DHT_STORE_HASHES &&
        s->n_peers < DHT_STORE_PEERS) {
        return true;
    }
    HASH_ITER (hh, s->hashes, h, next) {
        if (farthest == NULL ||
            dht_id_is_nearer(own, farthest->info_hash, h->info_hash)) {
            farthest = h;
        }
    }
    if (farthest == NULL ||
        !dht_id_is_nearer(own, info_hash, farthest->info_hash)) {
        return false;
    }
    dht_store_remove_hash(s, farthest);
    return true;
}

static struct dht_stored_hash *
dht_store_add_hash(struct dht_store *s, const uint8_t info_hash[DHT_ID_LEN])
{
    struct dht_stored_hash *h = mem_zalloc(sizeof *h);

    memcpy(h->info_hash, info_hash, DHT_ID_LEN);
    /* As in dht_store_remove_hash.
     * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    HASH_ADD(hh, s->hashes, info_hash, DHT_ID_LEN, h);
    return h;
}

/* The slot of a peer that was announced before, or of another port of a place
 * that has too many below this hash; h->n when a new slot is needed. */
static uint32_t dht_store_slot(const struct dht_stored_hash *h,
                               const struct addr *peer)
{
    uint64_t place = dht_place_of(peer);
    uint32_t oldest = h->n;
    uint32_t n_ports = 0;

    for (uint32_t i = 0; i < h->n; i++) {
        if (addr_eq(&h->peers[i].addr, peer)) {
            return i;
        }
        if (h->peers[i].place != place) {
            continue;
        }
        n_ports++;
        if (oldest == h->n || h->peers[i].at_ms < h->peers[oldest].at_ms) {
            oldest = i;
        }
    }
    if (n_ports < DHT_STORE_PLACE_PORTS) {
        return h->n;
    }
    return oldest;
}

/* Puts the peer into a slot, a new one behind the last or one in use. */
static bool dht_store_set(struct dht_store *s, struct dht_stored_hash *h,
                          uint32_t slot, const struct dht_stored_peer *peer)
{
    if (slot == h->n) {
        if (h->n == DHT_STORE_HASH_PEERS || s->n_peers >= DHT_STORE_PEERS ||
            !dht_store_enter_place(s, peer->place)) {
            return false;
        }
        h->peers = vec_room(h->peers, h->n, &h->cap, sizeof *h->peers);
        h->n++;
    }
    h->peers[slot] = *peer;
    return true;
}

bool dht_store_put(struct dht_store *s, const uint8_t own[DHT_ID_LEN],
                   const uint8_t info_hash[DHT_ID_LEN], const struct addr *peer,
                   uint64_t now_ms)
{
    struct dht_stored_peer fresh = {
        .addr = *peer, .place = dht_place_of(peer), .at_ms = now_ms};
    struct dht_stored_hash *h = dht_store_find(s, info_hash);
    bool is_in = false;

    if (h == NULL) {
        if (!dht_store_make_room(s, own, info_hash)) {
            return false;
        }
        h = dht_store_add_hash(s, info_hash);
    }
    is_in = dht_store_set(s, h, dht_store_slot(h, peer), &fresh);
    if (h->n == 0) {
        dht_store_remove_hash(s, h);
    }
    return is_in;
}

size_t dht_store_get(const struct dht_store *s,
                     const uint8_t info_hash[DHT_ID_LEN],
                     enum addr_family family, struct rng *rng, struct addr *out,
                     size_t max)
{
    const struct dht_stored_hash *h = dht_store_find(s, info_hash);
    uint32_t start = 0;
    size_t n = 0;

    if (h == NULL) {
        return 0;
    }
    start = rng_below(rng, h->n);
    for (uint32_t i = 0; i < h->n && n < max; i++) {
        const struct addr *a = &h->peers[(start + i) % h->n].addr;

        if (a->family == family) {
            out[n++] = *a;
        }
    }
    return n;
}

void dht_store_expire(struct dht_store *s, uint64_t now_ms)
{
    struct dht_stored_hash *h = NULL;
    struct dht_stored_hash *next = NULL;

    HASH_ITER (hh, s->hashes, h, next) {
        for (uint32_t i = h->n; i-- > 0;) {
            if (now_ms - h->peers[i].at_ms >= DHT_STORE_EXPIRY_MS) {
                dht_store_remove_peer(s, h, i);
            }
        }
        if (h->n == 0) {
            dht_store_remove_hash(s, h);
        }
    }
}

size_t dht_store_count(const struct dht_store *s)
{
    return s->n_peers;
}

size_t dht_store_count_hashes(const struct dht_store *s)
{
    return HASH_COUNT(s->hashes);
}
