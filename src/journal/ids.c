/* Tables whose ids are used up; see ids.h. No table comes to 2^62 by itself. */
#include "journal/ids.h"

#include <stdio.h>

#define IDS_LAST "9223372036854775807"
#define IDS_HIGH "4611686018427387904" /* 2^62 */

/* The largest number of each table, by what stands and by what SQLite notes. */
#define IDS_OF_ALL                                      \
    "(SELECT name, seq FROM sqlite_sequence"            \
    " UNION ALL SELECT 'torrent', max(id) FROM torrent" \
    " UNION ALL SELECT 'run', max(id) FROM run"         \
    " UNION ALL SELECT 'event', max(id) FROM event"     \
    " UNION ALL SELECT 'wish_news', max(seq) FROM wish_news)"

/* The rows of a table behind those of ordinary numbers, one after the other. */
#define IDS_NUMBER(table, id)                                              \
    "UPDATE " table " SET " id " = base + nth FROM"                        \
    " (SELECT " id " AS high, row_number() OVER (ORDER BY " id ") AS nth," \
    "  (SELECT coalesce(max(" id "), 0) FROM " table "   WHERE " id        \
    " < " IDS_HIGH ") AS base"                                             \
    "  FROM " table " WHERE " id " >= " IDS_HIGH ") WHERE " id " = high;"

#define IDS_NOTE(table, id)                                             \
    "UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(" id "), 0)" \
    " FROM " table ") WHERE name = '" table "' AND seq >= " IDS_HIGH ";"

const char journal_ids_sql[] =
    "SELECT DISTINCT 'somebody has used up the numbers of the table ' || name"
    " || ': ' || CASE name WHEN 'torrent' THEN 'take the torrent ' || seq ||"
    " ' away, if there is one, then ' ELSE '' END ||"
    " '`btc db check --repair` gives them back'"
    " FROM " IDS_OF_ALL " WHERE seq >= " IDS_HIGH;

const char journal_ids_mend_sql[] = IDS_NUMBER("run", "id")
    IDS_NUMBER("event", "id") IDS_NUMBER("wish_news", "seq")
        IDS_NOTE("torrent", "id") IDS_NOTE("run", "id") IDS_NOTE("event", "id")
            IDS_NOTE("wish_news", "seq");

bool journal_ids_used_up(struct journal *db, char *table, size_t size)
{
    sqlite3_stmt *s = NULL;
    bool has = sqlite3_prepare_v2(db->sql,
                                  "SELECT name FROM " IDS_OF_ALL
                                  " WHERE seq = " IDS_LAST,
                                  -1, &s, NULL) == SQLITE_OK &&
               sqlite3_step(s) == SQLITE_ROW;
    if (has) {
        (void)snprintf(table, size, "%s",
                       (const char *)sqlite3_column_text(s, 0));
    }
    (void)sqlite3_finalize(s);
    return has;
}
