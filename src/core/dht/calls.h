/* Queries under way: each waits for one response from one address.
 *
 * A transaction id names a slot and a number that only this call had, so that
 * an old or invented response finds nobody. A call becomes slow after
 * DHT_CALL_SLOW_MS (others need not wait for it) and is over after
 * DHT_CALL_TIMEOUT_MS.
 */
#ifndef BTC_CORE_DHT_CALLS_H
#define BTC_CORE_DHT_CALLS_H

#include "base/heap.h"
#include "core/dht/node_id.h"

#define DHT_CALLS_MAX       512
#define DHT_CALL_SLOW_MS    1000
#define DHT_CALL_TIMEOUT_MS 5000
#define DHT_TID_LEN         4

enum dht_call_kind {
    DHT_CALL_PING,
    DHT_CALL_LOOKUP,
    DHT_CALL_ANNOUNCE
};

struct dht_call {
    struct heap_node due; /* when it becomes slow, or is over */
    uint16_t slot;
    uint16_t nonce;
    enum dht_call_kind kind;
    uint32_t task; /* whose call it is; 0 = nobody's (a ping) */
    struct dht_whom to;
    uint64_t sent_ms;
};

struct dht_calls {
    struct dht_call *slots[DHT_CALLS_MAX]; /* owns */
    struct heap due;
    uint32_t n;
};

void dht_calls_init(struct dht_calls *c);
void dht_calls_fini(struct dht_calls *c);
/* A new call, borrowed until it is removed; NULL when there are too many. */
struct dht_call *dht_calls_add(struct dht_calls *c, const struct dht_whom *to,
                               struct rng *rng, uint64_t now_ms);
void dht_calls_remove(struct dht_calls *c, struct dht_call *call);
void dht_call_tid(const struct dht_call *call, uint8_t tid[DHT_TID_LEN]);
/* The call that a response from this address answers; NULL when none does. */
struct dht_call *dht_calls_match(const struct dht_calls *c, struct slice tid,
                                 const struct addr *from);
/* A call to this address that is under way, or NULL. */
struct dht_call *dht_calls_find(const struct dht_calls *c,
                                const struct addr *to);
/* The next call that has just become slow or is over (`is_over`; the caller
 * removes it); NULL when there is none. */
struct dht_call *dht_calls_next_due(struct dht_calls *c, uint64_t now_ms,
                                    bool *is_over);
uint64_t dht_calls_deadline(const struct dht_calls *c); /* UINT64_MAX = none */

#endif
