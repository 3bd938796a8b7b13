/* Runs of the engine. A run's row is what tells a clean stop, a killed process
 * and a power cut apart; the start of a run is also where live facts of the one
 * before are cleared and where tables that only grow are trimmed.
 */
#include "journal/runs.h"

#include "journal/internal.h"
#include "journal/refused.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The id of this boot of the machine, "" when the system has none. */
void journal_boot_id(char *out, size_t cap)
{
    out[0] = '\0';
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t n = read(fd, out, cap - 1);
    (void)close(fd);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* The run of an id, or the newest one (0); its id is 0 when there is none. */
static int journal_read_run(struct journal *db, int64_t id,
                            struct journal_run *out, struct err *e)
{
    memset(out, 0, sizeof(*out));
    sqlite3_stmt *s = NULL;
    int code = journal_take(db,
                            "SELECT id, boot_id, started_at, heartbeat_at,"
                            " ended_at FROM run WHERE ?1 IN (0, id)"
                            " ORDER BY id DESC LIMIT 1",
                            &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, id);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        out->id = sqlite3_column_int64(s, 0);
        (void)snprintf(out->boot_id, sizeof(out->boot_id), "%s",
                       (const char *)sqlite3_column_text(s, 1));
        out->started_at = sqlite3_column_int64(s, 2);
        out->heartbeat_at = sqlite3_column_int64(s, 3);
        out->ended_at = sqlite3_column_int64(s, 4);
    } else if (rc != SQLITE_DONE) {
        code = journal_fail(db, e, "cannot read");
    }
    journal_give(db, s);
    return code;
}

int journal_load_run(struct journal *db, int64_t id, struct journal_run *out,
                     struct err *e)
{
    if (id == 0) {
        memset(out, 0, sizeof(*out));
        return 0;
    }
    return journal_read_run(db, id, out, e);
}

int64_t journal_run_id(const struct journal *db)
{
    return db->run_id;
}

/* Our row. */
static int journal_insert_run(struct journal *db, int64_t *id, struct err *e)
{
    char boot[40];
    sqlite3_stmt *s = NULL;
    int code =
        journal_take(db,
                     "INSERT INTO run (pid, version, boot_id, started_at,"
                     " heartbeat_at) VALUES (?1, ?2, ?3, ?4, ?4)",
                     &s, e);
    if (code != 0) {
        return code;
    }
    journal_boot_id(boot, sizeof(boot));
    (void)sqlite3_bind_int64(s, 1, getpid());
    (void)sqlite3_bind_text(s, 2, BTC_VERSION, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(s, 3, boot, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(s, 4, journal_now());
    code = journal_run_stmt(db, s, e);
    *id = sqlite3_last_insert_rowid(db->sql);
    journal_give(db, s);
    return code;
}

static const char journal_sql_clear[] =
    "UPDATE torrent_stat SET down_rate = 0, up_rate = 0, eta_s = NULL,"
    " peers = 0, seeds = 0, storage_since = NULL"
    " WHERE (down_rate, up_rate, eta_s, peers, seeds, storage_since)"
    " IS NOT (0, 0, NULL, 0, 0, NULL);"
    "UPDATE peer SET connected = 0, choking = 0, interested = 0,"
    " down_rate = 0, up_rate = 0 WHERE connected;";

static const char journal_sql_trim[] =
    "DELETE FROM run WHERE id <= (SELECT max(id) FROM run)"
    " - " JOURNAL_TEXT_OF2(
        JOURNAL_RUNS_MAX) " AND id NOT IN (SELECT last_run FROM torrent_stat"
                          " WHERE last_run NOT NULL);"
                          "DELETE FROM peer WHERE (torrent_id, address, port) "
                          "IN"
                          " (SELECT torrent_id, address, port FROM"
                          " (SELECT torrent_id, address, port, row_number() "
                          "OVER"
                          " (PARTITION BY torrent_id ORDER "
                          "BY " JOURNAL_PEER_ORDER ") AS place"
                          " FROM peer) WHERE place > " JOURNAL_TEXT_OF2(
                              JOURNAL_PEERS_MAX) ")";

/* Inserts this run's row and gives the one before. */
int journal_begin_run(struct journal *db, struct journal_run *before,
                      struct err *e)
{
    int64_t id = 0;
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_read_run(db, 0, before, e);
    if (code == 0) {
        code = journal_exec(db, journal_sql_clear, e);
    }
    if (code == 0) {
        code = journal_insert_run(db, &id, e);
    }
    if (code == 0) {
        code = journal_exec(db, journal_sql_trim, e);
    }
    code = journal_end(db, journal_refusal(db, code, e), e);
    if (code == 0) {
        db->run_id = id;
    }
    return code;
}
