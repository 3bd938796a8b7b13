/* Nodes of the DHT that answered in earlier runs. */
#ifndef BTC_JOURNAL_NODES_H
#define BTC_JOURNAL_NODES_H

#include "base/addr.h"
#include "journal/journal.h"

#define JOURNAL_NODES_MAX 512 /* loaded, and kept of those that are saved */

struct journal_node {
    struct addr addr;
    uint8_t id[20];
    bool is_gone; /* saving: its row goes */
};

/* The newest first; free() the array. */
int journal_load_nodes(struct journal *db, struct journal_node **out, size_t *n,
                       struct err *e);
/* In one transaction; the oldest beyond JOURNAL_NODES_MAX go. */
int journal_save_nodes(struct journal *db, const struct journal_node *nodes,
                       size_t n, struct err *e);

#endif
