/* btc why: what a torrent waits for, from the views alone. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands/commands.h"
#include "cli/commands/why_sources.h"
#include "cli/commands/why_ways.h"
#include "cli/rows.h"
#include "front/format.h"
#include "front/json.h"

#define CLI_WHY_RANGES 8 /* stretches of missing pieces that are named */
#define CLI_WHY_FILES  5 /* incomplete files that are named */

/* Reasons in the order of their weight. */
struct cli_why {
    struct cli *c;
    struct btc *b;
    int64_t id;
    json_t *reasons;  /* texts */
    json_t *missing;  /* [first, last] */
    json_t *ways;     /* rows of way_list, or NULL */
    json_t *peers;    /* rows of peer_list, or NULL */
    json_t *trackers; /* rows of tracker_list, or NULL */
};

/* Adds a reason. */
static void cli_why_add(struct cli_why *w, const struct front_text *text)
{
    json_array_append_new(w->reasons, front_json_text(front_text_str(text)));
}

/* Adds a reason from a fixed text. */
static void cli_why_say(struct cli_why *w, const char *text)
{
    json_array_append_new(w->reasons, json_string(text));
}

/* A drive that does not answer. */
static bool cli_why_silent(struct cli_why *w)
{
    struct cli_rows *rows = cli_rows_load(w->b, "storage_list", w->id, 0, NULL);
    struct front_text text = {0};
    bool silent = rows != NULL && cli_rows_count(rows) > 0 &&
                  btc_engine_pid(btc_path(w->b)) != 0;
    if (silent) {
        front_text_printf(&text,
                          "the drive of %s has not answered for %lld s: it "
                          "goes on by itself when the drive does",
                          cli_rows_text(rows, 0, "save_path"),
                          (long long)cli_rows_int(rows, 0, "silent_s", 0));
        cli_why_add(w, &text);
    }
    front_text_free(&text);
    cli_rows_free(rows);
    return silent;
}

/* It was wished away, and is here still. */
static void cli_why_removing(struct cli_why *w, const char *wanted,
                             struct front_text *text)
{
    const char *how = "";
    if (wanted != NULL && strcmp(wanted, "remove-data") == 0) {
        how = " with its data";
    }
    front_text_clear(text);
    if (btc_engine_pid(btc_path(w->b)) != 0) {
        front_text_printf(text, "it is being removed%s", how);
    } else {
        front_text_printf(text,
                          "its removal%s is owed and no engine runs: `btc "
                          "resume` does it, `btc start %lld` keeps it",
                          how, (long long)w->id);
    }
    cli_why_add(w, text);
}

/* The state itself. */
static void cli_why_state(struct cli_why *w, const struct cli_rows *p)
{
    enum btc_state state = btc_state_from_name(cli_rows_text(p, 0, "state"));
    const char *wanted = cli_rows_text(p, 0, "wanted");
    const char *error = cli_rows_text(p, 0, "error");
    struct front_text text = {0};
    char stopped[CLI_STOPPED_MAX];

    if (*cli_stopped_text(btc_engine_pid(btc_path(w->b)), stopped) != '\0') {
        cli_why_say(w, stopped);
    }
    if (cli_why_silent(w)) {
        return;
    }
    if (error != NULL) {
        front_text_printf(&text, "it says: %s", error);
        cli_why_add(w, &text);
    }
    if (state == BTC_STATE_REMOVING) {
        cli_why_removing(w, wanted, &text);
    } else if (wanted != NULL && strcmp(wanted, "pause") == 0) {
        front_text_clear(&text);
        front_text_printf(&text, "it is paused: `btc start %lld` lets it run",
                          (long long)w->id);
        cli_why_add(w, &text);
    } else if (btc_engine_pid(btc_path(w->b)) == 0) {
        cli_why_say(w, "no engine runs: `btc resume` or `btc daemon` goes on");
    }
    if (state == BTC_STATE_WAITING_STORAGE) {
        front_text_clear(&text);
        front_text_printf(&text,
                          "its folder or its data is gone: bring the storage "
                          "back and it goes on by itself (or `btc set %lld "
                          "accept-loss=true` to start over)",
                          (long long)w->id);
        cli_why_add(w, &text);
    } else if (state == BTC_STATE_WAITING_SPACE) {
        cli_why_say(w, "the disk is full: free some space and it goes on by "
                       "itself");
    } else if (state == BTC_STATE_METADATA) {
        cli_why_say(w, "its metadata has to come from a peer first");
    }
    front_text_free(&text);
}

/* What the piece map's rows are gathered into. */
struct cli_why_pieces {
    json_t *ranges; /* [first, last] */
    int64_t first, last;
    int64_t n_missing, n_partial;
    bool open;
};

/* Closes a stretch of missing pieces. */
static void cli_why_close(struct cli_why_pieces *p)
{
    if (p->open) {
        json_array_append_new(
            p->ranges,
            json_pack("[I, I]", (json_int_t)p->first, (json_int_t)p->last));
        p->open = false;
    }
}

/* A piece. */
static int cli_why_piece(void *ctx, const struct btc_value *v, size_t n)
{
    struct cli_why_pieces *p = ctx;
    int64_t piece = -1;
    const char *state = "";

    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].column, "piece") == 0) {
            piece = v[i].i;
        } else if (strcmp(v[i].column, "state") == 0 && v[i].text != NULL) {
            state = v[i].text;
        }
    }
    if (strcmp(state, "verified") == 0) {
        cli_why_close(p);
        return 0;
    }
    if (strcmp(state, "partial") == 0) {
        p->n_partial++;
    }
    p->n_missing++;
    if (p->open && piece == p->last + 1) {
        p->last = piece;
        return 0;
    }
    cli_why_close(p);
    p->open = true;
    p->first = p->last = piece;
    return 0;
}

/* Which pieces miss. */
static void cli_why_map(struct cli_why *w)
{
    struct cli_why_pieces p = {.ranges = w->missing};
    struct front_text text = {0};
    size_t i = 0;

    if (btc_query(w->b, "piece_map", w->id, 0, cli_why_piece, &p, NULL) != 0) {
        return;
    }
    cli_why_close(&p);
    if (p.n_missing == 0) {
        return;
    }
    front_text_printf(&text, "missing pieces: %lld (%lld of them begun):",
                      (long long)p.n_missing, (long long)p.n_partial);
    for (; i < json_array_size(w->missing) && i < CLI_WHY_RANGES; i++) {
        const json_t *range = json_array_get(w->missing, i);
        long long a = json_integer_value(json_array_get(range, 0));
        long long b = json_integer_value(json_array_get(range, 1));
        if (i > 0) {
            front_text_puts(&text, ",");
        }
        front_text_printf(&text, " %lld", a);
        if (b != a) {
            front_text_printf(&text, "-%lld", b);
        }
    }
    if (i < json_array_size(w->missing)) {
        front_text_puts(&text, " ...");
    }
    cli_why_add(w, &text);
    front_text_free(&text);
}

/* Which files they are in. */
static void cli_why_files(struct cli_why *w)
{
    struct cli_rows *rows =
        cli_rows_load(w->b, "file_progress", w->id, 0, NULL);
    size_t named = 0;

    if (rows == NULL) {
        return;
    }
    for (size_t i = 0; i < cli_rows_count(rows) && named < CLI_WHY_FILES; i++) {
        int64_t done = cli_rows_int(rows, i, "bytes_done", 0);
        int64_t length = cli_rows_int(rows, i, "length", 0);
        if (done >= length || cli_rows_int(rows, i, "priority", 4) == 0) {
            continue;
        }
        char buf[FRONT_FORMAT_MAX];
        struct front_text text = {0};
        front_text_printf(
            &text, "incomplete: %s (%s)", cli_rows_text(rows, i, "path"),
            front_format_percent(buf, (uint64_t)done, (uint64_t)length));
        cli_why_add(w, &text);
        front_text_free(&text);
        named++;
    }
    cli_rows_free(rows);
}

/* Shows the reasons. */
static void cli_why_show(struct cli_why *w, const struct cli_rows *p)
{
    struct cli *c = w->c;

    if (c->o.json) {
        json_t *o = front_json_object();
        json_object_set_new(o, "id", json_integer(w->id));
        json_object_set_new(o, "state",
                            front_json_text(cli_rows_text(p, 0, "state")));
        json_object_set(o, "reasons", w->reasons);
        json_object_set(o, "missing", w->missing);
        json_object_set(o, "ways", w->ways);
        json_object_set(o, "peers", w->peers);
        json_object_set(o, "trackers", w->trackers);
        front_json_print(c->out, o);
        return;
    }
    struct front_text line = {0};
    struct front_text advice = {0};
    const char *name = cli_rows_text(p, 0, "name");
    front_text_clean(&line, front_text_or(name, "?"), c->out_screen.utf8);
    const char *state = cli_rows_text(p, 0, "state");
    fprintf(c->out, "%s is %s\n", front_text_str(&line),
            front_text_or(state, "not known"));
    for (size_t i = 0; i < json_array_size(w->reasons); i++) {
        front_text_clear(&line);
        front_text_clear(&advice);
        front_text_clean(&line,
                         json_string_value(json_array_get(w->reasons, i)),
                         c->out_screen.utf8);
        cli_advise(c, front_text_str(&line), &advice);
        fprintf(c->out, "- %s\n", front_text_str(&advice));
    }
    front_text_free(&line);
    front_text_free(&advice);
}

/* How peers are looked for; in `reasons`, too, unless that is NULL. */
static void cli_why_say_ways(struct cli_why *w, const struct cli_rows *p,
                             json_t *reasons)
{
    bool is_private = cli_rows_int(p, 0, "is_private", 0) != 0;
    w->ways = cli_why_ways(w->b, w->id, is_private, reasons);
}

/* Gathers and shows. */
static int cli_why_one(struct cli_why *w)
{
    struct btc_error e = {0};
    struct cli_rows *p = cli_rows_load(w->b, "progress", w->id, 0, &e);

    if (p == NULL) {
        return cli_fail(w->c, &e);
    }
    enum btc_state state = btc_state_from_name(cli_rows_text(p, 0, "state"));
    bool done = state == BTC_STATE_COMPLETE || state == BTC_STATE_SEEDING;
    w->reasons = json_array();
    w->missing = json_array();
    if (done) {
        cli_why_say(w, "everything wanted is here");
        w->trackers = cli_why_trackers(w->b, w->id, w->reasons);
        cli_why_say_ways(w, p, NULL);
    } else {
        cli_why_state(w, p);
        w->peers = cli_why_peers(w->b, w->id, w->reasons);
        w->trackers = cli_why_trackers(w->b, w->id, w->reasons);
        cli_why_say_ways(w, p, w->reasons);
        cli_why_map(w);
        cli_why_files(w);
    }
    cli_why_show(w, p);
    json_decref(w->reasons);
    json_decref(w->missing);
    json_decref(w->ways);
    json_decref(w->peers);
    json_decref(w->trackers);
    cli_rows_free(p);
    return 0;
}

/* btc why ID. */
static int cli_why_run(struct cli *c)
{
    struct cli_why w = {.c = c};
    struct cli_ids ids = {0};
    int status = cli_open(c, BTC_OPEN_READ_ONLY, &w.b);

    if (status != 0) {
        return status;
    }
    status = cli_open_ids(c, w.b, &ids);
    if (status == 0) {
        w.id = ids.ids[0];
        status = cli_why_one(&w);
    }
    free(ids.ids);
    btc_close(w.b);
    return status;
}

const struct cli_command cli_why = {
    .name = "why",
    .args = "ID",
    .group = CLI_GROUP_LOOK,
    .help = "what a torrent waits for",
    .details = "Says why a torrent does not go on: its state, its peers and "
               "trackers, the DHT, peer exchange and the local network, and "
               "which pieces of which files miss.",
    .example = "btc why ubuntu",
    .options = CLI_SET_DB | CLI_SET(JSON),
    .min_args = 1,
    .max_args = 1,
    .run = cli_why_run};
