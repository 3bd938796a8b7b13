/* What start, pause and rm share: a wish for each of several torrents. */
#ifndef BTC_APP_CLI_WISH_H
#define BTC_APP_CLI_WISH_H

#include "cli.h"
#include "cli_rows.h"

/* One torrent of the arguments. */
struct cli_wish {
    int64_t id;
    char name[256];      /* cleaned for a terminal */
    char save_path[512]; /* the same */
    int64_t bytes_done;
};
typedef int cli_wish_fn(struct cli *c, struct btc *b, const struct cli_wish *w,
                        struct btc_error *e);

/* Opens the database and looks all arguments up; then `ask` (NULL allowed) once
 * with the whole list may stop it by another status than 0; then `fn` for each,
 * with "DID name" said after each. Exit status. */
int cli_wish_run(struct cli *c, const char *did,
                 int (*ask)(struct cli *c, const struct cli_wish *list,
                            size_t n),
                 cli_wish_fn *fn);

#endif
