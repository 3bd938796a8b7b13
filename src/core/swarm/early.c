/* Pieces that a peer has, before their number is known; see early.h. */
#include "core/swarm/early.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"
#include <stdlib.h>
#include <string.h>

#define EARLY_FIRST 64u /* bytes of a map that HAVEs make */

void early_fini(struct early *e)
{
    free(e->map);
    *e = (struct early){.told = false};
}

void early_lose(struct early *e)
{
    early_fini(e);
    e->lost = true;
}

/* Room for so many bytes; new ones are zero. It doubles, so that a HAVE for
 * each piece does not copy the map each time. */
static void early_grow(struct early *e, uint32_t len)
{
    if (len <= e->len) {
        return;
    }
    size_t most = num_min((size_t)e->len * 2, EARLY_MAX_BYTES);
    uint32_t want = (uint32_t)num_max(num_max(most, len), EARLY_FIRST);
    e->map = mem_resize(e->map, want, 1);
    memset(e->map + e->len, 0, want - e->len);
    e->len = want;
}

int early_bitfield(struct early *e, struct slice map)
{
    if (e->lost) {
        return 0;
    }
    if (map.len > EARLY_MAX_BYTES || e->end > map.len * 8 ||
        (e->told_len != 0 && e->told_len != map.len)) {
        return BTC_E_PROTO;
    }
    early_grow(e, (uint32_t)map.len);
    bytes_put(e->map, map.p, map.len);
    e->told_len = (uint32_t)map.len;
    e->told = true;
    e->all = false;
    return 0;
}

int early_have(struct early *e, uint32_t piece)
{
    if (e->lost) {
        return 0;
    }
    if (piece >= EARLY_MAX_PIECES ||
        (e->told_len != 0 && piece / 8 >= e->told_len)) {
        return BTC_E_PROTO;
    }
    e->end = (uint32_t)num_max(e->end, piece + 1);
    if (!e->all) {
        early_grow(e, piece / 8 + 1);
        e->map[piece / 8] |= (uint8_t)(0x80u >> (piece & 7));
    }
    return 0;
}

int early_all(struct early *e)
{
    e->told = true;
    e->all = !e->lost;
    return 0;
}

int early_none(struct early *e)
{
    if (e->told) {
        return BTC_E_PROTO;
    }
    e->told = true;
    if (e->len > 0) {
        memset(e->map, 0, e->len);
    }
    return 0;
}

bool early_has_any(const struct early *e)
{
    for (uint32_t i = 0; !e->all && i < e->len; i++) {
        if (e->map[i] != 0) {
            return true;
        }
    }
    return e->all;
}

int early_load(const struct early *e, struct bits *out)
{
    size_t len = bits_bytes(out->n);
    if (e->lost) {
        return BTC_E_LIMIT;
    }
    if (e->end > out->n || (e->told_len != 0 && e->told_len != len)) {
        return BTC_E_PROTO;
    }
    if (e->all) {
        bits_fill(out);
        return 0;
    }
    uint8_t *map = mem_zalloc(len + 1);
    bytes_put(map, e->map, num_min_u32(e->len, (uint32_t)len));
    int rc = bits_load(out, slice_of(map, len));
    free(map);
    return rc;
}
