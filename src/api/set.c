/* Wishes about a torrent that is known; see btc_set in btc.h. A value is
 * checked here where people write it in another form than the column holds, and
 * by the schema's guards in any case.
 */
#include "api/api.h"

#include "base/mem.h"
#include "journal/find.h"
#include "journal/load.h"
#include "journal/magnet.h"
#include "model/names.h"
#include "model/seed_goal.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define API_PRIORITY_NORMAL 4

/* What a setter works on. */
struct api_set {
    struct journal *db;
    int64_t id;
    const char *key;
    const char *value;
    bool check; /* only whether it could be set: nothing is written */
};

/* USAGE with the value and what was expected. */
static int api_set_bad(const struct api_set *s, const char *expected,
                       struct err *e)
{
    return err_set(e, BTC_E_USAGE, "%.60s takes %s, not '%.200s'", s->key,
                   expected, s->value);
}

/* The wish itself. */
static int api_set_put(const struct api_set *s, const char *column,
                       const char *value, struct err *e)
{
    if (s->check) {
        return 0;
    }
    return journal_set_wish(s->db, s->id, column, value, e);
}

/* A wish that is a number. */
static int api_set_number(const struct api_set *s, const char *column,
                          int64_t number, struct err *e)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    return api_set_put(s, column, text, e);
}

/* down, up. */
static int api_set_rate(const struct api_set *s, struct err *e)
{
    uint64_t rate;
    if (!bytes_parse_size(slice_str(s->value), &rate) || rate > INT64_MAX) {
        return api_set_bad(s, "bytes per second (500K, 2M; 0 = no limit)", e);
    }
    return api_set_number(s, s->key[0] == 'd' ? "down_limit" : "up_limit",
                          (int64_t)rate, e);
}

/* max-peers. */
static int api_set_max_peers(const struct api_set *s, struct err *e)
{
    uint64_t n;
    if (!bytes_parse_u64(slice_str(s->value), &n) || n > UINT16_MAX) {
        return api_set_bad(s, "a number up to 65535 (0 = the default)", e);
    }
    return api_set_number(s, "max_peers", (int64_t)n, e);
}

/* sequential, accept-loss, overwrite. */
static int api_set_bool(const struct api_set *s, struct err *e)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    const char *column = "accept_loss";
    if (s->key[0] != 'a') {
        column = s->key;
    }
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        if (strcasecmp(s->value, yes[i]) == 0) {
            return api_set_put(s, column, "1", e);
        }
        if (strcasecmp(s->value, no[i]) == 0) {
            return api_set_put(s, column, "0", e);
        }
    }
    return api_set_bad(s, "true or false", e);
}

/* seed. The goal goes first: without its mode it says nothing. */
static int api_set_seed(const struct api_set *s, struct err *e)
{
    struct seed_goal goal;
    int code = seed_goal_parse(s->value, &goal, e);
    if (code == 0) {
        code = api_set_number(s, "seed_goal", goal.value, e);
    }
    if (code == 0) {
        code = api_set_put(s, "seed_mode", seed_mode_name(goal.mode), e);
    }
    return code;
}

/* label. */
static int api_set_label(const struct api_set *s, struct err *e)
{
    return api_set_put(s, "label", s->value, e);
}

/* verify=now: everything verified until now is hashed again. */
static int api_set_verify(const struct api_set *s, struct err *e)
{
    char since[24];
    if (strcmp(s->value, "now") != 0) {
        return err_set(e, BTC_E_USAGE, "verify=%s: the only value is 'now'",
                       s->value);
    }
    (void)snprintf(since, sizeof(since), "%lld",
                   (long long)journal_since_now(loop_unix_now()));
    return api_set_put(s, "verify_since", since, e);
}

/* select, exclude of a magnet: they count when its files are known. */
static int api_set_magnet(const struct api_set *s, struct err *e)
{
    const char *column = s->key[0] == 's' ? "selected" : "excluded";
    if (s->check) {
        return 0;
    }
    return journal_set_magnet(s->db, s->id, column, s->value, e);
}

/* The choice into priorities: what comes in anew becomes normal, what stays
 * keeps its own. */
static int api_set_choose(const struct api_set *s, struct journal_file *files,
                          size_t n, struct err *e)
{
    bool select = s->key[0] == 's';
    struct choose_file *choice = mem_calloc(n, sizeof(*choice));
    uint8_t *priority = mem_calloc(n, 1);
    for (size_t i = 0; i < n; i++) {
        choice[i] = (struct choose_file){.path = files[i].path,
                                         .pad = files[i].pad,
                                         .wanted = select ||
                                                   files[i].state.priority > 0};
    }
    int code = choose_files(choice, n, select ? s->value : NULL,
                            select ? NULL : s->value, e);
    for (size_t i = 0; i < n; i++) {
        uint8_t old = files[i].state.priority;
        uint8_t on = API_PRIORITY_NORMAL;
        if (old > 0) {
            on = old;
        }
        if (choice[i].wanted) {
            priority[i] = on;
        } else {
            priority[i] = 0;
        }
    }
    if (code == 0 && !s->check) {
        code = journal_set_priorities(s->db, s->id, priority, (uint32_t)n, e);
    }
    free(choice);
    free(priority);
    return code;
}

/* select, exclude. */
static int api_set_select(const struct api_set *s, struct err *e)
{
    struct journal_file *files = NULL;
    size_t n = 0;
    int code = journal_load_files(s->db, s->id, &files, &n, e);
    if (code == 0 && n == 0) {
        code = api_set_magnet(s, e);
    } else if (code == 0) {
        code = api_set_choose(s, files, n, e);
    }
    journal_files_free(files, n);
    return code;
}

/* off, low, normal, high or 0..7. */
static bool api_parse_priority(const char *text, uint8_t *out)
{
    static const struct {
        const char *name;
        uint8_t priority;
    } names[] = {{"off", 0}, {"low", 1}, {"normal", 4}, {"high", 7}};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcasecmp(text, names[i].name) == 0) {
            *out = names[i].priority;
            return true;
        }
    }
    uint64_t n;
    if (!bytes_parse_u64(slice_str(text), &n) || n > 7) {
        return false;
    }
    *out = (uint8_t)n;
    return true;
}

/* priority.N of a magnet. */
static int api_set_magnet_file(const struct api_set *s, uint32_t file,
                               uint8_t priority, struct err *e)
{
    if (s->check) {
        return 0;
    }
    return journal_set_magnet_priority(s->db, s->id, file, priority, e);
}

/* priority.N. */
static int api_set_priority(const struct api_set *s, struct err *e)
{
    struct journal_file *files = NULL;
    size_t n = 0;
    uint64_t number;
    uint8_t priority;
    const char *text = s->key + strlen("priority.");
    if (!bytes_parse_u64(slice_str(text), &number)) {
        return err_set(e, BTC_E_USAGE,
                       "'%.100s' names no file: write priority.N with a number "
                       "of `btc files`",
                       s->key);
    }
    if (!api_parse_priority(s->value, &priority)) {
        return api_set_bad(s, "off, low, normal, high or 0 to 7", e);
    }
    int code = journal_load_files(s->db, s->id, &files, &n, e);
    if (code == 0 && n == 0 && number >= 1 && number <= METAINFO_MAX_FILES) {
        code = api_set_magnet_file(s, (uint32_t)(number - 1), priority, e);
    } else if (code == 0 &&
               (number < 1 || number > n || files[number - 1].pad)) {
        code = err_set(e, BTC_E_NOTFOUND,
                       "torrent %lld has no file %llu: `btc files %lld` lists "
                       "them",
                       (long long)s->id, (unsigned long long)number,
                       (long long)s->id);
    }
    if (code == 0 && n > 0 && !s->check) {
        code = journal_set_file_priority(s->db, s->id, (uint32_t)(number - 1),
                                         priority, e);
    }
    journal_files_free(files, n);
    return code;
}

/* peer. */
static int api_set_peer(const struct api_set *s, struct err *e)
{
    struct api_peers peers = {0};
    int code = api_peers_add(&peers, s->value, e);
    if (code == 0 && !s->check) {
        struct journal_add add = {.peers = peers.p, .n_peers = peers.n};
        code = journal_add_sources(s->db, s->id, &add, e);
    }
    free(peers.p);
    return code;
}

/* tracker: a tier of its own behind the others. */
static int api_set_tracker(const struct api_set *s, struct err *e)
{
    static const char *const schemes[] = {"http://", "https://", "udp://"};
    struct journal_tracker *rows = NULL;
    size_t n = 0;
    bool good = false;
    const char *why = NULL;
    char *url = url_tidy(slice_str(s->value), &why);
    for (size_t i = 0; url && i < sizeof(schemes) / sizeof(*schemes); i++) {
        size_t len = strlen(schemes[i]);
        good = good ||
               (strncasecmp(url, schemes[i], len) == 0 && url[len] != '\0');
    }
    if (!good) {
        free(url);
        return api_set_bad(s, "an http, https or udp URL", e);
    }
    int code = journal_load_trackers(s->db, s->id, &rows, &n, e);
    if (code == 0 && !s->check) {
        struct journal_tracker row = {.url = url};
        struct journal_add add = {.trackers = &row, .n_trackers = 1};
        if (n > 0) {
            row.tier = rows[n - 1].tier + 1;
        } else {
            row.tier = 0;
        }
        code = journal_add_sources(s->db, s->id, &add, e);
    }
    free(url);
    journal_trackers_free(rows, n);
    return code;
}

/* The keys with what sets them; api_keys has the same order. */
static const struct api_setter {
    const char *key; /* one that ends in '.' is a prefix */
    int (*set)(const struct api_set *s, struct err *e);
} api_setters[] = {
    {"down", api_set_rate},           {"up", api_set_rate},
    {"max-peers", api_set_max_peers}, {"sequential", api_set_bool},
    {"seed", api_set_seed},           {"label", api_set_label},
    {"select", api_set_select},       {"exclude", api_set_select},
    {"priority.", api_set_priority},  {"accept-loss", api_set_bool},
    {"overwrite", api_set_bool},      {"peer", api_set_peer},
    {"tracker", api_set_tracker},     {"verify", api_set_verify}};

static const struct btc_key api_keys[] = {
    {"down", "most bytes per second to fetch (500K, 2M; 0 = no limit)"},
    {"up", "most bytes per second to serve (0 = no limit)"},
    {"max-peers", "most connections (0 = the default)"},
    {"sequential", "fetch from front to back: true or false"},
    {"seed", "none, forever, ratio:1.5 or time:60m"},
    {"label", "any text, for sorting; empty takes it away"},
    {"select", "fetch only these files: 1,3-5 or a glob; empty = all"},
    {"exclude", "do not fetch these files: 1,3-5 or a glob"},
    {"priority.N", "of file number N: off, low, normal, high or 0 to 7"},
    {"accept-loss", "start over when the storage is gone: true or false"},
    {"overwrite", "write over files of others that are in the way: true or "
                  "false"},
    {"peer", "a peer to dial, HOST:PORT (adds)"},
    {"tracker", "a tracker's URL (adds)"},
    {"verify", "now: hash everything again, beside whatever runs"},
    {NULL, NULL}};

const struct btc_key *btc_set_keys(void)
{
    return api_keys;
}

/* What sets a key, NULL when there is no such key. */
static const struct api_setter *api_set_find(const char *key)
{
    for (size_t i = 0; i < sizeof(api_setters) / sizeof(*api_setters); i++) {
        const struct api_setter *s = &api_setters[i];
        size_t len = strlen(s->key);
        bool prefix = s->key[len - 1] == '.';
        if (prefix ? strncmp(key, s->key, len) == 0
                   : strcmp(key, s->key) == 0) {
            return s;
        }
    }
    return NULL;
}

/* USAGE with all keys. */
static int api_set_unknown(const char *key, struct err *e)
{
    char list[256] = "";
    size_t at = 0;
    for (const struct btc_key *k = api_keys; k->key; k++) {
        int n = snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "",
                         k->key);
        at += n > 0 && (size_t)n < sizeof(list) - at ? (size_t)n : 0;
    }
    return err_set(e, BTC_E_USAGE, "there is no key '%.100s', but %s", key,
                   list);
}

/* Sets or checks. */
static int api_set_run(struct btc *b, struct api_set *s, struct btc_error *e)
{
    struct err err = {0};
    const struct api_setter *setter = api_set_find(s->key);
    int code;
    if (setter) {
        code = api_db(b, &s->db, &err);
        if (code == 0) {
            code = setter->set(s, &err);
        }
    } else {
        code = api_set_unknown(s->key, &err);
    }
    return api_status(e, code, &err);
}

int btc_set(struct btc *b, int64_t id, const char *key, const char *value,
            struct btc_error *e)
{
    struct api_set s = {.id = id, .key = key, .value = value};
    return api_set_run(b, &s, e);
}

int btc_set_check(struct btc *b, int64_t id, const char *key, const char *value,
                  struct btc_error *e)
{
    struct api_set s = {.id = id, .key = key, .value = value, .check = true};
    return api_set_run(b, &s, e);
}

/* A wish of one column. */
static int api_wish(struct btc *b, int64_t id, const char *column,
                    const char *value, struct btc_error *e)
{
    struct err err = {0};
    struct journal *db;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = journal_set_wish(db, id, column, value, &err);
    }
    return api_status(e, code, &err);
}

int btc_start(struct btc *b, int64_t id, struct btc_error *e)
{
    return api_wish(b, id, "wanted", "run", e);
}

int btc_pause(struct btc *b, int64_t id, struct btc_error *e)
{
    return api_wish(b, id, "wanted", "pause", e);
}

int btc_find(struct btc *b, const char *text, int64_t *id, struct btc_error *e)
{
    struct err err = {0};
    struct journal *db;
    *id = 0;
    int code = api_db(b, &db, &err);
    if (code == 0) {
        code = journal_find(db, text, id, &err);
    }
    return api_status(e, code, &err);
}
