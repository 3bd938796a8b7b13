/* How peers are looked for beside trackers; see why_ways.h. */
#include "cli/commands/why_ways.h"

#include "front/format.h"
#include "front/json.h"
#include "front/text.h"
#include <string.h>

/* Adds a text, which is cleared. */
static void cli_why_ways_add(json_t *reasons, struct front_text *text)
{
    json_array_append_new(reasons, front_json_text(front_text_str(text)));
    front_text_clear(text);
}

/* When the DHT was last asked, and what for. */
static void cli_why_ways_search(struct front_text *text,
                                const struct cli_rows *rows, size_t row)
{
    char at[FRONT_FORMAT_MAX];
    int64_t when = cli_rows_int(rows, row, "last_search", 0);

    if (when == 0) {
        front_text_puts(text, "; no search for it has ended yet");
        return;
    }
    front_text_printf(text, "; at the last search (%s) %lld nodes answered",
                      front_format_time(at, when),
                      (long long)cli_rows_int(rows, row, "answers", 0));
    front_text_printf(text, " and named %lld peers",
                      (long long)cli_rows_int(rows, row, "found", 0));
}

/* The DHT's own line. */
static void cli_why_ways_dht(struct front_text *text,
                             const struct cli_rows *rows, size_t row)
{
    long long nodes = cli_rows_int(rows, row, "nodes", 0);

    if (cli_rows_int(rows, row, "is_on", 0) == 0) {
        front_text_puts(text, "DHT: off");
        return;
    }
    if (nodes == 0) {
        front_text_puts(text, "DHT: on, but no node is known: name one with "
                              "--dht-bootstrap HOST:PORT");
        return;
    }
    front_text_printf(text, "DHT: %lld nodes, %lld of them good", nodes,
                      (long long)cli_rows_int(rows, row, "good_nodes", 0));
    cli_why_ways_search(text, rows, row);
}

/* How many of the known peers a way named. */
static void cli_why_ways_peers(struct front_text *text,
                               const struct cli_rows *rows, size_t row,
                               const char *name)
{
    if (cli_rows_int(rows, row, "is_on", 0) == 0) {
        front_text_printf(text, "%s: off", name);
        return;
    }
    front_text_printf(text, "%s: on, %lld known peers come from it", name,
                      (long long)cli_rows_int(rows, row, "peers", 0));
}

/* One way. */
static void cli_why_ways_one(struct front_text *text,
                             const struct cli_rows *rows, size_t row)
{
    const char *way = cli_rows_text(rows, row, "way");

    if (way == NULL) {
        return;
    }
    if (strcmp(way, "dht") == 0) {
        cli_why_ways_dht(text, rows, row);
    } else if (strcmp(way, "pex") == 0) {
        cli_why_ways_peers(text, rows, row, "peer exchange");
    } else {
        cli_why_ways_peers(text, rows, row, "local network");
    }
}

json_t *cli_why_ways(struct btc *b, int64_t id, bool is_private,
                     json_t *reasons)
{
    struct cli_rows *rows = cli_rows_load(b, "way_list", id, 0, NULL);
    struct front_text text = {0};

    if (rows == NULL) {
        return NULL;
    }
    if (is_private) {
        front_text_puts(&text, "it is private: only its trackers may name "
                               "peers, not the DHT, peer exchange or the "
                               "local network");
        cli_why_ways_add(reasons, &text);
    }
    for (size_t i = 0; !is_private && i < cli_rows_count(rows); i++) {
        cli_why_ways_one(&text, rows, i);
        cli_why_ways_add(reasons, &text);
    }
    json_t *list = cli_rows_json(rows);
    front_text_free(&text);
    cli_rows_free(rows);
    return list;
}
