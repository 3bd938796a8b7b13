/* What a peer says of its pieces before anybody knows how many there are, as in
 * the time in which a magnet's metadata comes: a BITFIELD, HAVE_ALL, HAVE_NONE
 * and HAVEs. They are remembered, so that the connection goes on when the
 * number is known, and checked against it then.
 */
#ifndef BTC_CORE_SWARM_EARLY_H
#define BTC_CORE_SWARM_EARLY_H

#include "base/bits.h"
#include "core/swarm/metadata.h"

/* No info dictionary that we take has more pieces: each has a digest. */
#define EARLY_MAX_PIECES (METADATA_MAX_BYTES / SHA1_LEN)
#define EARLY_MAX_BYTES  (EARLY_MAX_PIECES / 8 + 1)

struct early {
    uint8_t *map;      /* owns; `len` bytes, in the order of a BITFIELD */
    uint32_t len;      /* as much as was needed so far */
    uint32_t told_len; /* bytes of its BITFIELD; 0 = none came */
    uint32_t end;      /* behind the highest piece of a HAVE */
    bool told;         /* a BITFIELD, HAVE_ALL or HAVE_NONE came */
    bool all;          /* it has every piece */
    bool lost;         /* early_lose: what it has is not known any more */
};

void early_fini(struct early *e); /* a zeroed one is fresh */

/* BTC_E_PROTO: it contradicts what came before, or no torrent is like that. */
int early_bitfield(struct early *e, struct slice map);
int early_have(struct early *e, uint32_t piece);
int early_all(struct early *e);
int early_none(struct early *e);

/* It has a piece, as far as was said. */
bool early_has_any(const struct early *e);

/* Gives the memory back and takes in nothing more. */
void early_lose(struct early *e);

/* Into a map of as many pieces as there are. BTC_E_PROTO: it does not fit them;
 * BTC_E_LIMIT: it is lost. */
int early_load(const struct early *e, struct bits *out);

#endif
