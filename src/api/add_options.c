/* What the caller of btc_add wishes, as columns of the torrent's row: for a
 * torrent and for a magnet. */
#include "api/api.h"

#include "base/num.h"
#include "model/seed_goal.h"

int64_t api_limit(uint64_t v)
{
    return (int64_t)num_min_u64(v, INT64_MAX);
}

int api_add_options(const struct btc_add_options *o, struct journal_torrent *t,
                    struct err *e)
{
    struct seed_goal goal;
    const char *seed = "none";
    if (o->max_peers > UINT16_MAX) {
        return err_set(e, BTC_E_USAGE, "--max-peers is at most 65535");
    }
    if (o->seed) {
        seed = o->seed;
    }
    int code = seed_goal_parse(seed, &goal, e);
    t->seed_mode = goal.mode;
    t->seed_goal = goal.value;
    t->wanted = WANTED_RUN;
    if (o->paused) {
        t->wanted = WANTED_PAUSE;
    }
    t->sequential = o->sequential;
    t->down_limit = api_limit(o->down_limit);
    t->up_limit = api_limit(o->up_limit);
    t->max_peers = o->max_peers;
    t->accept_loss = o->accept_loss;
    t->overwrite = o->overwrite;
    t->alloc_full = o->alloc_full;
    return code;
}
