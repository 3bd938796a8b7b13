/* Peer exchange (BEP 11): the payload of ut_pex.
 *
 * Addresses come in compact form, one string for each family, with one byte of
 * flags per added peer in a string beside it. Whether a sender may say so much
 * or so often is decided in core/swarm/pex.
 */
#include "proto/peer/ut_pex.h"

#include "base/err.h"
#include "proto/bencode.h"

/* One of the address strings. */
struct ut_pex_field {
    const char *key;
    const char *flags_key; /* NULL: it has no flags */
    size_t entry_len;
    enum addr_family family;
};

static const struct ut_pex_field ut_pex_added[] = {
    {"added", "added.f", ADDR_COMPACT_4, ADDR_V4},
    {"added6", "added6.f", ADDR_COMPACT_6, ADDR_V6},
};
static const struct ut_pex_field ut_pex_dropped[] = {
    {"dropped", NULL, ADDR_COMPACT_4, ADDR_V4},
    {"dropped6", NULL, ADDR_COMPACT_6, ADDR_V6},
};

/* The entry at `off`, which the caller has checked to be whole. */
static struct addr ut_pex_addr(const struct ut_pex_field *f, struct slice in,
                               size_t off)
{
    if (f->family == ADDR_V4) {
        return addr_from_compact4(in.p + off);
    }
    return addr_from_compact6(in.p + off);
}

static void ut_pex_take_added(struct slice dict, const struct ut_pex_field *f,
                              struct ut_pex *out)
{
    struct slice in = {0};
    struct slice flags = {0};
    size_t n = 0;

    if (!bencode_get_str(dict, f->key, &in)) {
        return;
    }
    (void)bencode_get_str(dict, f->flags_key, &flags);
    n = in.len / f->entry_len;
    for (size_t i = 0; i < n && out->n_added < UT_PEX_MAX_PEERS; i++) {
        struct ut_pex_peer *peer = &out->added[out->n_added];

        peer->addr = ut_pex_addr(f, in, i * f->entry_len);
        peer->flags = 0;
        if (i < flags.len) {
            peer->flags = flags.p[i];
        }
        out->n_added += addr_is_dialable(&peer->addr);
    }
}

static void ut_pex_take_dropped(struct slice dict, const struct ut_pex_field *f,
                                struct ut_pex *out)
{
    struct slice in = {0};
    size_t n = 0;

    if (!bencode_get_str(dict, f->key, &in)) {
        return;
    }
    n = in.len / f->entry_len;
    for (size_t i = 0; i < n && out->n_dropped < UT_PEX_MAX_PEERS; i++) {
        struct addr *a = &out->dropped[out->n_dropped];

        *a = ut_pex_addr(f, in, i * f->entry_len);
        out->n_dropped += addr_is_dialable(a);
    }
}

int ut_pex_decode(struct slice payload, struct ut_pex *out)
{
    ptrdiff_t used = bencode_check(payload, NULL);
    struct slice dict = {0};

    *out = (struct ut_pex){.n_added = 0};
    if (used <= 0) {
        return BTC_E_PROTO;
    }
    dict = slice_of(payload.p, (size_t)used);
    if (bencode_type(dict) != BENCODE_DICT) {
        return BTC_E_PROTO;
    }
    for (size_t i = 0; i < 2; i++) {
        ut_pex_take_added(dict, &ut_pex_added[i], out);
        ut_pex_take_dropped(dict, &ut_pex_dropped[i], out);
    }
    return 0;
}

/* A key and the head of a string of `len` bytes. */
static int ut_pex_put_head(struct buf *out, const char *key, size_t len)
{
    int rc = bencode_put_cstr(out, key);

    if (rc != 0) {
        return rc;
    }
    return buf_printf(out, "%zu:", len);
}

static int ut_pex_put_addr(struct buf *out, const struct addr *a)
{
    uint8_t compact[ADDR_COMPACT_6] = {0};
    size_t len = addr_to_compact(a, compact);

    return buf_append(out, compact, len);
}

/* The added peers of one family, and their flags. */
static int ut_pex_put_added(const struct ut_pex *m,
                            const struct ut_pex_field *f, struct buf *out)
{
    size_t n = 0;
    int rc = 0;

    for (uint32_t i = 0; i < m->n_added; i++) {
        n += m->added[i].addr.family == f->family;
    }
    if (n == 0) {
        return 0;
    }
    rc = ut_pex_put_head(out, f->key, n * f->entry_len);
    for (uint32_t i = 0; rc == 0 && i < m->n_added; i++) {
        if (m->added[i].addr.family == f->family) {
            rc = ut_pex_put_addr(out, &m->added[i].addr);
        }
    }
    if (rc == 0) {
        rc = ut_pex_put_head(out, f->flags_key, n);
    }
    for (uint32_t i = 0; rc == 0 && i < m->n_added; i++) {
        if (m->added[i].addr.family == f->family) {
            rc = buf_append_byte(out, m->added[i].flags);
        }
    }
    return rc;
}

/* The dropped peers of one family. */
static int ut_pex_put_dropped(const struct ut_pex *m,
                              const struct ut_pex_field *f, struct buf *out)
{
    size_t n = 0;
    int rc = 0;

    for (uint32_t i = 0; i < m->n_dropped; i++) {
        n += m->dropped[i].family == f->family;
    }
    if (n == 0) {
        return 0;
    }
    rc = ut_pex_put_head(out, f->key, n * f->entry_len);
    for (uint32_t i = 0; rc == 0 && i < m->n_dropped; i++) {
        if (m->dropped[i].family == f->family) {
            rc = ut_pex_put_addr(out, &m->dropped[i]);
        }
    }
    return rc;
}

/* The keys stand in the order of their bytes. */
int ut_pex_encode(const struct ut_pex *m, struct buf *out)
{
    int rc = bencode_put_raw(out, 'd');

    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = ut_pex_put_added(m, &ut_pex_added[i], out);
    }
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        rc = ut_pex_put_dropped(m, &ut_pex_dropped[i], out);
    }
    if (rc != 0) {
        return rc;
    }
    return bencode_put_raw(out, 'e');
}
