/* libbtc: a BitTorrent engine that never loses its place.
 *
 * One database file holds everything. Any program may open it, read the views
 * and write wishes (add, start, pause, remove, limits); one program at a time
 * runs the engine on it (btc_run), which makes the wishes come true. The
 * command line is written with this header alone.
 *
 * Shapes. Bytes, bytes per second and unix seconds are integers; unknown is -1
 * where a comment says so. Strings are UTF-8, NUL-ended; `const char *` results
 * belong to the library unless "free()" is said. Functions give 0 or one of
 * enum btc_status, the program's exit statuses, and fill `e` (NULL allowed).
 *
 * Threads. A struct btc belongs to one thread at a time; btc_signal alone may
 * be called from any thread and from a signal handler.
 */
#ifndef BTC_BTC_H
#define BTC_BTC_H

#include <btc/care.h>     /* check, repair, backup, restore, salvage */
#include <btc/create.h>   /* make a .torrent */
#include <btc/database.h> /* open and close */
#include <btc/event.h>    /* progress, events */
#include <btc/number.h>   /* sizes and durations as people write them */
#include <btc/query.h>    /* the views */
#include <btc/run.h>      /* run the engine, follow it, signal it */
#include <btc/source.h>   /* torrents and magnets, looked at and saved */
#include <btc/state.h>    /* the states of a torrent */
#include <btc/status.h>   /* exit statuses, errors, the log */
#include <btc/wish.h>     /* add, start, pause, remove, move, set */

#endif
