/* A libbtc with scripted data: no files, no network, no database. A source
 * named
 * *.torrent loads, "missing*" does not exist, "bad*" is no torrent. A run
 * fetches its torrents in `steps` equal steps. FAKE_TORRENTS=N and FAKE_STEPS=N
 * in the environment make btc-fake play N torrents slowly. */
#include "cli/fake_btc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FAKE_SIZE   3005480960ULL
#define FAKE_PIECES 1434
#define FAKE_WIDE   "\xC3\xA9t\xC3\xA9"
#define FAKE_NOW    1763798401

struct btc {
    char *path;
    atomic_int stops;
    atomic_int asked;
    struct btc_progress *now; /* of the torrent that runs, NULL = none */
    bool scratch;
};
struct btc_source {
    struct btc_source_info info;
    struct btc_file_info files[3];
    struct btc_url trackers[3];
};

static const char *const fake_names[FAKE_TORRENTS] = {
    "debian-12.5.0-amd64-DVD-1.iso", "big_buck_bunny_1080p", FAKE_WIDE,
    "a-rather-long-name-that-has-to-be-cut-somewhere-as-it-goes-on.tar.xz"};
static const char *const fake_hashes[FAKE_TORRENTS] = {
    "0123456789abcdef0123456789abcdef01234567",
    "1123456789abcdef0123456789abcdef01234567",
    "2123456789abcdef0123456789abcdef01234567",
    "3123456789abcdef0123456789abcdef01234567"};

static btc_log_fn *fake_log;
static void *fake_log_ctx;

struct fake_btc fake;

/* Notes a call. */
static void fake_call(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

static void fake_call(const char *fmt, ...)
{
    size_t len = strlen(fake.calls);
    va_list args;

    va_start(args, fmt);
    vsnprintf(fake.calls + len, sizeof(fake.calls) - len, fmt, args);
    va_end(args);
    len = strlen(fake.calls);
    snprintf(fake.calls + len, sizeof(fake.calls) - len, ";");
}

/* Fills an error. */
static int fake_fail(struct btc_error *e, int status, const char *message)
{
    if (e != NULL) {
        e->status = status;
        snprintf(e->message, sizeof(e->message), "%s", message);
    }
    return status;
}

/* The beginning. */
void fake_reset(void)
{
    fake = (struct fake_btc){.ready = true, .n_torrents = 1, .steps = 10};
    for (size_t i = 0; i < FAKE_TORRENTS; i++) {
        struct btc_progress *p = &fake.torrents[i];
        *p = (struct btc_progress){.id = (int64_t)i + 1,
                                   .name = fake_names[i],
                                   .state = BTC_STATE_DOWNLOADING,
                                   .bytes_total = FAKE_SIZE >> (2 * i),
                                   .pieces_total = FAKE_PIECES >> (2 * i),
                                   .eta_s = -1,
                                   .save_path = "/srv/downloads"};
        snprintf(p->info_hash, sizeof(p->info_hash), "%s", fake_hashes[i]);
        fake.wanted[i] = "run";
    }
}

/* btc-fake has nobody who fills the script. */
static void fake_begin(void)
{
    const char *n = getenv("FAKE_TORRENTS");
    const char *steps = getenv("FAKE_STEPS");

    if (fake.ready) {
        return;
    }
    fake_reset();
    fake.slow = true;
    fake.steps = 60;
    if (n != NULL && *n >= '0' && *n <= '4') {
        fake.n_torrents = (size_t)(*n - '0');
    }
    if (steps != NULL) {
        uint64_t count = 0;
        fake.steps = btc_parse_size(steps, &count) ? (unsigned)count : 60;
    }
}

/* --- texts ------------------------------------------------------------- */

const char *btc_status_text(int status)
{
    static const char *const texts[] = {"done",
                                        "other error",
                                        "wrong usage",
                                        "source or ID not found",
                                        "bad torrent, magnet or metadata",
                                        "stalled or time limit reached",
                                        "network or tracker unusable",
                                        "interrupted, state saved",
                                        "bad or missing pieces",
                                        "no space left",
                                        "input/output error",
                                        "storage absent",
                                        "another btc holds this database",
                                        "exists and differs, refused",
                                        "database damaged or of a newer schema",
                                        "daemon unreachable",
                                        "some of several failed"};

    return status < 0 || status > 16 ? "unknown" : texts[status];
}

bool btc_status_is_retryable(int status)
{
    return status == 5 || status == 6 || status == 7 || status == 11;
}

const char *btc_version(void)
{
    return BTC_VERSION;
}

void btc_set_log(enum btc_log_level max, btc_log_fn *fn, void *ctx)
{
    (void)max;
    fake_log = fn;
    fake_log_ctx = ctx;
}

bool btc_parse_size(const char *text, uint64_t *out)
{
    char *end = NULL;
    unsigned shift = 0;

    if (*text < '0' || *text > '9') {
        return false;
    }
    double value = strtod(text, &end);
    if (*end != '\0') {
        const char *unit = strchr("kmgt", *end | 0x20);
        if (unit == NULL || end[1] != '\0') {
            return false;
        }
        shift = 10 * (unsigned)(strchr("kmgt", *end | 0x20) - "kmgt" + 1);
    }
    *out = (uint64_t)(value * (double)(UINT64_C(1) << shift));
    return true;
}

bool btc_parse_duration_ms(const char *text, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1000},   {"s", 1000},    {"ms", 1},
                 {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end = NULL;

    if (*text < '0' || *text > '9') {
        return false;
    }
    double value = strtod(text, &end);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0) {
            *out = (uint64_t)(value * (double)units[i].ms);
            return true;
        }
    }
    return false;
}

/* --- the database -------------------------------------------------------- */

int btc_open(const char *path, unsigned flags, struct btc **out,
             struct btc_error *e)
{
    fake_begin();
    fake_call("open %u", flags);
    if (fake.open_status != 0) {
        return fake_fail(e, fake.open_status, "there is no database");
    }
    *out = calloc(1, sizeof(**out));
    (*out)->path = strdup(path == NULL ? "/home/u/btc.db" : path);
    return 0;
}

int btc_open_scratch(struct btc *like, struct btc **out, struct btc_error *e)
{
    (void)e;
    fake_call("scratch %s", like == NULL ? "alone" : "like");
    *out = calloc(1, sizeof(**out));
    (*out)->path = strdup("/tmp/btc-x/btc.db");
    (*out)->scratch = true;
    return 0;
}

void btc_close(struct btc *b)
{
    if (b != NULL) {
        free(b->path);
        free(b);
    }
}

const char *btc_path(const struct btc *b)
{
    return b->path;
}

char *btc_default_db(void)
{
    return strdup("/home/u/btc.db");
}

int64_t btc_engine_pid(const char *path)
{
    (void)path;
    return fake.engine_pid;
}

bool btc_engine_is_stopped(int64_t pid)
{
    return pid != 0 && fake.is_stopped;
}

/* --- sources ---------------------------------------------------------------
 */

int btc_source_load_by(const char *src, unsigned flags,
                       const struct btc_fetch_options *how,
                       struct btc_source **out, struct btc_error *e)
{
    fake_begin();
    (void)how;
    if (strncmp(src, "missing", 7) == 0) {
        return fake_fail(e, BTC_STATUS_NOT_FOUND, "missing: no such file");
    }
    if (strncmp(src, "bad", 3) == 0) {
        return fake_fail(e, BTC_STATUS_BAD_TORRENT, "bad: not a torrent");
    }
    if (strncmp(src, "http", 4) == 0 && (flags & BTC_SOURCE_NO_NETWORK) != 0) {
        return fake_fail(e, BTC_STATUS_USAGE, "a URL needs the network");
    }
    struct btc_source *s = calloc(1, sizeof(*s));
    s->info = (struct btc_source_info){.name = fake_names[0],
                                       .info_hash_v1 = fake_hashes[0],
                                       .total_size = -1,
                                       .piece_length = -1,
                                       .piece_count = -1,
                                       .is_private = -1,
                                       .creation_date = -1};
    s->trackers[0] = (struct btc_url){"http://a.example/announce", 0};
    s->trackers[1] = (struct btc_url){"http://b.example/announce", 0};
    s->trackers[2] = (struct btc_url){"udp://c.example:80", 1};
    s->info.trackers = s->trackers;
    s->info.n_trackers = 3;
    if (strncmp(src, "magnet:", 7) == 0) {
        s->info.is_magnet = true;
        if (strstr(src, "btmh") != NULL) {
            s->info.info_hash_v2 = s->info.info_hash_v1;
            s->info.info_hash_v1 = NULL;
        }
    } else {
        s->files[0] = (struct btc_file_info){"README", 1000, false};
        s->files[1] = (struct btc_file_info){".pad/24", 24, true};
        s->files[2] = (struct btc_file_info){"film/one.mkv", 2097152, false};
        s->info.files = s->files;
        s->info.n_files = 3;
        s->info.total_size = 2098152;
        s->info.piece_length = 1048576;
        s->info.piece_count = 3;
        s->info.is_private = 0;
        s->info.creation_date = FAKE_NOW;
    }
    *out = s;
    return 0;
}

int btc_source_load(const char *src, unsigned flags, struct btc_source **out,
                    struct btc_error *e)
{
    return btc_source_load_by(src, flags, NULL, out, e);
}

const struct btc_source_info *btc_source_info(const struct btc_source *s)
{
    return &s->info;
}

int btc_source_select(const struct btc_source *s, const char *select,
                      const char *exclude, bool *wanted, struct btc_error *e)
{
    const char *text = select != NULL ? select : exclude;

    if (text != NULL && strcmp(text, "99") == 0) {
        return fake_fail(e, BTC_STATUS_USAGE, "there is no file 99");
    }
    for (size_t i = 0; i < s->info.n_files; i++) {
        wanted[i] = !s->info.files[i].pad &&
                    (text == NULL ||
                     (strcmp(text, "3") == 0 && i == 2) == (select != NULL));
    }
    return 0;
}

int btc_source_of(struct btc *b, int64_t id, struct btc_source **out,
                  struct btc_error *e)
{
    fake_call("source %lld", (long long)id);
    return b->scratch || fake.has_source
               ? btc_source_load("fetched", 0, out, e)
               : fake_fail(e, BTC_STATUS_NOT_FOUND, "a magnet still");
}

int btc_source_save(const struct btc_source *s, const char *path,
                    struct btc_error *e)
{
    if (s->info.is_magnet) {
        return fake_fail(e, BTC_STATUS_BAD_TORRENT, "a magnet still");
    }
    fake_call("save %s", path);
    return 0;
}

void btc_source_free(struct btc_source *s)
{
    free(s);
}

/* --- wishes ------------------------------------------------------------------
 */

int btc_add(struct btc *b, const struct btc_source *s,
            const struct btc_add_options *o, int64_t *id, bool *known,
            struct btc_error *e)
{
    (void)b;
    (void)s;
    (void)e;
    fake_call("add seed=%s", o->seed == NULL ? "" : o->seed);
    *id = 1;
    if (known != NULL) {
        *known = false;
    }
    return 0;
}

int btc_add_check(struct btc *b, const struct btc_source *s,
                  const struct btc_add_options *o, struct btc_error *e)
{
    (void)b;
    if (s->info.info_hash_v1 == NULL) {
        return fake_fail(e, BTC_STATUS_BAD_TORRENT, "a pure v2 torrent");
    }
    if (o->name != NULL && strstr(o->name, "..") != NULL) {
        return fake_fail(e, BTC_STATUS_USAGE, "--out is no name");
    }
    return 0;
}

int btc_add_all(struct btc *b, struct btc_addition *items, size_t n,
                const struct btc_add_options *o)
{
    for (size_t i = 0; i < n; i++) {
        (void)btc_add(b, items[i].source, o, &items[i].id, &items[i].known,
                      &items[i].error);
    }
    return 0;
}

int btc_find(struct btc *b, const char *text, int64_t *id, struct btc_error *e)
{
    (void)b;
    for (size_t i = 0; i < fake.n_torrents; i++) {
        const struct btc_progress *p = &fake.torrents[i];
        char number[24];
        snprintf(number, sizeof(number), "%d", (int)p->id);
        if (strcmp(text, number) == 0 || strcmp(text, p->name) == 0 ||
            strncmp(text, p->info_hash, strlen(text)) == 0) {
            *id = p->id;
            return 0;
        }
    }
    return fake_fail(e, BTC_STATUS_NOT_FOUND, "no such torrent");
}

int btc_start(struct btc *b, int64_t id, struct btc_error *e)
{
    (void)b;
    (void)e;
    fake_call("start %d", (int)id);
    fake.wanted[id - 1] = "run";
    return 0;
}

int btc_pause(struct btc *b, int64_t id, struct btc_error *e)
{
    (void)b;
    (void)e;
    fake_call("pause %d", (int)id);
    return 0;
}

int btc_remove(struct btc *b, int64_t id, bool delete_data, struct btc_error *e)
{
    (void)b;
    (void)e;
    fake_call("remove %d%s", (int)id, delete_data ? " data" : "");
    return 0;
}

int btc_remove_data(struct btc *b, int64_t id, btc_stays_fn *fn, void *ctx,
                    struct btc_error *e)
{
    if (fn != NULL && fake.stays != NULL) {
        fn(ctx, fake.stays, "somebody else has put it there");
    }
    return btc_remove(b, id, true, e);
}

int btc_recover(struct btc *b, struct btc_error *e)
{
    (void)b;
    (void)e;
    return 0;
}

bool btc_is_owed(struct btc *b, int64_t id)
{
    (void)b;
    (void)id;
    return fake.owed;
}

int btc_look(struct btc *b, const int64_t *ids, size_t n, enum btc_seen *out,
             struct btc_error *e)
{
    (void)b;
    (void)ids;
    (void)e;
    for (size_t i = 0; i < n; i++) {
        out[i] = (enum btc_seen)fake.seen;
    }
    return 0;
}

int btc_check(const struct btc_source *s, const struct btc_check_options *o,
              struct btc_checked *out, struct btc_error *e)
{
    (void)s;
    fake_call("check %s", o->dir);
    *out = (struct btc_checked){.n_pieces = 2, .n_good = 1};
    return fake_fail(e, BTC_STATUS_VERIFY, "1 of 2 pieces are bad or missing");
}

void btc_checked_fini(struct btc_checked *c)
{
    *c = (struct btc_checked){0};
}

int btc_move(struct btc *b, int64_t id, const struct btc_move_options *o,
             struct btc_moved *out, struct btc_error *e)
{
    (void)b;
    fake_call("move %d %s%s", (int)id, o->dir, o->here ? " here" : "");
    if (strcmp(o->dir, "/none") == 0) {
        return fake_fail(e, BTC_STATUS_STORAGE, "/none: no such folder");
    }
    *out = (struct btc_moved){
        .from = strdup("/old"), .to = strdup(o->dir), .n_files = 2};
    return 0;
}

int btc_set_check(struct btc *b, int64_t id, const char *key, const char *value,
                  struct btc_error *e)
{
    (void)b;
    (void)id;
    (void)value;
    if (strcmp(key, "down") != 0 && strcmp(key, "peer") != 0) {
        return fake_fail(e, BTC_STATUS_USAGE, "no such key");
    }
    return 0;
}

int btc_set(struct btc *b, int64_t id, const char *key, const char *value,
            struct btc_error *e)
{
    int status = btc_set_check(b, id, key, value, e);
    if (status == 0) {
        fake_call("set %d %s=%s", (int)id, key, value);
    }
    return status;
}

const struct btc_key *btc_set_keys(void)
{
    static const struct btc_key keys[] = {{"down", "limit"}, {NULL, NULL}};

    return keys;
}

/* --- reading
 * ------------------------------------------------------------------- */

/* A text, NULL = null. */
static struct btc_value fake_text(const char *column, const char *text)
{
    return (struct btc_value){column, text == NULL ? BTC_NULL : BTC_TEXT, 0, 0,
                              text};
}

/* A number, less than 0 = null. */
static struct btc_value fake_int(const char *column, int64_t i)
{
    return (struct btc_value){column, i < 0 ? BTC_NULL : BTC_INT, i, 0, NULL};
}

/* A row of `progress`. */
static int fake_progress(size_t i, btc_row_fn *fn, void *ctx)
{
    const struct btc_progress *p = &fake.torrents[i];
    double percent = (double)p->bytes_done * 100 / (double)p->bytes_total;
    const struct btc_value row[] = {
        fake_int("id", p->id),
        fake_text("info_hash", p->info_hash),
        fake_text("name", p->name),
        fake_text("state", btc_state_name(p->state)),
        fake_text("wanted", fake.wanted[i]),
        {"percent", BTC_REAL, 0, percent, NULL},
        fake_int("bytes_done", (int64_t)p->bytes_done),
        fake_int("bytes_total", (int64_t)p->bytes_total),
        fake_int("bytes_left", (int64_t)(p->bytes_total - p->bytes_done)),
        fake_int("pieces_done", p->pieces_done),
        fake_int("pieces_total", p->pieces_total),
        fake_int("down_rate", (int64_t)p->down_rate),
        fake_int("up_rate", (int64_t)p->up_rate),
        fake_int("eta_s", p->eta_s),
        fake_int("peers", p->peers),
        fake_int("seeds", p->seeds),
        {"ratio", BTC_REAL, 0, p->ratio, NULL},
        fake_text("error", p->error),
        fake_text("save_path", p->save_path),
        fake_int("updated_at", FAKE_NOW)};

    return fn(ctx, row, sizeof(row) / sizeof(row[0]));
}

/* Two files, two peers, a tracker, some pieces, an event. */
static int fake_rows(const char *view, btc_row_fn *fn, void *ctx)
{
    if (strcmp(view, "file_progress") == 0) {
        bool whole =
            fake.n_torrents > 0 && fake.torrents[0].state == BTC_STATE_COMPLETE;
        const struct btc_value a[] = {
            fake_int("torrent_id", 1),    fake_int("file", 0),
            fake_text("path", "README"),  fake_int("length", 1000),
            fake_int("bytes_done", 1000), fake_int("priority", 4)};
        const struct btc_value b[] = {
            fake_int("torrent_id", 1),
            fake_int("file", 1),
            fake_text("path", "a\033[31m.mkv"),
            fake_int("length", 2000000),
            fake_int("bytes_done", whole ? 2000000 : 900000),
            fake_int("priority", 7)};
        fn(ctx, a, 6);
        return fn(ctx, b, 6);
    }
    if (strcmp(view, "peer_list") == 0) {
        const struct btc_value a[] = {
            fake_int("torrent_id", 1),        fake_text("address", "192.0.2.7"),
            fake_int("port", 6881),           fake_text("source", "tracker"),
            fake_text("client", "Other 1.0"), fake_int("connected", 1),
            fake_int("choking", 1),           fake_int("interested", 0),
            fake_int("down_rate", 5000),      fake_int("up_rate", 0),
            fake_int("bytes_down", 70000),    fake_int("bytes_up", 0),
            fake_text("outcome", NULL),       fake_int("outcome_count", 0),
            fake_int("outcome_at", 0)};
        const struct btc_value b[] = {
            fake_int("torrent_id", 1),
            fake_text("address", "2001:db8::9"),
            fake_int("port", 51413),
            fake_text("source", "pex"),
            fake_text("client", NULL),
            fake_int("connected", 0),
            fake_int("choking", 0),
            fake_int("interested", 0),
            fake_int("down_rate", 0),
            fake_int("up_rate", 0),
            fake_int("bytes_down", 0),
            fake_int("bytes_up", 0),
            fake_text("outcome", "refused the connection"),
            fake_int("outcome_count", 3),
            fake_int("outcome_at", FAKE_NOW)};
        fn(ctx, a, 15);
        return fn(ctx, b, 15);
    }
    if (strcmp(view, "tracker_list") == 0) {
        const struct btc_value a[] = {
            fake_int("torrent_id", 1),
            fake_int("tier", 0),
            fake_text("url", "http://a.example/announce"),
            fake_text("state", "failed"),
            fake_int("last_announce", FAKE_NOW),
            fake_int("next_announce", -1),
            fake_int("seeders", -1),
            fake_int("leechers", -1),
            fake_text("error", "timed out")};
        return fn(ctx, a, 9);
    }
    if (strcmp(view, "way_list") == 0) {
        const struct btc_value a[] = {fake_int("torrent_id", 1),
                                      fake_text("way", "dht"),
                                      fake_int("is_on", 1),
                                      fake_int("peers", 2),
                                      fake_int("nodes", 52),
                                      fake_int("good_nodes", 40),
                                      fake_int("last_search", FAKE_NOW),
                                      fake_int("answers", 31),
                                      fake_int("found", 4),
                                      fake_int("announced", 8)};
        const struct btc_value b[] = {
            fake_int("torrent_id", 1), fake_text("way", "lsd"),
            fake_int("is_on", 1), fake_int("peers", 1)};
        const struct btc_value c[] = {
            fake_int("torrent_id", 1), fake_text("way", "pex"),
            fake_int("is_on", 0), fake_int("peers", 0)};
        fn(ctx, a, 10);
        fn(ctx, b, 4);
        return fn(ctx, c, 4);
    }
    if (strcmp(view, "piece_map") == 0) {
        for (int i = 0; i < 8; i++) {
            const struct btc_value a[] = {
                fake_int("torrent_id", 1), fake_int("piece", i),
                fake_text("state", i == 2   ? "partial"
                                   : i == 5 ? "missing"
                                   : i == 6 ? "missing"
                                            : "verified")};
            fn(ctx, a, 3);
        }
        return 0;
    }
    const struct btc_value a[] = {
        fake_int("at", FAKE_NOW), fake_int("torrent_id", 1),
        fake_text("level", "info"), fake_text("kind", "added"),
        fake_text("text", "added from a file")};
    return fn(ctx, a, 5);
}

/* NOLINTNEXTLINE(readability-function-size): the interface has seven */
int btc_query(struct btc *b, const char *view, int64_t id, int64_t limit,
              btc_row_fn *fn, void *ctx, struct btc_error *e)
{
    (void)b;
    (void)limit;
    (void)e;
    if (strcmp(view, "progress") != 0) {
        return fake.n_torrents == 0 ? 0 : fake_rows(view, fn, ctx);
    }
    for (size_t i = 0; i < fake.n_torrents; i++) {
        if (id == 0 || fake.torrents[i].id == id) {
            int status = fake_progress(i, fn, ctx);
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}

int btc_map(struct btc *b, int64_t id, struct btc_cell *cells, size_t n,
            struct btc_error *e)
{
    const struct btc_progress *p = &fake.torrents[id - 1];
    uint32_t random = 7;

    (void)b;
    (void)e;
    for (size_t i = 0; i < n; i++) {
        random = random * 1664525 + 1013904223;
        uint64_t share = p->bytes_done * 1000 / p->bytes_total;
        uint64_t point = i * 400 / n + random % 600;
        cells[i] = (struct btc_cell){0};
        if (share == 1000 || point + 60 < share) {
            cells[i].done = 8;
        } else if (point < share) {
            cells[i].done = (uint8_t)(1 + random % 7);
        } else if (point < share + 30 && share > 0) {
            cells[i].active = 1;
        }
    }
    return 0;
}

/* --- the engine
 * ------------------------------------------------------------------ */

/* Sends an event on one torrent. */
static void fake_event(const struct btc_run_options *o,
                       enum btc_event_type type, struct btc_progress *p,
                       unsigned step)
{
    struct btc_event ev = {.type = type,
                           .at = FAKE_NOW + step / 4,
                           .id = p->id,
                           .progress = p,
                           .n = 1,
                           .piece = step};

    if (type == BTC_EVENT_PIECE || type == BTC_EVENT_FILE) {
        ev.n = 0;
        ev.progress = NULL;
    }
    o->on_event(o->ctx, &ev);
}

/* One step of all torrents. */
static void fake_step(struct btc *b, const struct btc_run_options *o,
                      unsigned step)
{
    for (size_t i = 0; i < fake.n_torrents; i++) {
        struct btc_progress *p = &fake.torrents[i];
        uint64_t each = p->bytes_total / fake.steps;
        uint64_t left = p->bytes_total - p->bytes_done;
        uint64_t more = step + 1 == fake.steps || left < each ? left : each;
        if (more == 0) {
            continue;
        }
        p->bytes_done += more;
        p->downloaded += more;
        p->pieces_done =
            (uint32_t)(p->bytes_done * p->pieces_total / p->bytes_total);
        p->down_rate = each * 4 + 1000 * (uint64_t)(step % 7);
        p->up_rate = step > 3 ? 1000ULL * step : 0;
        p->eta_s = (int64_t)((p->bytes_total - p->bytes_done) / p->down_rate);
        p->peers = step < 12 ? step : 12;
        p->seeds = step < 12 ? step / 2 : 8;
        fake_event(o, BTC_EVENT_PIECE, p, step);
    }
    struct btc_event ev = {.type = BTC_EVENT_STATS,
                           .at = FAKE_NOW + step / 4,
                           .progress = fake.torrents,
                           .n = fake.n_torrents,
                           .asked = atomic_exchange(&b->asked, 0) != 0};
    o->on_event(o->ctx, &ev);
    if (fake.slow) {
        struct timespec t = {.tv_sec = o->tick_ms / 1000,
                             .tv_nsec = (long)(o->tick_ms % 1000) * 1000000};
        nanosleep(&t, NULL);
        if (step % 20 == 10 && fake_log != NULL) {
            fake_log(fake_log_ctx, BTC_LOG_WARN, "tracker",
                     "http://a.example/announce: timed out, again in 30 s");
        }
    }
}

/* The same for btc_run and btc_follow. */
static int fake_run(struct btc *b, const struct btc_run_options *o,
                    struct btc_error *e)
{
    for (size_t i = 0; i < fake.n_torrents; i++) {
        fake_event(o, BTC_EVENT_ADDED, &fake.torrents[i], 0);
        fake_event(o, BTC_EVENT_STATE, &fake.torrents[i], 0);
    }
    for (unsigned step = 0; step < fake.steps; step++) {
        if (atomic_load(&b->stops) > 0) {
            return fake_fail(e, BTC_STATUS_INTERRUPTED, "interrupted");
        }
        if (fake.run_status != 0 && step == fake.steps / 2) {
            return fake_fail(e, fake.run_status,
                             btc_status_text(fake.run_status));
        }
        fake_step(b, o, step);
    }
    for (size_t i = 0; i < fake.n_torrents; i++) {
        fake.torrents[i].state = BTC_STATE_COMPLETE;
        fake_event(o, BTC_EVENT_DONE, &fake.torrents[i], 0);
    }
    return 0;
}

int btc_run(struct btc *b, const struct btc_run_options *o, struct btc_error *e)
{
    char also[32] = "";
    if (o->also.n > 0) {
        (void)snprintf(also, sizeof(also), " also=%zu", o->also.n);
    }
    fake_call("run ids=%zu seed=%s%s%s", o->n_ids,
              o->seed == NULL ? "" : o->seed, o->check_only ? " check" : "",
              also);
    fake.n_dht_bootstrap = o->reach.n_dht_bootstrap;
    fake.dht_bootstrap[0] = '\0';
    if (o->reach.n_dht_bootstrap > 0) {
        (void)snprintf(fake.dht_bootstrap, sizeof(fake.dht_bootstrap), "%s",
                       o->reach.dht_bootstrap[0]);
    }
    if (fake.locked) {
        return fake_fail(e, BTC_STATUS_LOCKED, "another engine runs");
    }
    return fake_run(b, o, e);
}

int btc_follow(struct btc *b, const struct btc_run_options *o,
               struct btc_error *e)
{
    fake_call("follow ids=%zu", o->n_ids);
    return fake_run(b, o, e);
}

bool btc_hook_is_owed(struct btc *b, int64_t id)
{
    (void)b;
    (void)id;
    return false;
}

int btc_hook_ended(struct btc *b, int64_t id, bool paid, const char *failure,
                   struct btc_error *e)
{
    (void)b;
    (void)e;
    fake_call("hook id=%lld paid=%d%s%s", (long long)id, paid,
              failure == NULL ? "" : " ", failure == NULL ? "" : failure);
    return 0;
}

void btc_signal(struct btc *b, enum btc_signal s)
{
    if (s == BTC_SIGNAL_STOP) {
        atomic_fetch_add(&b->stops, 1);
    } else if (s == BTC_SIGNAL_STATS) {
        atomic_store(&b->asked, 1);
    }
}

void btc_set_limits(struct btc *b, uint64_t down, uint64_t up)
{
    (void)b;
    fake_call("limits %d %d", (int)down, (int)up);
}

/* --- the rest
 * ------------------------------------------------------------------------ */

int btc_create(const struct btc_create_options *o, struct btc_create_result *r,
               struct btc_error *e)
{
    (void)e;
    fake_begin();
    fake_call("create %s -> %s", o->path, o->output);
    for (uint64_t i = 1; i <= 20; i++) {
        o->on_progress(o->ctx, FAKE_SIZE * i / 20, FAKE_SIZE);
        if (fake.slow) {
            struct timespec t = {.tv_nsec = 150000000};
            nanosleep(&t, NULL);
        }
    }
    *r = (struct btc_create_result){.total_size = FAKE_SIZE,
                                    .piece_length = 2097152,
                                    .piece_count = FAKE_PIECES,
                                    .n_files = 1,
                                    .n_left_out = fake.n_left_out};
    snprintf(r->info_hash, sizeof(r->info_hash), "%s", fake_hashes[0]);
    return 0;
}

int btc_db_check(struct btc *b, btc_row_fn *fn, void *ctx, struct btc_error *e)
{
    const struct btc_value row[] = {fake_text("problem", "row 7 is torn")};

    (void)b;
    if (fake.run_status == 0) {
        return 0;
    }
    fn(ctx, row, 1);
    return fake_fail(e, BTC_STATUS_DB, "1 problem");
}

int btc_db_backup(struct btc *b, const char *to, struct btc_error *e)
{
    (void)b;
    (void)e;
    fake_call("backup %s", to);
    return 0;
}

int btc_db_mend(struct btc *b, btc_row_fn *fn, void *ctx, int64_t *n_deleted,
                struct btc_error *e)
{
    const struct btc_value made = {
        .column = "made", .type = BTC_TEXT, .text = "the view progress"};
    (void)b;
    (void)e;
    fake_call("repair");
    *n_deleted = 3;
    return fn(ctx, &made, 1);
}

int btc_db_restore(const char *path, const char *from, unsigned flags,
                   char **kept, struct btc_error *e)
{
    (void)flags;
    *kept = NULL;
    fake_call("restore %s %s", path ? path : "-", from);
    if (fake.run_status != 0) {
        return fake_fail(e, BTC_STATUS_LOCKED, "another btc works on it");
    }
    *kept = strdup("btc.db.replaced-1");
    return 0;
}

int btc_db_salvage(const char *path, unsigned flags, struct btc_salvaged *out,
                   struct btc_error *e)
{
    (void)flags;
    (void)e;
    fake_call("salvage %s", path ? path : "-");
    *out = (struct btc_salvaged){
        .kept = strdup("btc.db.damaged-1"), .n_torrents = 2, .n_rows = 40};
    return 0;
}

const char *btc_db_schema(void)
{
    return "CREATE TABLE torrent (id);\n";
}
