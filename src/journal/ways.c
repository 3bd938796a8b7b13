/* Rows of reach and dht_search; see ways.h. */
#include "journal/ways.h"

#include "journal/internal.h"
#include <string.h>

static const char *const journal_place_ways[2] = {"dht4", "dht6"};

int journal_set_ways(struct journal *db, bool dht4, bool dht6, bool pex,
                     bool lsd, struct err *e)
{
    const bool on[4] = {dht4, dht6, pex, lsd};
    static const char *const ways[4] = {"dht4", "dht6", "pex", "lsd"};
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(
        db,
        "INSERT INTO reach (way, is_on, updated_at) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (way) DO UPDATE SET is_on = excluded.is_on, nodes = 0,"
        " good_nodes = 0, updated_at = excluded.updated_at",
        &s, e);
    for (int i = 0; code == 0 && i < 4; i++) {
        (void)sqlite3_bind_text(s, 1, ways[i], -1, SQLITE_STATIC);
        (void)sqlite3_bind_int(s, 2, on[i]);
        (void)sqlite3_bind_int64(s, 3, journal_now());
        code = journal_run_stmt(db, s, e);
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* A row as it is read; what somebody wrote into it may be nonsense. */
static void journal_place_read(sqlite3_stmt *s, enum addr_family family,
                               struct journal_place *out)
{
    const char *ip = (const char *)sqlite3_column_text(s, 1);
    if (sqlite3_column_bytes(s, 0) == (int)sizeof(out->id)) {
        memcpy(out->id, sqlite3_column_blob(s, 0), sizeof(out->id));
        out->is_known = true;
    }
    if (ip == NULL || !addr_parse_ip(slice_str(ip), 0, &out->ip) ||
        out->ip.family != family) {
        out->ip = addr_none();
    }
}

int journal_load_places(struct journal *db, struct journal_place out[2],
                        struct err *e)
{
    sqlite3_stmt *s = NULL;
    memset(out, 0, 2 * sizeof(*out));
    int code = journal_prepare(
        db, "SELECT node_id, address FROM reach WHERE way = ?1", &s, e);
    for (int i = 0; code == 0 && i < 2; i++) {
        (void)sqlite3_bind_text(s, 1, journal_place_ways[i], -1, SQLITE_STATIC);
        int rc = sqlite3_step(s);
        if (rc == SQLITE_ROW) {
            journal_place_read(s, i == 0 ? ADDR_V4 : ADDR_V6, &out[i]);
        } else if (rc != SQLITE_DONE) {
            code = journal_fail(db, e, "cannot read");
        }
        (void)sqlite3_reset(s);
    }
    (void)sqlite3_finalize(s);
    return code;
}

int journal_save_places(struct journal *db, const struct journal_place in[2],
                        struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(
        db,
        "UPDATE reach SET node_id = ?2, address = ?3, nodes = ?4,"
        " good_nodes = ?5, updated_at = ?6 WHERE way = ?1",
        &s, e);
    for (int i = 0; code == 0 && i < 2; i++) {
        char ip[ADDR_TEXT_MAX] = "";
        (void)sqlite3_bind_text(s, 1, journal_place_ways[i], -1, SQLITE_STATIC);
        (void)sqlite3_bind_blob(s, 2, in[i].id, (int)sizeof(in[i].id),
                                SQLITE_STATIC);
        (void)sqlite3_bind_null(s, 3);
        if (in[i].ip.family != ADDR_NONE) {
            addr_format_ip(&in[i].ip, ip);
            (void)sqlite3_bind_text(s, 3, ip, -1, SQLITE_TRANSIENT);
        }
        (void)sqlite3_bind_int64(s, 4, in[i].nodes);
        (void)sqlite3_bind_int64(s, 5, in[i].good_nodes);
        (void)sqlite3_bind_int64(s, 6, journal_now());
        code = journal_run_stmt(db, s, e);
    }
    (void)sqlite3_finalize(s);
    return code;
}

int journal_save_searches(struct journal *db,
                          const struct journal_search *searches, size_t n,
                          struct err *e)
{
    sqlite3_stmt *s = NULL;
    int code = journal_prepare(
        db,
        "INSERT INTO dht_search (torrent_id, ended_at, answers, peers,"
        " announced) SELECT id, ?2, ?3, ?4, ?5 FROM torrent WHERE id = ?1"
        " ON CONFLICT (torrent_id) DO UPDATE SET ended_at = excluded.ended_at,"
        " answers = excluded.answers, peers = excluded.peers,"
        " announced = excluded.announced",
        &s, e);
    for (size_t i = 0; code == 0 && i < n; i++) {
        (void)sqlite3_bind_int64(s, 1, searches[i].torrent_id);
        (void)sqlite3_bind_int64(s, 2, journal_now());
        (void)sqlite3_bind_int64(s, 3, searches[i].answers);
        (void)sqlite3_bind_int64(s, 4, searches[i].peers);
        (void)sqlite3_bind_int64(s, 5, searches[i].announced);
        code = journal_run_stmt(db, s, e);
    }
    (void)sqlite3_finalize(s);
    return code;
}
