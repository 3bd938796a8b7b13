/* What the journal keeps of the DHT: its nodes, our place in it, and what the
 * searches found. Changes are gathered for a few seconds, then the database
 * thread writes them together. */
#ifndef BTC_ENGINE_NODE_ROWS_H
#define BTC_ENGINE_NODE_ROWS_H

#include "core/dht/dht.h"
#include "engine/internal.h"

struct node_rows;

/* While the run has the database still. */
struct node_rows *node_rows_new(struct engine *s);
void node_rows_free(struct node_rows *r); /* NULL allowed; drops the rest */

/* The ids and addresses of the last run, into what a node is made with. */
void node_rows_restore(const struct node_rows *r, struct dht_config *c);
/* The nodes of earlier runs, newest first; how many. free() the array. */
size_t node_rows_load(const struct node_rows *r, struct krpc_node **out);

/* A node is good, or is none any more. */
void node_rows_node(struct node_rows *r, const struct krpc_node *node,
                    bool is_gone);
/* A search has ended. */
void node_rows_search(struct node_rows *r, int64_t torrent_id,
                      const struct dht_search_result *result);
/* Our place is another one. */
void node_rows_touch(struct node_rows *r);

/* When node_rows_write is due; UINT64_MAX = nothing is gathered. */
uint64_t node_rows_deadline(const struct node_rows *r);
/* Gives what is gathered to the database thread, when there is one. */
void node_rows_write(struct node_rows *r, const struct dht_stats *stats);

#endif
