/* The info dictionaries that are in memory, over all torrents of a run.
 *
 * A torrent needs its own when a piece is hashed (the digests stand in it) and
 * when a peer asks for metadata. Most of a large set need none for hours, and
 * each may be of a hundred kilobytes: so what was not used lately is dropped,
 * but for a few, and read from the journal when it is needed again.
 */
#ifndef BTC_ENGINE_INFOS_H
#define BTC_ENGINE_INFOS_H

#include "engine/internal.h"

/* Unused ones that stay, as far as they fit in here; one always does. */
#define INFOS_REST_BYTES  (1u << 20)
#define INFOS_ACTIVE_MS   30000u      /* so long after its last use one stays */
#define INFOS_PEERS_BYTES (64u << 20) /* none is read for peers beyond that */
#define INFOS_PEERS_RATE  (16u << 20) /* bytes a second read for peers */

struct infos *infos_new(uint64_t now_ms);
void infos_free(struct infos *i); /* when no torrent is left; NULL allowed */
/* The torrent has got its `meta`, with the info dictionary. */
void infos_add(struct engine_torrent *st);
/* It is about to lose it; nothing waits for it. */
void infos_forget(struct engine_torrent *st);
/* Submits a FINISH or HASH, with the digest of the piece. When that cannot be
 * read, the job is done with BTC_E_DB. */
void infos_submit(struct engine_torrent *st, struct store_job *job,
                  uint32_t piece);
/* ACTION_INFO. Peers may ask for as many torrents as they like: beyond a rate,
 * and a sum of bytes, they are refused. */
void infos_want(struct engine_torrent *st);
/* Drops what was not used lately. */
void infos_second(struct engine *s);

#endif
