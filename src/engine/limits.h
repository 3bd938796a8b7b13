/* Download limits, granted to connections in equal parts, and the limit of free
 * space. */
#ifndef BTC_ENGINE_LIMITS_H
#define BTC_ENGINE_LIMITS_H

#include "engine/internal.h"

#define LIMITS_MS    50   /* grants this often */
#define LIMITS_FIRST 1024 /* bytes of a new connection before its first */

/* Some download limit is set, so grants are due every LIMITS_MS. */
bool limits_are_set(const struct engine *s);
/* The torrent counts among the running ones with a limit of their own, or not
 * any more. */
void limits_count(struct engine_torrent *st);
/* It goes. */
void limits_forget(struct engine_torrent *st);
void limits_grant(struct engine *s);
/* Until its first grant a connection may just say who it is. */
void limits_begin(struct engine_torrent *st, struct tcp_conn *c);
/* Payload came in. */
void limits_take(struct engine_torrent *st, size_t n);
/* --min-free with its default; 0 = no floor. */
uint64_t limits_min_free(const struct engine *s);

#endif
