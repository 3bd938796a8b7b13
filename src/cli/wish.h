/* What start, pause and rm share: a wish for each of several torrents. */
#ifndef BTC_CLI_WISH_H
#define BTC_CLI_WISH_H

#include "cli/cli.h"
#include "cli/rows.h"
#include "front/json.h"

/* One torrent of the arguments. */
struct cli_wish {
    int64_t id;
    char name[256];      /* cleaned for a terminal */
    char save_path[512]; /* the same */
    int64_t bytes_done;
    json_t *stays; /* owns; what a removal has left, NULL = not looked at */
};
/* What a command wishes. */
struct cli_wish_kind {
    const char *did;    /* said of each torrent when it is done */
    const char *partly; /* the same when something stays; NULL: nothing can */
    const char *wished; /* the same when an engine that runs will do it */
    const char *idle; /* said at the end when no engine runs; NULL = nothing */
    /* once, before anything is done, with all of them; another status than 0
     * ends the command. NULL = nothing is asked */
    int (*ask)(struct cli *c, const struct cli_wish *list, size_t n);
    int (*fn)(struct cli *c, struct btc *b, struct cli_wish *w,
              struct btc_error *e);
};

/* {"id", "name"}, and after a removal of data "stays": [{"path", "why"}] */
json_t *cli_wish_json(const struct cli_wish *w);
/* Opens the database and looks all arguments up: one that is not there ends it
 * before anything is done. Exit status. */
int cli_wish_run(struct cli *c, const struct cli_wish_kind *kind);

#endif
