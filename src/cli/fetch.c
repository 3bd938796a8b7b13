/* btc info --fetch: the info dictionary of a magnet.
 *
 * The database of the user is read for what it knows: the torrent itself, and
 * nodes of the DHT. Peers are asked by a run on a database of its own that goes
 * with the command, so that nobody finds a torrent there that was only looked
 * at, and an engine that runs is left alone.
 */
#include "cli/fetch.h"

#include "cli/run/run.h"
#include "cli/run/signal.h"

#define CLI_FETCH_TIME_S 120 /* without --max-time */

/* The database of the user; NULL when there is none that can be read. */
static struct btc *cli_fetch_open(const struct cli *c)
{
    struct btc *b = NULL;
    unsigned flags = BTC_OPEN_READ_ONLY;

    if (c->o.allow_network_db) {
        flags |= BTC_OPEN_NETWORK;
    }
    (void)btc_open(c->o.db, flags, &b, NULL);
    return b;
}

/* The torrent as the database knows it; NULL = it does not. */
static struct btc_source *cli_fetch_known(struct btc *b,
                                          const struct btc_source *s)
{
    const char *hash = btc_source_info(s)->info_hash_v1;
    struct btc_source *known = NULL;
    int64_t id = 0;

    if (b != NULL && hash != NULL && btc_find(b, hash, &id, NULL) == 0) {
        (void)btc_source_of(b, id, &known, NULL);
    }
    return known;
}

/* Runs until the magnet is a torrent. */
static int cli_fetch_run(struct cli *c, struct btc *b, int64_t id,
                         struct btc_error *e)
{
    struct cli_run r;

    cli_run_init(&r, c, b);
    r.options.ids = &id;
    r.options.n_ids = 1;
    r.options.metadata_only = true;
    if (r.options.patience.max_time_s == 0) {
        r.options.patience.max_time_s = CLI_FETCH_TIME_S;
    }
    int status = cli_run_engine(&r, false, e);
    cli_run_fini(&r);
    return status;
}

/* On a database for this alone. */
static int cli_fetch_ask(struct cli *c, struct btc *b,
                         const struct btc_source *s, struct btc_source **out,
                         struct btc_error *e)
{
    /* No file is made, so any folder will do. */
    struct btc_add_options add = {
        .dir = "/", .peers = c->o.peers.items, .n_peers = c->o.peers.n};
    int64_t id = 0;
    int status = btc_add(b, s, &add, &id, NULL, e);

    if (status == 0) {
        status = cli_fetch_run(c, b, id, e);
    }
    if (status == 0) {
        status = btc_source_of(b, id, out, e);
    }
    return status;
}

/* What peers say. */
static int cli_fetch_scratch(struct cli *c, struct btc *known,
                             const struct btc_source *s,
                             struct btc_source **out, struct btc_error *e)
{
    struct btc *b = NULL;
    int status = btc_open_scratch(known, &b, e);

    if (status == 0) {
        status = cli_fetch_ask(c, b, s, out, e);
    }
    btc_close(b);
    return status;
}

int cli_fetch(struct cli *c, struct btc_source **s)
{
    struct btc_error e = {0};
    struct btc_source *found = NULL;
    int status = 0;

    if (!btc_source_info(*s)->is_magnet) {
        return 0;
    }
    struct btc *known = cli_fetch_open(c);
    found = cli_fetch_known(known, *s);
    if (found == NULL) {
        cli_signal_take(false);
        status = cli_fetch_scratch(c, known, *s, &found, &e);
    }
    btc_close(known);
    if (status != 0) {
        e.status = status;
        return cli_fail(c, &e);
    }
    btc_source_free(*s);
    *s = found;
    return 0;
}
