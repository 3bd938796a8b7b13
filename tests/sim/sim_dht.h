/* A simulated DHT: many struct dht in one process, on a network with latency
 * and loss, with nodes that come and go and nodes that lie. Everything follows
 * from one seed.
 *
 * The course of a run: all nodes join by the same three hosts; some of them
 * announce themselves for info hashes; others, chosen anew, search these. What
 * counts is whether a search is told a peer that really was announced.
 *
 * Liars are full nodes whose answers are falsified: they name nodes that do not
 * exist or each other, all very near to the target, claim to be the target
 * themselves, invent peers, or never answer.
 */
#ifndef BTC_TESTS_SIM_SIM_DHT_H
#define BTC_TESTS_SIM_SIM_DHT_H

#include <stdbool.h>
#include <stdint.h>

struct sim_dht_params {
    uint64_t seed;
    uint32_t n_nodes;
    uint32_t n_hashes;      /* each announced by SIM_DHT_PEERS nodes */
    uint32_t n_searches;    /* one after the other, of random hashes */
    uint32_t liars_percent; /* of the nodes */
    uint32_t loss_percent;  /* of the datagrams */
    uint32_t churn_percent; /* of the nodes, replaced per hour */
    bool is_ipv6;
};

#define SIM_DHT_PEERS 4

struct sim_dht_report {
    uint32_t n_searches;
    uint32_t n_found;     /* told at least one announced peer */
    uint32_t n_announced; /* announcements that were taken */
    double mean_steps;    /* to the first peer */
    uint32_t max_steps;
    double mean_queries; /* of a search */
    double mean_ms;      /* until the first announced peer is told */
    double mean_done_ms; /* until the search is done */
    double mean_table;   /* nodes in a table */
    uint64_t n_datagrams;
    uint64_t n_events;
    uint64_t n_simulated_ms;
};

void sim_dht_run(const struct sim_dht_params *params,
                 struct sim_dht_report *out);

#endif
