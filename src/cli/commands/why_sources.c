/* Whom the data can come from; see why_sources.h. */
#include "cli/commands/why_sources.h"

#include "front/format.h"
#include "front/json.h"
#include "front/text.h"

#include <string.h>

#define CLI_WHY_PEERS 10 /* peers that are told of one by one */

/* Adds a text, which is cleared. */
static void cli_why_tell(json_t *reasons, struct front_text *text)
{
    json_array_append_new(reasons, front_json_text(front_text_str(text)));
    front_text_clear(text);
}

/* --- peers --- */

/* What a walk over the peers finds. */
struct cli_why_count {
    size_t connected;
    size_t choking;  /* of them */
    size_t outcomes; /* not connected, and it is known how that came */
};

static bool cli_why_is_on(const struct cli_rows *rows, size_t row)
{
    return cli_rows_int(rows, row, "connected", 0) != 0;
}

static bool cli_why_has_outcome(const struct cli_rows *rows, size_t row)
{
    return !cli_why_is_on(rows, row) &&
           cli_rows_text(rows, row, "outcome") != NULL;
}

static struct cli_why_count cli_why_count_peers(const struct cli_rows *rows)
{
    struct cli_why_count n = {0};

    for (size_t i = 0; i < cli_rows_count(rows); i++) {
        bool on = cli_why_is_on(rows, i);
        if (on) {
            n.connected++;
        }
        if (on && cli_rows_int(rows, i, "choking", 0) != 0) {
            n.choking++;
        }
        if (cli_why_has_outcome(rows, i)) {
            n.outcomes++;
        }
    }
    return n;
}

/* All of them in one line. */
static void cli_why_sum_peers(struct front_text *text, int64_t id, size_t known,
                              const struct cli_why_count *n)
{
    if (known == 0) {
        front_text_printf(text,
                          "no peer is known: see the trackers below, or name "
                          "one with `btc set %lld peer=HOST:PORT`",
                          (long long)id);
    } else if (n->connected == 0) {
        front_text_printf(text, "peers: %zu known, none connected", known);
    } else if (n->choking == n->connected) {
        front_text_printf(text,
                          "peers: %zu connected, all of them choking us: it "
                          "has to wait for its turn",
                          n->connected);
    } else {
        front_text_printf(text, "peers: %zu connected, %zu of them choking us",
                          n->connected, n->choking);
    }
}

/* What happened with one that is not connected. */
static void cli_why_one_peer(struct front_text *text,
                             const struct cli_rows *rows, size_t row)
{
    char at[FRONT_FORMAT_MAX];
    const char *address = cli_rows_text(rows, row, "address");
    long long times = cli_rows_int(rows, row, "outcome_count", 0);

    long long port = cli_rows_int(rows, row, "port", 0);

    if (address != NULL && strchr(address, ':') != NULL) {
        front_text_printf(text, "peer [%s]:%lld ", address, port);
    } else {
        front_text_printf(text, "peer %s:%lld ", address, port);
    }
    front_text_puts(text, cli_rows_text(rows, row, "outcome"));
    if (times > 1) {
        front_text_printf(text, ", %lld times", times);
    }
    front_text_printf(
        text, ", last at %s",
        front_format_time(at, cli_rows_int(rows, row, "outcome_at", 0)));
    if (cli_rows_int(rows, row, "banned", 0) != 0) {
        front_text_puts(text, "; it is banned");
    }
}

json_t *cli_why_peers(struct btc *b, int64_t id, json_t *reasons)
{
    struct cli_rows *rows = cli_rows_load(b, "peer_list", id, 0, NULL);
    struct front_text text = {0};
    size_t told = 0;
    json_t *list = NULL;

    if (rows == NULL) {
        return NULL;
    }
    struct cli_why_count n = cli_why_count_peers(rows);
    cli_why_sum_peers(&text, id, cli_rows_count(rows), &n);
    cli_why_tell(reasons, &text);
    for (size_t i = 0; i < cli_rows_count(rows) && told < CLI_WHY_PEERS; i++) {
        if (cli_why_has_outcome(rows, i)) {
            cli_why_one_peer(&text, rows, i);
            cli_why_tell(reasons, &text);
            told++;
        }
    }
    if (n.outcomes > told) {
        front_text_printf(&text, "... and %zu peers more: `btc peers %lld`",
                          n.outcomes - told, (long long)id);
        cli_why_tell(reasons, &text);
    }
    front_text_free(&text);
    list = cli_rows_json(rows);
    cli_rows_free(rows);
    return list;
}

/* --- trackers --- */

/* What it said last. */
static void cli_why_answer(struct front_text *text, const struct cli_rows *rows,
                           size_t row)
{
    char at[FRONT_FORMAT_MAX];
    int64_t when = cli_rows_int(rows, row, "last_announce", 0);
    long long seeders = cli_rows_int(rows, row, "seeders", -1);
    long long leechers = cli_rows_int(rows, row, "leechers", -1);

    if (when == 0) {
        front_text_puts(text, "; it has never answered");
        return;
    }
    front_text_printf(text, "; last answer %s", front_format_time(at, when));
    if (seeders == 0) {
        front_text_puts(text, ", knows no seeder");
    } else if (seeders > 0) {
        front_text_printf(text, ", %lld seeders", seeders);
    }
    if (leechers >= 0) {
        front_text_printf(text, ", %lld leechers", leechers);
    }
}

/* When it is asked again. */
static void cli_why_next(struct front_text *text, const struct cli_rows *rows,
                         size_t row)
{
    char at[FRONT_FORMAT_MAX];
    const char *state = cli_rows_text(rows, row, "state");
    int64_t next = cli_rows_int(rows, row, "next_announce", 0);
    long long failures = cli_rows_int(rows, row, "failures", 0);

    if (failures > 1) {
        front_text_printf(text, "; failed %lld times in a row", failures);
    }
    if (state != NULL && strcmp(state, "disabled") == 0) {
        front_text_printf(
            text, "; it said never to ask again (`btc start %lld` does)",
            (long long)cli_rows_int(rows, row, "torrent_id", 0));
    } else if (next > 0) {
        front_text_printf(text, "; next announce %s",
                          front_format_time(at, next));
    }
}

json_t *cli_why_trackers(struct btc *b, int64_t id, json_t *reasons)
{
    struct cli_rows *rows = cli_rows_load(b, "tracker_list", id, 0, NULL);
    struct front_text text = {0};
    json_t *list = NULL;

    if (rows == NULL) {
        return NULL;
    }
    if (cli_rows_count(rows) == 0) {
        front_text_printf(&text,
                          "it has no tracker: name one with `btc set %lld "
                          "tracker=URL`",
                          (long long)id);
        cli_why_tell(reasons, &text);
    }
    for (size_t i = 0; i < cli_rows_count(rows); i++) {
        const char *error = cli_rows_text(rows, i, "error");
        const char *state = cli_rows_text(rows, i, "state");
        if (error == NULL) {
            error = state;
        }
        front_text_printf(&text, "tracker %s: %s",
                          cli_rows_text(rows, i, "url"), error);
        cli_why_answer(&text, rows, i);
        cli_why_next(&text, rows, i);
        cli_why_tell(reasons, &text);
    }
    front_text_free(&text);
    list = cli_rows_json(rows);
    cli_rows_free(rows);
    return list;
}
