/* get and add with --dry-run: what they would do, as the database stands. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/rows.h"
#include "cli/sources.h"
#include "front/format.h"

/* What one source would come to. */
struct cli_dry {
    const struct btc_source_info *info; /* borrows */
    struct cli_rows *row; /* owns; of `progress` when it is known, else NULL */
    bool *wanted;         /* owns; per file, pads never */
    uint64_t bytes;       /* to fetch */
};

/* Whether files were chosen: that counts for a known torrent, too. */
static bool cli_dry_chooses(const struct cli *c)
{
    return c->o.select != NULL || c->o.exclude != NULL;
}

/* Frees. */
static void cli_dry_fini(struct cli_dry *d)
{
    cli_rows_free(d->row);
    free(d->wanted);
}

/* The row of a torrent that the database knows. */
static struct cli_rows *cli_dry_row(struct btc *b,
                                    const struct btc_source_info *info)
{
    const char *hash = front_text_or(info->info_hash_v1, info->info_hash_v2);
    int64_t id = 0;

    if (b == NULL || hash == NULL || btc_find(b, hash, &id, NULL) != 0) {
        return NULL;
    }
    return cli_rows_load(b, "progress", id, 0, NULL);
}

/* What a known torrent still has to fetch. */
static int cli_dry_left(struct cli *c, struct btc *b, struct cli_dry *d,
                        struct btc_error *e)
{
    int64_t left = cli_rows_int(d->row, 0, "bytes_left", 0);

    if (!cli_dry_chooses(c)) {
        d->bytes = 0;
        if (left > 0) {
            d->bytes = (uint64_t)left;
        }
        return 0;
    }
    struct cli_rows *files = cli_rows_load(
        b, "file_progress", cli_rows_int(d->row, 0, "id", 0), 0, e);
    if (files == NULL) {
        return e->status;
    }
    for (size_t i = 0; i < cli_rows_count(files); i++) {
        int64_t file = cli_rows_int(files, i, "file", -1);
        int64_t done = cli_rows_int(files, i, "bytes_done", 0);
        if (file >= 0 && (size_t)file < d->info->n_files && d->wanted[file]) {
            d->bytes -= (uint64_t)done;
        }
    }
    cli_rows_free(files);
    return 0;
}

/* What the command itself would refuse. */
static int cli_dry_refuse(const struct cli *c, struct btc *b,
                          const struct btc_source *source, struct btc_error *e)
{
    const struct btc_add_options o = cli_sources_options(c, "none");

    return btc_add_check(b, source, &o, e);
}

/* Looks what one source would come to; 0 or the exit status, `e` filled. */
static int cli_dry_look(struct cli *c, struct btc *b,
                        const struct btc_source *source, struct cli_dry *d,
                        struct btc_error *e)
{
    const struct btc_source_info *info = btc_source_info(source);

    *d = (struct cli_dry){.info = info, .row = cli_dry_row(b, info)};
    int status = cli_dry_refuse(c, b, source, e);
    if (status != 0 || info->n_files == 0) {
        return status;
    }
    d->wanted = mem_calloc(info->n_files, sizeof(*d->wanted));
    status = btc_source_select(source, c->o.select, c->o.exclude, d->wanted, e);
    for (size_t i = 0; status == 0 && i < info->n_files; i++) {
        if (d->wanted[i]) {
            d->bytes += info->files[i].length;
        }
    }
    if (status == 0 && d->row != NULL) {
        status = cli_dry_left(c, b, d, e);
    }
    return status;
}

/* The files of one source as a table. */
static void cli_dry_table(struct cli *c, const struct cli_dry *d)
{
    static const struct front_column columns[] = {
        {.title = "#", .right = true},
        {.title = "FETCH"},
        {.title = "SIZE", .right = true},
        {.title = "PATH", .min = 20, .end = true}};
    struct front_table *t = front_table_new(columns, 4);
    char buf[FRONT_FORMAT_MAX];

    for (size_t i = 0; i < d->info->n_files; i++) {
        const struct btc_file_info *file = &d->info->files[i];
        if (!file->pad) {
            snprintf(buf, sizeof(buf), "%zu", i + 1);
            front_table_cell(t, buf);
            front_table_cell(t, d->wanted[i] ? "yes" : "no");
            front_table_cell(t, front_format_size(buf, file->length));
            front_table_cell(t, file->path);
        }
    }
    front_table_print(t, &c->out_screen, c->out);
    front_table_free(t);
}

/* A torrent that is known, for people: it stays where it is. */
static void cli_dry_known(struct cli *c, const struct cli_dry *d)
{
    char buf[FRONT_FORMAT_MAX];
    struct front_text line = {0};
    const char *name = cli_rows_text(d->row, 0, "name");
    const char *place = cli_rows_text(d->row, 0, "save_path");

    front_text_printf(&line, "would go on with torrent %lld (",
                      (long long)cli_rows_int(d->row, 0, "id", 0));
    front_text_clean(&line, front_text_or(name, "?"), c->out_screen.utf8);
    front_text_puts(&line, ") in ");
    front_text_clean(&line, front_text_or(place, "?"), c->out_screen.utf8);
    fprintf(c->out, "%s\n", front_text_str(&line));
    front_text_free(&line);
    if (cli_dry_chooses(c)) {
        cli_dry_table(c, d);
    }
    fprintf(c->out, "%s to fetch\n", front_format_size(buf, d->bytes));
}

/* The folder that is meant, in full where it is there. */
static const char *cli_dry_place(const struct cli *c, char full[PATH_MAX])
{
    const char *dir = front_text_or(c->o.dir, ".");

    if (realpath(dir, full) != NULL) {
        return full;
    }
    return dir;
}

/* A new torrent for people. */
static void cli_dry_new(struct cli *c, const struct cli_dry *d)
{
    char buf[FRONT_FORMAT_MAX];
    char full[PATH_MAX];
    struct front_text line = {0};
    const char *name = front_text_or(c->o.out, d->info->name);

    front_text_puts(&line, "would download ");
    front_text_clean(&line, front_text_or(name, "a torrent without a name yet"),
                     c->out_screen.utf8);
    front_text_puts(&line, " into ");
    front_text_clean(&line, cli_dry_place(c, full), c->out_screen.utf8);
    fprintf(c->out, "%s\n", front_text_str(&line));
    front_text_free(&line);
    if (d->info->n_files == 0) {
        fputs("its files are not known before a peer has told them\n", c->out);
        return;
    }
    cli_dry_table(c, d);
    fprintf(c->out, "%s to fetch\n", front_format_size(buf, d->bytes));
}

/* One source for programs. */
static json_t *cli_dry_object(struct cli *c, const struct cli_dry *d)
{
    json_t *o = front_json_info(d->info);
    json_t *files = json_object_get(o, "files");
    char full[PATH_MAX];
    bool known = d->row != NULL;

    for (size_t i = 0; i < d->info->n_files; i++) {
        json_object_set_new(json_array_get(files, i), "wanted",
                            json_boolean(d->wanted[i]));
    }
    int64_t id = -1;
    const char *place = NULL;
    if (known) {
        id = cli_rows_int(d->row, 0, "id", -1);
        place = cli_rows_text(d->row, 0, "save_path");
    } else {
        place = cli_dry_place(c, full);
    }
    json_object_set_new(o, "id", front_json_known(id));
    json_object_set_new(o, "save_path", front_json_text(place));
    bool sized = known || d->info->n_files > 0;
    json_object_set_new(o, "bytes_left",
                        sized ? front_json_uint(d->bytes) : json_null());
    return o;
}

/* The objects of all sources. */
static void cli_dry_print(struct cli *c, const struct cli_sources *s,
                          json_t *list)
{
    json_t *o = front_json_object();

    json_object_set(o, "would_add", list);
    if (json_array_size(s->errors) > 0) {
        json_object_set(o, "source_errors", s->errors);
    }
    if (c->o.json) {
        front_json_print(c->out, o);
    } else {
        front_json_line(c->out, o);
    }
}

/* One source: shown, appended to `list`, or a failure. */
static void cli_dry_source(struct cli *c, struct btc *b, struct cli_sources *s,
                           size_t i, json_t *list)
{
    struct cli_dry d;
    struct btc_error e = {0};

    if (cli_dry_look(c, b, s->items[i].source, &d, &e) != 0) {
        cli_sources_note(c, s, s->items[i].word, &e);
    } else if (c->o.json || c->o.ndjson) {
        json_array_append_new(list, cli_dry_object(c, &d));
    } else if (d.row != NULL) {
        cli_dry_known(c, &d);
    } else {
        cli_dry_new(c, &d);
    }
    cli_dry_fini(&d);
}

/* The database, when there is one; 0 or the exit status. */
static int cli_dry_open(struct cli *c, struct btc **b)
{
    struct btc_error e = {0};

    if (btc_open(c->o.db, BTC_OPEN_READ_ONLY, b, &e) == 0) {
        return 0;
    }
    *b = NULL;
    if (e.status == BTC_STATUS_NOT_FOUND) {
        return 0;
    }
    return cli_fail(c, &e);
}

int cli_sources_show(struct cli *c, struct cli_sources *s)
{
    struct btc *b = NULL;
    int status = cli_dry_open(c, &b);

    if (status != 0) {
        return status;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < s->n; i++) {
        cli_dry_source(c, b, s, i, list);
    }
    cli_sources_tell_same(c, s);
    if (c->o.json || c->o.ndjson) {
        cli_dry_print(c, s, list);
    }
    json_decref(list);
    btc_close(b);
    return cli_sources_status(c, s);
}
