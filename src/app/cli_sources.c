/* The sources of get and add. */
#include "cli_sources.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cli_format.h"
#include "cli_mem.h"
#include "cli_table.h"

/* Notes a failure and says it. */
static void cli_sources_note(struct cli *c, struct cli_sources *s,
                             const char *word, const struct btc_error *e)
{
    int status = e->status == 0 ? BTC_STATUS_OTHER : e->status;
    json_t *o = cli_json_error(status, e->message);

    s->status = s->n_failed++ == 0 ? status : s->status;
    json_object_set_new(o, "source", cli_json_text(word));
    json_array_append_new(s->errors, o);
    cli_say_error(c, e);
}

/* Loads all. */
void cli_sources_load(struct cli *c, struct cli_sources *s)
{
    *s = (struct cli_sources){0};
    s->items = cli_mem_new(c->n_args, sizeof(*s->items));
    s->errors = json_array();
    for (size_t i = 0; i < c->n_args; i++) {
        struct btc_error e = {0};
        struct cli_source *item = &s->items[s->n];
        *item = (struct cli_source){.word = c->args[i]};
        if (btc_source_load(c->args[i], 0, &item->source, &e) == 0) {
            s->n++;
        } else {
            item->source = NULL;
            cli_sources_note(c, s, c->args[i], &e);
        }
    }
}

/* Adds all. */
void cli_sources_add(struct cli *c, struct btc *b,
                     const struct btc_add_options *o, struct cli_sources *s)
{
    size_t left = 0;

    for (size_t i = 0; i < s->n; i++) {
        struct cli_source item = s->items[i];
        struct btc_error e = {0};
        if (btc_add(b, item.source, o, &item.id, &item.known, &e) == 0) {
            s->items[left++] = item;
        } else {
            cli_sources_note(c, s, item.word, &e);
            btc_source_free(item.source);
        }
    }
    s->n = left;
}

/* Frees. */
void cli_sources_fini(struct cli_sources *s)
{
    for (size_t i = 0; i < s->n; i++) {
        btc_source_free(s->items[i].source);
    }
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
    return c->n_args == 1 ? s->status : BTC_STATUS_SOME;
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
        json_t *o = cli_json_failure(status, message);
        json_object_set_new(o, "torrents", json_array());
        json_object_set(o, "source_errors", s->errors);
        cli_json_print(c->out, o);
    } else if (c->o.ndjson) {
        cli_json_line(c->out, cli_json_failure_event(status, message));
    }
    return status;
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
                                    .seed = o->seed != NULL ? o->seed : seed,
                                    .label = o->label,
                                    .sequential = o->sequential,
                                    .paused = o->paused,
                                    .alloc_full = o->alloc == 1,
                                    .accept_loss = o->accept_loss,
                                    .max_peers = (uint32_t)o->max_peers,
                                    .peers = o->peers.items,
                                    .n_peers = o->peers.n};
}

/* Whether file number `n` stands in "1,3-5". */
static bool cli_sources_in_list(const char *list, size_t n)
{
    while (*list != '\0') {
        uint64_t from = 0;
        uint64_t to = 0;
        while (*list >= '0' && *list <= '9' && from < UINT32_MAX) {
            from = from * 10 + (uint64_t)(*list++ - '0');
        }
        to = from;
        if (*list == '-') {
            list++;
            to = *list >= '0' && *list <= '9' ? 0 : UINT64_MAX;
            while (*list >= '0' && *list <= '9' && to < UINT32_MAX) {
                to = to * 10 + (uint64_t)(*list++ - '0');
            }
        }
        if (n >= from && n <= to) {
            return true;
        }
        list += strcspn(list, ",");
        list += *list == ',' ? 1 : 0;
    }
    return false;
}

/* Whether a file is meant by --select or --exclude. */
static bool cli_sources_matches(const char *what, const char *path, size_t n)
{
    const char *name = strrchr(path, '/');

    if (what[strspn(what, "0123456789,-")] == '\0') {
        return cli_sources_in_list(what, n);
    }
    return fnmatch(what, path, FNM_CASEFOLD) == 0 ||
           (name != NULL && fnmatch(what, name + 1, FNM_CASEFOLD) == 0);
}

/* Whether a file would be fetched. */
static bool cli_sources_wants(const struct cli *c,
                              const struct btc_file_info *file, size_t n)
{
    if (file->pad || (c->o.select != NULL &&
                      !cli_sources_matches(c->o.select, file->path, n))) {
        return false;
    }
    return c->o.exclude == NULL ||
           !cli_sources_matches(c->o.exclude, file->path, n);
}

/* The files of one source as a table; gives the bytes that would be fetched. */
static uint64_t cli_sources_table(struct cli *c,
                                  const struct btc_source_info *info)
{
    static const struct cli_column columns[] = {
        {.title = "#", .right = true},
        {.title = "FETCH"},
        {.title = "SIZE", .right = true},
        {.title = "PATH", .min = 8}};
    struct cli_table *t = cli_table_new(columns, 4);
    char buf[CLI_FORMAT_MAX];
    uint64_t bytes = 0;

    for (size_t i = 0; i < info->n_files; i++) {
        const struct btc_file_info *file = &info->files[i];
        bool wanted = cli_sources_wants(c, file, i + 1);
        bytes += wanted ? file->length : 0;
        if (!file->pad) {
            snprintf(buf, sizeof(buf), "%zu", i + 1);
            cli_table_cell(t, buf);
            cli_table_cell(t, wanted ? "yes" : "no");
            cli_table_cell(t, cli_format_size(buf, file->length));
            cli_table_cell(t, file->path);
        }
    }
    cli_table_print(t, &c->out_screen, c->out);
    cli_table_free(t);
    return bytes;
}

/* One source for people. */
static void cli_sources_show_one(struct cli *c,
                                 const struct btc_source_info *info)
{
    char buf[CLI_FORMAT_MAX];
    struct cli_text line = {0};
    const char *name = c->o.out != NULL ? c->o.out : info->name;

    cli_text_puts(&line, "would download ");
    cli_text_clean(&line, name != NULL ? name : "a torrent without a name yet",
                   c->out_screen.utf8);
    cli_text_puts(&line, " into ");
    cli_text_clean(&line, c->o.dir != NULL ? c->o.dir : "the current folder",
                   c->out_screen.utf8);
    fprintf(c->out, "%s\n", cli_text_str(&line));
    cli_text_free(&line);
    if (info->n_files == 0) {
        fputs("its files are not known before a peer has told them\n", c->out);
        return;
    }
    uint64_t bytes = cli_sources_table(c, info);
    fprintf(c->out, "%s to fetch\n", cli_format_size(buf, bytes));
}

/* One source for programs. */
static json_t *cli_sources_object(struct cli *c,
                                  const struct btc_source_info *info)
{
    json_t *o = cli_json_info(info);
    json_t *files = json_object_get(o, "files");

    for (size_t i = 0; i < info->n_files; i++) {
        json_object_set_new(
            json_array_get(files, i), "wanted",
            json_boolean(cli_sources_wants(c, &info->files[i], i + 1)));
    }
    json_object_set_new(o, "save_path", cli_json_text(c->o.dir));
    return o;
}

/* What would be done. */
int cli_sources_show(struct cli *c, const struct cli_sources *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->n; i++) {
        const struct btc_source_info *info =
            btc_source_info(s->items[i].source);
        if (c->o.json || c->o.ndjson) {
            json_array_append_new(list, cli_sources_object(c, info));
        } else {
            cli_sources_show_one(c, info);
        }
    }
    if (c->o.json || c->o.ndjson) {
        json_t *o = cli_json_object();
        json_object_set(o, "would_add", list);
        if (json_array_size(s->errors) > 0) {
            json_object_set(o, "source_errors", s->errors);
        }
        if (c->o.json) {
            cli_json_print(c->out, o);
        } else {
            cli_json_line(c->out, o);
        }
    }
    json_decref(list);
    return cli_sources_status(c, s);
}

/* See cli_sources.h. */
int cli_sources_run(struct cli *c,
                    int (*use)(struct cli *c, struct cli_sources *s))
{
    struct cli_sources s;
    int status = 0;

    if (c->o.out != NULL && c->n_args > 1) {
        return cli_fail_text(c, BTC_STATUS_USAGE,
                             "--out names one download, here are %zu sources; "
                             "give them one by one",
                             c->n_args);
    }
    cli_sources_load(c, &s);
    if (s.n == 0) {
        status = cli_sources_fail(c, &s);
    } else if (c->o.dry_run) {
        status = cli_sources_show(c, &s);
    } else {
        status = use(c, &s);
    }
    cli_sources_fini(&s);
    return status;
}
