/* Rows that a rule of the database forbids: somebody's trigger or index. A
 * batch with such a row fails as a whole (BTC_E_INTERNAL); then it is applied
 * again so that those rows are left out, and told. */
#ifndef BTC_JOURNAL_REFUSED_H
#define BTC_JOURNAL_REFUSED_H

#include "journal/batch.h"

#define JOURNAL_REASON_MAX 160

/* Like journal_apply, but rows that a rule of the database forbids are left
 * out. */
int journal_apply_each(struct journal *db, struct journal_batch *b,
                       struct err *e);
/* Behind an error: when a rule refused a row without which nothing goes on,
 * BTC_E_DB that says so; else `code`. Before anything else is asked of SQLite.
 */
int journal_refusal(const struct journal *db, int code, struct err *e);
/* A row that was left out. */
struct journal_refused {
    int64_t id;  /* its torrent, 0 = none */
    bool weighs; /* it tells of the torrent itself, not of peers and the like */
    bool is_piece; /* a claim: rows that would have counted the piece were left
                    * out, too, without a word */
    bool is_withdrawal; /* of a claim: it stands, and is not true. The rows that
                         * vouch for its torrent's files were left out, too */
    uint32_t piece;
    char row[80];                    /* which one, for people */
    char reason[JOURNAL_REASON_MAX]; /* in the words of the rule */
};
/* Lent, until the batch is applied again or freed. */
const struct journal_refused *
journal_batch_refused(const struct journal_batch *b, size_t *n);

#endif
