/* Opening a database. Part of btc.h. */
#ifndef BTC_BTC_DATABASE_H
#define BTC_BTC_DATABASE_H

#include <btc/status.h>
#include <stdint.h>

struct btc; /* an open database */

enum {
    BTC_OPEN_CREATE = 1,    /* make the file and its folder when absent */
    BTC_OPEN_READ_ONLY = 2, /* views only; works beside an engine */
    BTC_OPEN_NETWORK = 4,   /* also on a network file system, where locks do not
                             * hold: when nobody else opens it */
    BTC_OPEN_ANY_VERSION = 8 /* with READ_ONLY: an older schema as it is */
};
/* `path` NULL: btc_default_db. */
BTC_API int btc_open(const char *path, unsigned flags, struct btc **out,
                     struct btc_error *e);
BTC_API void btc_close(struct btc *b); /* NULL allowed */
BTC_API const char *btc_path(const struct btc *b);
/* $BTC_DB is the caller's business; this is $XDG_STATE_HOME/btc/btc.db, with
 * ~/.local/state for an unset variable. free(). NULL without a home. */
BTC_API char *btc_default_db(void);
/* A database for a short while, in a folder of its own below $TMPDIR that goes
 * when it is closed. It knows the nodes of the DHT that `like` knows (NULL:
 * none), and nothing else. */
BTC_API int btc_open_scratch(struct btc *like, struct btc **out,
                             struct btc_error *e);
/* Pid of the engine that runs on the database now; 0 = none. */
BTC_API int64_t btc_engine_pid(const char *path);
/* That engine is stopped (^Z, SIGSTOP): it does nothing, and what it wrote last
 * is not true any more, until somebody lets it go on (SIGCONT). */
BTC_API bool btc_engine_is_stopped(int64_t pid);

#endif
