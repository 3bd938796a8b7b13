/* sim_dht: a DHT of any size in one process; prints what its searches took.
 *
 *   sim_dht [--nodes N] [--seed S] [--searches N] [--liars PERCENT]
 *           [--loss PERCENT] [--churn PERCENT-PER-HOUR] [--ipv6]
 */
#include "sim_dht.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct run_option {
    const char *name;
    uint64_t value;
    uint64_t max;
};

enum run_option_id {
    RUN_NODES,
    RUN_SEED,
    RUN_SEARCHES,
    RUN_LIARS,
    RUN_LOSS,
    RUN_CHURN,
    RUN_N_OPTIONS
};

/* Reads one option and its value. */
static bool run_read_option(struct run_option options[RUN_N_OPTIONS],
                            const char *name, const char *value)
{
    for (size_t i = 0; i < RUN_N_OPTIONS; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return value != NULL &&
                   bytes_parse_u64(slice_str(value), &options[i].value) &&
                   options[i].value <= options[i].max;
        }
    }
    return false;
}

/* Steps that doubling the nodes by one more bit each would allow. */
static uint32_t run_log2(uint64_t n)
{
    uint32_t bits = 0;

    while (n >> bits > 1) {
        bits++;
    }
    return bits;
}

static void run_print(const struct sim_dht_params *p,
                      const struct sim_dht_report *r)
{
    (void)printf("nodes %" PRIu32 " (log2 %" PRIu32 "), liars %" PRIu32
                 " %%, loss %" PRIu32 " %%, churn %" PRIu32
                 " %%/h, seed %" PRIu64 "\n",
                 p->n_nodes, run_log2(p->n_nodes), p->liars_percent,
                 p->loss_percent, p->churn_percent, p->seed);
    (void)printf("found %" PRIu32 " of %" PRIu32
                 " searches; announcements taken %" PRIu32 " of %" PRIu32 "\n",
                 r->n_found, r->n_searches, r->n_announced,
                 p->n_hashes * SIM_DHT_PEERS * 8);
    (void)printf("steps to the first peer: mean %.2f, max %" PRIu32
                 "; queries per search %.1f\n",
                 r->mean_steps, r->max_steps, r->mean_queries);
    (void)printf("first peer after %.0f ms, search done after %.0f ms; nodes "
                 "in a table %.1f\n",
                 r->mean_ms, r->mean_done_ms, r->mean_table);
    (void)printf("datagrams %" PRIu64 ", events %" PRIu64 ", simulated %" PRIu64
                 " s\n",
                 r->n_datagrams, r->n_events, r->n_simulated_ms / 1000);
}

int main(int argc, char **argv)
{
    struct run_option options[RUN_N_OPTIONS] = {
        [RUN_NODES] = {"--nodes", 1000, 1000000},
        [RUN_SEED] = {"--seed", 1, UINT64_MAX},
        [RUN_SEARCHES] = {"--searches", 200, 100000},
        [RUN_LIARS] = {"--liars", 10, 90},
        [RUN_LOSS] = {"--loss", 5, 100},
        [RUN_CHURN] = {"--churn", 50, 1000},
    };
    struct sim_dht_params params = {.n_hashes = 50};
    struct sim_dht_report report;

    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--ipv6") == 0) {
            params.is_ipv6 = true;
            i--;
        } else if (!run_read_option(options, argv[i], argv[i + 1])) {
            (void)fprintf(stderr, "sim_dht: bad option %s\n", argv[i]);
            return 2;
        }
    }
    params.n_nodes = (uint32_t)options[RUN_NODES].value;
    params.seed = options[RUN_SEED].value;
    params.n_searches = (uint32_t)options[RUN_SEARCHES].value;
    params.liars_percent = (uint32_t)options[RUN_LIARS].value;
    params.loss_percent = (uint32_t)options[RUN_LOSS].value;
    params.churn_percent = (uint32_t)options[RUN_CHURN].value;
    sim_dht_run(&params, &report);
    run_print(&params, &report);
    return 0;
}
