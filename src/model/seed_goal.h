/* How long a torrent is served after everything is here: the words of
 * `--seed`, and whether a goal is reached. */
#ifndef BTC_MODEL_SEED_GOAL_H
#define BTC_MODEL_SEED_GOAL_H

#include "base/err.h"
#include "model/names.h"

#include <stdbool.h>
#include <stdint.h>

struct seed_goal {
    enum seed_mode mode;
    int64_t value; /* RATIO: thousandths; TIME: seconds; else 0 */
};

/* "none", "forever", "ratio:1.5", "time:60m"; USAGE for anything else. `e` may
 * be NULL. */
int seed_goal_parse(const char *text, struct seed_goal *out, struct err *e);
/* `uploaded` and `size` in bytes, `seconds` spent seeding. */
bool seed_goal_is_reached(const struct seed_goal *g, uint64_t uploaded,
                          uint64_t size, int64_t seconds);

#endif
