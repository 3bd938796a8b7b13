/* The sources of get and add. */
#include "cli/sources.h"
#include "base/mem.h"
#include "cli/rows.h"

#include <stdlib.h>
#include <string.h>

/* What went wrong, without the name of the source that it begins with. */
static const char *cli_sources_kind(const char *word, const struct btc_error *e)
{
    size_t n = strlen(word);

    if (strncmp(e->message, word, n) == 0) {
        return e->message + n;
    }
    return e->message;
}

void cli_sources_tell_same(struct cli *c, struct cli_sources *s)
{
    if (s->n_same > 0) {
        fprintf(c->err, "btc: the same of %zu more source%s\n", s->n_same,
                front_text_plural(s->n_same));
    }
    s->n_same = 0;
    free(s->kind);
    s->kind = NULL;
}

/* Notes a failure and says it, unless it is the one before once more. */
void cli_sources_note(struct cli *c, struct cli_sources *s, const char *word,
                      const struct btc_error *e)
{
    int status = cli_fail_status(e);
    json_t *o = front_json_error(status, e->message);
    const char *kind = cli_sources_kind(word, e);

    if (s->n_failed++ == 0) {
        s->status = status;
    }
    json_object_set_new(o, "source", front_json_text(word));
    json_array_append_new(s->errors, o);
    if (s->kind != NULL && strcmp(s->kind, kind) == 0) {
        s->n_same++;
        return;
    }
    cli_sources_tell_same(c, s);
    s->kind = mem_strdup(kind);
    cli_say_error(c, e);
}

/* From the command line. */
struct btc_add_options cli_sources_options(const struct cli *c,
                                           const char *seed)
{
    const struct cli_options *o = &c->o;

    return (struct btc_add_options){.dir = o->dir,
                                    .name = o->out,
                                    .select = o->select,
                                    .exclude = o->exclude,
                                    .torrent_file = o->meta.save,
                                    .seed = front_text_or(o->seed, seed),
                                    .label = o->label,
                                    .sequential = o->sequential,
                                    .paused = o->paused,
                                    .alloc_full = o->alloc == 1,
                                    .accept_loss = o->accept_loss,
                                    .overwrite = o->overwrite,
                                    .max_peers = (uint32_t)o->max_peers,
                                    .peers = o->peers.items,
                                    .n_peers = o->peers.n};
}

/* One source, by the options of its command. */
int cli_sources_open(const struct cli *c, const char *word, unsigned flags,
                     struct btc_source **out, struct btc_error *e)
{
    const struct btc_fetch_options how = {
        .bind = c->o.bind, .max_time_s = (int64_t)c->o.max_time_s};

    return btc_source_load_by(word, flags, &how, out, e);
}

/* Loads all. */
void cli_sources_load(struct cli *c, struct cli_sources *s)
{
    *s = (struct cli_sources){0};
    s->items = mem_calloc(c->n_args, sizeof(*s->items));
    s->errors = json_array();
    for (size_t i = 0; i < c->n_args; i++) {
        struct btc_error e = {0};
        struct cli_source *item = &s->items[s->n];
        *item = (struct cli_source){.word = c->args[i]};
        unsigned flags = 0;
        if (c->o.meta.save != NULL) {
            flags |= BTC_SOURCE_KEEP;
        }
        if (cli_sources_open(c, c->args[i], flags, &item->source, &e) == 0) {
            s->n++;
        } else {
            item->source = NULL;
            cli_sources_note(c, s, c->args[i], &e);
        }
    }
    cli_sources_tell_same(c, s);
}

/* btc_add_all leaves a known torrent its seeding goal, since here is always
 * one: another is wished for when it was typed. */
static void cli_sources_set_seed(struct cli *c, struct btc *b,
                                 struct btc_addition *item)
{
    if (item->error.status == 0 && item->known &&
        (c->o.typed & CLI_SET(SEED)) != 0) {
        (void)btc_set(b, item->id, "seed", c->o.seed, &item->error);
    }
}

/* --save-torrent of what is known now; that of a magnet which is none yet is a
 * wish that an engine fulfils. */
static void cli_sources_keep(struct cli *c, struct btc *b,
                             struct btc_addition *item)
{
    struct btc_source *known = NULL;
    const struct btc_source *s = item->source;

    if (c->o.meta.save == NULL || item->error.status != 0) {
        return;
    }
    if (btc_source_info(s)->is_magnet) {
        if (btc_source_of(b, item->id, &known, NULL) != 0) {
            return;
        }
        s = known;
    }
    (void)btc_source_save(s, c->o.meta.save, &item->error);
    btc_source_free(known);
}

/* Who asks for a torrent without a choice and gets an earlier one's part of it
 * is not to take that for the whole. */
static void cli_sources_tell_choice(const struct cli *c, struct btc *b,
                                    const struct btc_addition *item)
{
    size_t n_off = 0;

    if (item->error.status != 0 || !item->known ||
        (c->o.given & (CLI_SET(SELECT) | CLI_SET(EXCLUDE))) != 0) {
        return;
    }
    struct cli_rows *files =
        cli_rows_load(b, "file_progress", item->id, 0, NULL);
    size_t n = files != NULL ? cli_rows_count(files) : 0;
    for (size_t i = 0; i < n; i++) {
        n_off += cli_rows_int(files, i, "priority", 1) == 0 ? 1 : 0;
    }
    cli_rows_free(files);
    if (n_off > 0) {
        cli_say(c,
                "%zu of the %zu files of torrent %lld are not wanted: `btc set "
                "%lld select='*'` wishes for all",
                n_off, n, (long long)item->id, (long long)item->id);
    }
}

/* Adds all. */
void cli_sources_add(struct cli *c, struct btc *b,
                     const struct btc_add_options *o, struct cli_sources *s)
{
    struct btc_addition *added = mem_calloc(s->n + 1, sizeof(*added));
    size_t left = 0;

    for (size_t i = 0; i < s->n; i++) {
        added[i].source = s->items[i].source;
    }
    (void)btc_add_all(b, added, s->n, o);
    for (size_t i = 0; i < s->n; i++) {
        struct cli_source item = s->items[i];
        item.id = added[i].id;
        item.known = added[i].known;
        cli_sources_set_seed(c, b, &added[i]);
        cli_sources_keep(c, b, &added[i]);
        cli_sources_tell_choice(c, b, &added[i]);
        if (added[i].error.status == 0) {
            s->items[left++] = item;
        } else {
            cli_sources_note(c, s, item.word, &added[i].error);
            btc_source_free(item.source);
        }
    }
    s->n = left;
    free(added);
    cli_sources_tell_same(c, s);
}

void cli_sources_forget(struct cli_sources *s)
{
    for (size_t i = 0; i < s->n; i++) {
        btc_source_free(s->items[i].source);
        s->items[i].source = NULL;
    }
}

/* Frees. */
void cli_sources_fini(struct cli_sources *s)
{
    cli_sources_forget(s);
    free(s->items);
    json_decref(s->errors);
    *s = (struct cli_sources){0};
}

/* What the failures make of a success. */
int cli_sources_status(const struct cli *c, const struct cli_sources *s)
{
    if (s->n_failed == 0) {
        return 0;
    }
    if (c->n_args == 1) {
        return s->status;
    }
    return BTC_STATUS_SOME;
}

/* Nothing is left: the failures alone make the end. */
int cli_sources_fail(struct cli *c, const struct cli_sources *s)
{
    int status = cli_sources_status(c, s);

    if (c->n_args > 1) {
        cli_say(c, "none of the %zu sources can be used", c->n_args);
    }
    const char *message = "none of the sources can be used";
    if (c->n_args == 1) {
        message = json_string_value(
            json_object_get(json_array_get(s->errors, 0), "message"));
    }
    if (c->o.json) {
        json_t *o = front_json_failure(status, message);
        json_object_set_new(o, "torrents", json_array());
        json_object_set(o, "source_errors", s->errors);
        front_json_print(c->out, o);
    } else if (c->o.ndjson) {
        front_json_line(c->out, front_json_failure_event(status, message));
    }
    return status;
}
