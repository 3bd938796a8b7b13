/* A wish for each of several torrents. */
#include "cli/wish.h"
#include "base/mem.h"

#include <stdlib.h>

#include "front/json.h"

/* Copies a stranger's text. */
static void cli_wish_text(char *out, size_t size, const char *s)
{
    struct front_text t = {0};

    front_text_clean(&t, front_text_or(s, "?"), true);
    snprintf(out, size, "%s", front_text_str(&t));
    front_text_free(&t);
}

/* Looks one torrent up. */
static int cli_wish_load(struct btc *b, int64_t id, struct cli_wish *w,
                         struct btc_error *e)
{
    struct cli_rows *rows = cli_rows_load(b, "progress", id, 0, e);

    if (rows == NULL) {
        return e->status;
    }
    w->id = id;
    cli_wish_text(w->name, sizeof(w->name), cli_rows_text(rows, 0, "name"));
    cli_wish_text(w->save_path, sizeof(w->save_path),
                  cli_rows_text(rows, 0, "save_path"));
    w->bytes_done = cli_rows_int(rows, 0, "bytes_done", 0);
    cli_rows_free(rows);
    return 0;
}

/* One torrent for programs. */
json_t *cli_wish_json(const struct cli_wish *w)
{
    json_t *o = json_object();

    json_object_set_new(o, "id", json_integer(w->id));
    json_object_set_new(o, "name", front_json_text(w->name));
    if (w->stays != NULL) {
        json_object_set(o, "stays", w->stays);
    }
    return o;
}

/* One path of what stays. */
static void cli_wish_say_stay(struct cli *c, const json_t *stay)
{
    struct front_text path = {0};

    front_text_clean(&path, json_string_value(json_object_get(stay, "path")),
                     true);
    cli_say(c, "  stays: %s (%s)", front_text_str(&path),
            json_string_value(json_object_get(stay, "why")));
    front_text_free(&path);
}

/* One is done. What stays of it is told path by path. */
static void cli_wish_say(struct cli *c, const struct cli_wish *w,
                         const char *did)
{
    cli_say(c, "%s %lld  %s", did, (long long)w->id, w->name);
    for (size_t i = 0; i < json_array_size(w->stays); i++) {
        cli_wish_say_stay(c, json_array_get(w->stays, i));
    }
}

/* Makes the wish for each; tells programs which. */
static int cli_wish_each(struct cli *c, struct btc *b,
                         const struct cli_wish_kind *kind,
                         struct cli_wish *list, size_t n)
{
    struct btc_error e = {0};
    json_t *done = json_array();
    bool busy = kind->wished != NULL && btc_engine_pid(btc_path(b)) != 0;
    int status = 0;

    for (size_t i = 0; status == 0 && i < n; i++) {
        status = kind->fn(c, b, &list[i], &e);
        if (status == 0) {
            json_array_append_new(done, cli_wish_json(&list[i]));
            const char *did = kind->did;
            if (busy) {
                did = kind->wished;
            } else if (json_array_size(list[i].stays) > 0) {
                did = kind->partly;
            }
            cli_wish_say(c, &list[i], did);
        }
    }
    if (status != 0) {
        cli_fail(c, &e);
    } else if (c->o.json) {
        json_t *o = front_json_object();
        json_object_set(o, "torrents", done);
        front_json_print(c->out, o);
    }
    if (status == 0 && kind->idle != NULL && btc_engine_pid(btc_path(b)) == 0) {
        cli_say(c, "%s", kind->idle);
    }
    json_decref(done);
    return status;
}

/* The whole command. */
int cli_wish_run(struct cli *c, const struct cli_wish_kind *kind)
{
    struct btc *b = NULL;
    struct cli_ids ids = {0};
    struct btc_error e = {0};
    int status = cli_open(c, 0, &b);

    if (status != 0) {
        return status;
    }
    status = cli_open_ids(c, b, &ids);
    struct cli_wish *list = mem_calloc(ids.n, sizeof(*list));
    for (size_t i = 0; status == 0 && i < ids.n; i++) {
        status = cli_wish_load(b, ids.ids[i], &list[i], &e);
        if (status != 0) {
            cli_fail(c, &e);
        }
    }
    if (status == 0 && kind->ask != NULL) {
        status = kind->ask(c, list, ids.n);
    }
    if (status == 0 && !c->o.dry_run) {
        status = cli_wish_each(c, b, kind, list, ids.n);
    }
    for (size_t i = 0; i < ids.n; i++) {
        json_decref(list[i].stays);
    }
    free(list);
    free(ids.ids);
    btc_close(b);
    return status;
}
