/* btc verify: hash what is on disk. */
#include <stdlib.h>

#include "cli/commands/commands.h"
#include "cli/commands/verify_source.h"
#include "cli/run/run.h"
#include "cli/run/signal.h"
#include "front/format.h"

/* An end before its time came before the first look. */
static bool cli_verify_is_unseen(const struct cli_torrent *item)
{
    return item->status == 0 && item->p.pieces_checking > 0 &&
           item->p.pieces_checking >= item->p.pieces_done;
}

/* Its pieces were looked at: what made it fail, if anything, was found in its
 * files. */
static bool cli_verify_has_looked(const struct cli_torrent *item)
{
    return (item->status == 0 && !cli_verify_is_unseen(item)) ||
           (item->status == BTC_STATUS_VERIFY && item->p.piece_length > 0) ||
           item->status == BTC_STATUS_EXISTS;
}

/* Why its pieces were not looked at. */
static const char *cli_verify_reason(const struct cli_torrent *item)
{
    if (cli_verify_is_unseen(item)) {
        return btc_status_text(BTC_STATUS_INTERRUPTED);
    }
    if (item->p.piece_length == 0) {
        return "what it holds is not known yet";
    }
    return btc_status_text(item->status);
}

/* What was found of one torrent. */
static void cli_verify_say(const struct cli_run *r,
                           const struct cli_torrent *item)
{
    const struct btc_progress *p = &item->p;
    char buf[FRONT_FORMAT_MAX];
    struct front_text line = {0};

    front_text_clean(&line, p->name, r->c->err_screen.utf8);
    if (!cli_verify_has_looked(item)) {
        front_text_printf(&line, "  not verified: %s", cli_verify_reason(item));
    } else if (p->pieces_total == 0) {
        front_text_printf(&line, "  its files are empty: no pieces, and %s",
                          item->status == 0 ? "all of them are there"
                                            : "not all of them are there");
    } else {
        front_text_printf(&line, "  %u of %u pieces are good", p->pieces_done,
                          p->pieces_total);
    }
    if (cli_verify_has_looked(item) && p->bytes_total > 0) {
        front_text_printf(
            &line, ", %s",
            front_format_percent(buf, p->bytes_done, p->bytes_total));
    }
    if (cli_verify_has_looked(item) && p->pieces_checking > 0) {
        front_text_printf(&line, "; %u of them not looked at",
                          p->pieces_checking);
    }
    cli_say(r->c, "%s", front_text_str(&line));
    front_text_free(&line);
}

/* Says what was found. */
static void cli_verify_report(const struct cli_run *r)
{
    for (size_t i = 0; i < r->track.n; i++) {
        cli_verify_say(r, &r->track.items[i]);
    }
}

/* btc verify [ID...]. */
static int cli_verify_ids(struct cli *c)
{
    struct btc *b = NULL;
    struct cli_ids ids = {0};
    struct cli_run r;
    struct btc_error e = {0};

    cli_signal_take(false);
    int status = cli_open(c, 0, &b);
    if (status != 0) {
        return status;
    }
    status = cli_open_ids(c, b, &ids);
    if (status == 0) {
        cli_run_init(&r, c, b);
        if (ids.n > 0) {
            r.options.ids = ids.ids;
        }
        r.options.n_ids = ids.n;
        r.options.check_only = true;
        r.options.verify = BTC_VERIFY_AUTO;
        if (c->o.full) {
            r.options.verify = BTC_VERIFY_FULL;
        }
        r.options.older_than_s = (int64_t)c->o.older_than_s;
        status = cli_run_engine(&r, false, &e);
        cli_verify_report(&r);
        if (status == 0 && r.track.n == 0) {
            cli_say(c, "nothing to verify");
        }
        r.checked = true;
        status = cli_run_report(&r, status, &e, NULL);
        if (status == BTC_STATUS_LOCKED) {
            cli_say(c, "`btc set ID verify=now` has that one hash a torrent");
        }
        cli_run_fini(&r);
    }
    free(ids.ids);
    btc_close(b);
    return status;
}

/* btc verify [ID...], or SRC -d DIR. */
static int cli_verify_run(struct cli *c)
{
    const uint64_t of_source =
        CLI_SET(OUT) | CLI_SET(SELECT) | CLI_SET(EXCLUDE);

    if ((c->o.typed & CLI_SET(DIR)) != 0) {
        return cli_verify_source(c);
    }
    if ((c->o.typed & of_source) != 0) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "--out, --select and --exclude belong to btc "
                             "verify SRC -d DIR");
    }
    return cli_verify_ids(c);
}

const struct cli_command cli_verify = {
    .name = "verify",
    .args = "[ID...|SRC -d DIR]",
    .group = CLI_GROUP_TOOLS,
    .help = "hash the data on disk and journal what is good",
    .details =
        "Hashes the data of the given torrents (without an ID: of all) and "
        "journals what is good and what is not. Pieces whose file has not "
        "changed since they were verified are trusted, unless --full or "
        "--older-than says otherwise. It needs no network. An engine that runs "
        "hashes a torrent on `btc set ID verify=now`. With a source and -d the "
        "data in that folder is hashed against it: every piece, without any "
        "database, and nothing is written. Exit 8: pieces are bad or missing, "
        "or not even known yet (a magnet); `btc resume` fetches them. Exit 13: "
        "something else is in the place of a file: one that is longer than the "
        "torrent's, or in which no piece is good.",
    .example = "btc verify --older-than 30d",
    .options = CLI_SET_READ | CLI_SET(DIR) | CLI_SET(OUT) | CLI_SET(SELECT) |
               CLI_SET(EXCLUDE) | CLI_SET(FULL) | CLI_SET(OLDER_THAN) |
               CLI_SET(PROGRESS) | CLI_SET(MAX_TIME) | CLI_SET(BIND),
    .max_args = CLI_ARGS_MANY,
    .run = cli_verify_run};
