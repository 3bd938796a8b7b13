/* Opening the database and finding torrents in it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"

/* Opens --db or the default. */
int cli_open(struct cli *c, unsigned flags, struct btc **out)
{
    struct btc_error e = {0};

    if (c->o.allow_network_db) {
        flags |= BTC_OPEN_NETWORK;
    }
    if (btc_open(c->o.db, flags, out, &e) != 0) {
        *out = NULL;
        if (e.status == BTC_STATUS_NOT_FOUND) {
            /* 3 is for a source or an ID; no database is as good as a bad one
             */
            e.status = BTC_STATUS_DB;
        }
        return cli_fail(c, &e);
    }
    return 0;
}

/* Appends an id unless it is there: a torrent named twice is one. */
void cli_open_id(int64_t *ids, size_t *n, int64_t id)
{
    for (size_t i = 0; i < *n; i++) {
        if (ids[i] == id) {
            return;
        }
    }
    ids[(*n)++] = id;
}

/* Looks every argument up. */
int cli_open_ids(struct cli *c, struct btc *b, struct cli_ids *out)
{
    int first = 0;

    out->ids = mem_calloc(c->n_args, sizeof(*out->ids));
    out->n = 0;
    for (size_t i = 0; i < c->n_args; i++) {
        struct btc_error e = {0};
        int64_t id = 0;
        int status = btc_find(b, c->args[i], &id, &e);
        if (status == 0) {
            cli_open_id(out->ids, &out->n, id);
        } else if (first == 0) {
            first = cli_fail(c, &e);
        } else {
            cli_say_error(c, &e);
        }
    }
    return first;
}

/* A command to be typed next. */
const char *cli_open_hint(const struct cli *c, const char *command,
                          struct front_text *out)
{
    front_text_puts(out, "btc ");
    front_text_puts(out, command);
    cli_put_db(c, out);
    return front_text_str(out);
}
