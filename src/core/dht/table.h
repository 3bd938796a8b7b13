/* The routing table of one address family (BEP 5, "Routing Table").
 *
 * Bucket i holds nodes whose ids share exactly i leading bits with ours; each
 * has DHT_BUCKET_NODES nodes and a few candidates that wait for a place. Only
 * who has answered us is a node. A good node answered within 15 minutes, or
 * asked us within 15 minutes after it ever answered; a questionable one did
 * neither; a bad one has let DHT_TABLE_MAX_FAILURES queries in a row pass, and
 * goes. A place (an IPv4 address, an IPv6 /64) has one node in the table.
 * Memory is bounded by the number of buckets.
 */
#ifndef BTC_CORE_DHT_TABLE_H
#define BTC_CORE_DHT_TABLE_H

#include "core/dht/node_id.h"

#define DHT_BUCKET_NODES       8 /* K of BEP 5 */
#define DHT_BUCKET_CANDIDATES  8
#define DHT_TABLE_MAX_FAILURES 2
#define DHT_GOOD_MS            900000u
#define DHT_REFRESH_MS         900000u /* untouched buckets */
#define DHT_PING_AGAIN_MS      30000u  /* not the same node again before */

struct dht_table; /* opaque */

struct dht_table *dht_table_new(const uint8_t own[DHT_ID_LEN]);
void dht_table_free(struct dht_table *t); /* NULL allowed */
/* Our id has changed: all nodes find their new buckets; those that find none
 * become candidates. */
void dht_table_set_own(struct dht_table *t, const uint8_t own[DHT_ID_LEN],
                       uint64_t now_ms);
const uint8_t *dht_table_own(const struct dht_table *t);

/* A node has answered us. True when it has a place in the table now that it had
 * not before. `gone` gets the node that has left for it, family NONE when
 * nobody has: both are to be journaled. A node that answers with another id
 * than before leaves and is not taken: it lies, or it comes back by asking. */
bool dht_table_on_reply(struct dht_table *t, const struct krpc_node *node,
                        uint64_t now_ms, struct krpc_node *gone);
/* Somebody who can be asked asked us, or was named to us. A node of the table
 * that asks is good for longer; others become candidates if their bucket has
 * room. */
void dht_table_on_query(struct dht_table *t, const struct krpc_node *node,
                        uint64_t now_ms);
void dht_table_on_named(struct dht_table *t, const struct krpc_node *node);
/* A query was not answered. True when that made the node bad: it has left. */
bool dht_table_on_timeout(struct dht_table *t, const struct addr *addr,
                          struct krpc_node *gone);
bool dht_table_has(const struct dht_table *t, const struct addr *addr);

/* The nodes nearest to the target, nearest first: at most `max`. With
 * `only_good` what we may give to others, else also questionable ones. */
size_t dht_table_closest(const struct dht_table *t,
                         const uint8_t target[DHT_ID_LEN], bool only_good,
                         uint64_t now_ms, struct krpc_node *out, size_t max);
/* Whom to ping next: a candidate whose bucket has room or a node that has
 * become questionable, least recently seen first. Marks it as pinged. */
bool dht_table_next_ping(struct dht_table *t, uint64_t now_ms,
                         struct krpc_node *out);
/* An id in a bucket that nothing has touched for DHT_REFRESH_MS, to look up;
 * marks the bucket as touched. */
bool dht_table_next_refresh(struct dht_table *t, uint64_t now_ms,
                            struct rng *rng, uint8_t target[DHT_ID_LEN]);

size_t dht_table_count(const struct dht_table *t); /* nodes */
size_t dht_table_count_good(const struct dht_table *t, uint64_t now_ms);

#endif
