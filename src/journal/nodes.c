/* Rows of dht_node; see nodes.h. */
#include "journal/nodes.h"

#include "base/mem.h"
#include "journal/internal.h"
#include <string.h>

/* A row as it is read; false when somebody wrote nonsense into it. */
static bool journal_node_read(sqlite3_stmt *s, struct journal_node *out)
{
    const char *ip = (const char *)sqlite3_column_text(s, 0);
    int64_t port = sqlite3_column_int64(s, 1);
    *out = (struct journal_node){.is_gone = false};
    if (ip == NULL || port < 1 || port > UINT16_MAX ||
        sqlite3_column_bytes(s, 2) != (int)sizeof(out->id)) {
        return false;
    }
    memcpy(out->id, sqlite3_column_blob(s, 2), sizeof(out->id));
    return addr_parse_ip(slice_str(ip), (uint16_t)port, &out->addr);
}

int journal_load_nodes(struct journal *db, struct journal_node **out, size_t *n,
                       struct err *e)
{
    sqlite3_stmt *s = NULL;
    int rc = SQLITE_DONE;
    *out = mem_calloc(JOURNAL_NODES_MAX, sizeof(**out));
    *n = 0;
    int code = journal_prepare(db,
                               "SELECT address, port, node_id FROM dht_node"
                               " WHERE node_id IS NOT NULL"
                               " ORDER BY last_seen DESC LIMIT ?1",
                               &s, e);
    if (code != 0) {
        return code;
    }
    (void)sqlite3_bind_int64(s, 1, JOURNAL_NODES_MAX);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW && *n < JOURNAL_NODES_MAX) {
        *n += journal_node_read(s, &(*out)[*n]) ? 1 : 0;
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        code = journal_fail(db, e, "cannot read");
    }
    (void)sqlite3_finalize(s);
    return code;
}

/* One node with a statement that takes address, port and, for a new one, its id
 * and the time. */
static int journal_node_write(struct journal *db, sqlite3_stmt *s,
                              const struct journal_node *node, struct err *e)
{
    char ip[ADDR_TEXT_MAX];
    addr_format_ip(&node->addr, ip);
    (void)sqlite3_bind_text(s, 1, ip, -1, SQLITE_TRANSIENT);
    (void)sqlite3_bind_int(s, 2, node->addr.port);
    if (!node->is_gone) {
        (void)sqlite3_bind_blob(s, 3, node->id, (int)sizeof(node->id),
                                SQLITE_TRANSIENT);
        (void)sqlite3_bind_int64(s, 4, journal_now());
    }
    return journal_run_stmt(db, s, e);
}

/* All of them, in order. */
static int journal_write_nodes(struct journal *db,
                               const struct journal_node *nodes, size_t n,
                               struct err *e)
{
    sqlite3_stmt *put = NULL, *del = NULL;
    int code = journal_prepare(db,
                               "INSERT INTO dht_node (address, port, node_id,"
                               " last_seen) VALUES (?1, ?2, ?3, ?4)"
                               " ON CONFLICT (address, port) DO UPDATE SET"
                               " node_id = excluded.node_id,"
                               " last_seen = excluded.last_seen",
                               &put, e);
    if (code == 0) {
        code = journal_prepare(
            db, "DELETE FROM dht_node WHERE address = ?1 AND port = ?2", &del,
            e);
    }
    for (size_t i = 0; code == 0 && i < n; i++) {
        code =
            journal_node_write(db, nodes[i].is_gone ? del : put, &nodes[i], e);
    }
    (void)sqlite3_finalize(put);
    (void)sqlite3_finalize(del);
    return code;
}

int journal_save_nodes(struct journal *db, const struct journal_node *nodes,
                       size_t n, struct err *e)
{
    int code = journal_begin(db, e);
    if (code != 0) {
        return code;
    }
    code = journal_write_nodes(db, nodes, n, e);
    if (code == 0) {
        code = journal_exec(db,
                            "DELETE FROM dht_node WHERE (address, port) NOT IN"
                            " (SELECT address, port FROM dht_node"
                            " ORDER BY last_seen DESC LIMIT 512)",
                            e);
    }
    return journal_end(db, code, e);
}
