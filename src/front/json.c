/* JSON for programs. */
#include "front/json.h"

#include "base/num.h"
#include "front/format.h"
#include "front/text.h"

/* A string; bytes that are not UTF-8 become U+FFFD. */
json_t *front_json_text(const char *s)
{
    if (s == NULL) {
        return json_null();
    }
    json_t *j = json_string(s);
    if (j != NULL) {
        return j;
    }
    struct front_text mended = {0};
    uint32_t cp = 0;
    for (size_t n = 0; *s != '\0'; s += n) {
        n = front_text_decode(s, &cp);
        if (cp == 0xFFFD) {
            front_text_puts(&mended, "\xEF\xBF\xBD");
        } else {
            front_text_add(&mended, s, n);
        }
    }
    j = json_string(front_text_str(&mended));
    front_text_free(&mended);
    return j;
}

/* A number; JSON integers end at 2^63. */
json_t *front_json_uint(uint64_t n)
{
    return json_integer((json_int_t)num_min_u64(n, INT64_MAX));
}

/* A number that may be unknown. */
json_t *front_json_known(int64_t n)
{
    if (n < 0) {
        return json_null();
    }
    return json_integer(n);
}

/* The number of a torrent or of a process, when there is one. */
json_t *front_json_id(int64_t n)
{
    if (n == 0) {
        return json_null();
    }
    return json_integer(n);
}

/* Yes, no, or less than 0: not known. */
static json_t *front_json_flag(int flag)
{
    if (flag < 0) {
        return json_null();
    }
    return json_boolean(flag);
}

/* A row of a view. */
json_t *front_json_row(const struct btc_value *v, size_t n)
{
    json_t *row = json_object();

    for (size_t i = 0; i < n; i++) {
        json_t *value = NULL;
        switch (v[i].type) {
        case BTC_NULL:
            value = json_null();
            break;
        case BTC_INT:
            value = json_integer(v[i].i);
            break;
        case BTC_REAL:
            value = json_real(v[i].real);
            break;
        case BTC_TEXT:
            value = front_json_text(v[i].text);
            break;
        }
        json_object_set_new(row, v[i].column, value);
    }
    return row;
}

/* Live facts under the names of the view `progress`. */
json_t *front_json_progress(const struct btc_progress *p)
{
    json_t *o = json_object();
    uint64_t left = num_sub_u64(p->bytes_total, p->bytes_done);
    unsigned permille = front_format_permille(p->bytes_done, p->bytes_total);

    if (p->bytes_total == 0 && p->piece_length > 0) {
        permille = 1000; /* nothing that is wanted has bytes */
    }
    json_object_set_new(o, "id", json_integer(p->id));
    json_object_set_new(o, "info_hash", front_json_text(p->info_hash));
    json_object_set_new(o, "name", front_json_text(p->name));
    json_object_set_new(o, "state", front_json_text(btc_state_name(p->state)));
    json_object_set_new(o, "percent", json_real(permille / 10.0));
    json_object_set_new(o, "bytes_done", front_json_uint(p->bytes_done));
    json_object_set_new(o, "bytes_total", front_json_uint(p->bytes_total));
    json_object_set_new(o, "bytes_left", front_json_uint(left));
    json_object_set_new(o, "pieces_done", json_integer(p->pieces_done));
    json_object_set_new(o, "pieces_total", json_integer(p->pieces_total));
    json_object_set_new(o, "pieces_checking", json_integer(p->pieces_checking));
    json_object_set_new(o, "down_rate", front_json_uint(p->down_rate));
    json_object_set_new(o, "up_rate", front_json_uint(p->up_rate));
    json_object_set_new(o, "eta_s", front_json_known(p->eta_s));
    json_object_set_new(o, "peers", json_integer(p->peers));
    json_object_set_new(o, "seeds", json_integer(p->seeds));
    json_object_set_new(o, "downloaded", front_json_uint(p->downloaded));
    json_object_set_new(o, "uploaded", front_json_uint(p->uploaded));
    json_object_set_new(o, "wasted", front_json_uint(p->wasted));
    json_object_set_new(o, "ratio", json_real(p->ratio));
    json_object_set_new(o, "error", front_json_text(p->error));
    json_object_set_new(o, "save_path", front_json_text(p->save_path));
    return o;
}

/* Trackers as tiers: [[url, ...], ...]. */
static json_t *front_json_tiers(const struct btc_source_info *i)
{
    json_t *tiers = json_array();
    json_t *tier = NULL; /* borrows */

    for (size_t n = 0; n < i->n_trackers; n++) {
        if (tier == NULL || i->trackers[n].tier != i->trackers[n - 1].tier) {
            json_array_append_new(tiers, json_array());
            tier = json_array_get(tiers, json_array_size(tiers) - 1);
        }
        json_array_append_new(tier, front_json_text(i->trackers[n].url));
    }
    return tiers;
}

/* A list of strings. */
static json_t *front_json_texts(const char *const *items, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, front_json_text(items[i]));
    }
    return list;
}

/* The files of a torrent. */
static json_t *front_json_files(const struct btc_source_info *i)
{
    json_t *files = json_array();

    for (size_t n = 0; n < i->n_files; n++) {
        json_t *file = json_object();
        json_object_set_new(file, "path", front_json_text(i->files[n].path));
        json_object_set_new(file, "length",
                            front_json_uint(i->files[n].length));
        json_object_set_new(file, "pad", json_boolean(i->files[n].pad));
        json_array_append_new(files, file);
    }
    return files;
}

/* The URLs that are not used: [{"url": ..., "why": ...}]. */
static json_t *front_json_left_out(const struct btc_source_info *i)
{
    json_t *list = json_array();

    for (size_t n = 0; n < i->n_left_out; n++) {
        json_t *o = json_object();
        json_object_set_new(o, "url", front_json_text(i->left_out[n].text));
        json_object_set_new(o, "why", front_json_text(i->left_out[n].why));
        json_array_append_new(list, o);
    }
    return list;
}

/* What `btc info --json` shows. */
json_t *front_json_info(const struct btc_source_info *i)
{
    json_t *o = front_json_object();
    json_t *select_only = json_array();

    for (size_t n = 0; n < i->n_select_only; n++) {
        json_array_append_new(select_only, json_integer(i->select_only[n]));
    }
    json_object_set_new(o, "name", front_json_text(i->name));
    json_object_set_new(o, "info_hash_v1", front_json_text(i->info_hash_v1));
    json_object_set_new(o, "info_hash_v2", front_json_text(i->info_hash_v2));
    json_object_set_new(o, "total_size", front_json_known(i->total_size));
    json_object_set_new(o, "piece_length", front_json_known(i->piece_length));
    json_object_set_new(o, "piece_count", front_json_known(i->piece_count));
    json_object_set_new(o, "private", front_json_flag(i->is_private));
    json_object_set_new(o, "comment", front_json_text(i->comment));
    json_object_set_new(o, "created_by", front_json_text(i->created_by));
    json_object_set_new(o, "creation_date", front_json_known(i->creation_date));
    json_object_set_new(o, "files", front_json_files(i));
    json_object_set_new(o, "trackers", front_json_tiers(i));
    json_object_set_new(o, "web_seeds",
                        front_json_texts(i->web_seeds, i->n_web_seeds));
    json_object_set_new(o, "peers", front_json_texts(i->peers, i->n_peers));
    json_object_set_new(o, "select_only", select_only);
    json_object_set_new(o, "left_out", front_json_left_out(i));
    return o;
}

/* What failed. */
json_t *front_json_error(int status, const char *message)
{
    json_t *o = json_object();
    const char *text = message;
    if (message == NULL || *message == '\0') {
        text = btc_status_text(status);
    }

    json_object_set_new(o, "status", json_integer(status));
    json_object_set_new(o, "message", front_json_text(text));
    json_object_set_new(o, "retryable",
                        json_boolean(btc_status_is_retryable(status)));
    return o;
}

/* The object of a command that failed. */
json_t *front_json_failure(int status, const char *message)
{
    json_t *o = front_json_object();

    json_object_set_new(o, "status", json_integer(status));
    json_object_set_new(o, "retryable",
                        json_boolean(btc_status_is_retryable(status)));
    json_object_set_new(o, "error", front_json_error(status, message));
    return o;
}

/* The event of a command that failed. */
json_t *front_json_failure_event(int status, const char *message)
{
    json_t *o = json_object();
    json_t *error = front_json_error(status, message);

    json_object_set_new(o, "event", json_string("error"));
    json_object_update(o, error);
    json_decref(error);
    return o;
}

/* The name of an event; NULL for those that are not streamed. */
static const char *front_json_event_name(enum btc_event_type type)
{
    switch (type) {
    case BTC_EVENT_ADDED:
        return "added";
    case BTC_EVENT_METADATA:
        return "metadata";
    case BTC_EVENT_CHECKING:
        return "checking";
    case BTC_EVENT_PIECE:
        return "piece";
    case BTC_EVENT_FILE:
        return "file";
    case BTC_EVENT_STATS:
        return "stats";
    case BTC_EVENT_STATE:
        return "state";
    case BTC_EVENT_DONE:
        return "done";
    case BTC_EVENT_ERROR:
        return "error";
    case BTC_EVENT_RELOAD:
        return NULL;
    }
    return NULL;
}

/* The rest of an event, by its kind. */
static void front_json_event_fill(json_t *o, const struct btc_event *ev)
{
    json_t *part = NULL;

    if (ev->type == BTC_EVENT_STATS) {
        part = json_array();
        for (size_t i = 0; i < ev->n; i++) {
            json_array_append_new(part, front_json_progress(&ev->progress[i]));
        }
        json_object_set_new(o, "torrents", part);
        return;
    }
    json_object_set_new(o, "id", front_json_id(ev->id));
    if (ev->type == BTC_EVENT_PIECE) {
        json_object_set_new(o, "piece", json_integer(ev->piece));
    } else if (ev->type == BTC_EVENT_FILE) {
        json_object_set_new(o, "file", json_integer(ev->file));
        json_object_set_new(o, "path", front_json_text(ev->text));
    } else if (ev->type == BTC_EVENT_ERROR) {
        part = front_json_error(ev->status, ev->text);
    } else if (ev->n > 0) {
        part = front_json_progress(&ev->progress[0]);
    }
    if (part != NULL) {
        json_object_update(o, part);
        json_decref(part);
    }
}

/* An event; NULL for one that is not streamed. */
json_t *front_json_event(const struct btc_event *ev)
{
    const char *name = front_json_event_name(ev->type);

    if (name == NULL) {
        return NULL;
    }
    json_t *o = json_object();
    json_object_set_new(o, "event", json_string(name));
    json_object_set_new(o, "at", json_integer(ev->at));
    front_json_event_fill(o, ev);
    return o;
}

/* The beginning of every command's object. */
json_t *front_json_object(void)
{
    json_t *o = json_object();

    json_object_set_new(o, "schema", json_string("btc/1"));
    return o;
}

/* Prints an object to be read by people, too. */
void front_json_print(FILE *f, json_t *j)
{
    json_dumpf(j, f, JSON_INDENT(2) | FRONT_JSON_DIGITS);
    fputc('\n', f);
    json_decref(j);
}

/* Prints an object as a line, at once. */
void front_json_line(FILE *f, json_t *j)
{
    if (j == NULL) {
        return;
    }
    json_dumpf(j, f, JSON_COMPACT | FRONT_JSON_DIGITS);
    fputc('\n', f);
    fflush(f);
    json_decref(j);
}
