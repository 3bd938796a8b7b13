/* The handshake of the extension protocol (BEP 10).
 *
 * Everything in it is optional and comes from outside: a field that is absent,
 * of a wrong type or out of range is left at "not said". Ids belong to the one
 * who sends them: what stands in `m` is the id under which that side wants to
 * receive the extension.
 */
#include "proto/peer/ext.h"

#include "base/err.h"
#include "proto/bencode.h"
#include "proto/field.h"

#include <string.h>

/* An integer in [1, max], else 0. */
static uint64_t ext_positive(struct slice dict, const char *key, uint64_t max)
{
    int64_t v = 0;

    if (!bencode_get_int(dict, key, &v) || v < 1 || (uint64_t)v > max) {
        return 0;
    }
    return (uint64_t)v;
}

/* An id in `m`; one that is named but makes no sense counts as 0, off. */
static void ext_take_id(struct slice m, const char *key, uint8_t *id)
{
    int64_t v = 0;

    if (bencode_get_int(m, key, &v)) {
        *id = (uint8_t)ext_positive(m, key, UINT8_MAX);
    }
}

/* Numbers that are said and make sense. */
static void ext_take_numbers(struct slice dict, struct ext_handshake *h)
{
    uint64_t port = ext_positive(dict, "p", UINT16_MAX);
    uint64_t size = ext_positive(dict, "metadata_size", INT64_MAX);
    uint64_t reqq = ext_positive(dict, "reqq", INT64_MAX);
    int64_t v = 0;

    if (bencode_get_int(dict, "upload_only", &v)) {
        h->upload_only = v != 0;
    }
    if (port > 0) {
        h->port = (uint16_t)port;
    }
    if (size > 0) {
        h->metadata_size = size;
    }
    if (reqq > 0) {
        if (reqq > EXT_REQQ_MAX) {
            h->reqq = EXT_REQQ_MAX;
        } else {
            h->reqq = (uint32_t)reqq;
        }
    }
}

int ext_handshake_update(struct slice payload, struct ext_handshake *h)
{
    ptrdiff_t used = bencode_check(payload, NULL);
    struct slice dict = {0};
    struct slice text = {0};
    struct slice m = {0};

    if (used <= 0) {
        return BTC_E_PROTO;
    }
    dict = slice_of(payload.p, (size_t)used);
    if (bencode_type(dict) != BENCODE_DICT) {
        return BTC_E_PROTO;
    }
    m = bencode_get_dict(dict, "m");
    ext_take_id(m, "ut_metadata", &h->ut_metadata);
    ext_take_id(m, "ut_pex", &h->ut_pex);
    ext_take_id(m, "lt_donthave", &h->lt_donthave);
    ext_take_numbers(dict, h);
    if (bencode_get_str(dict, "v", &text)) {
        field_text(text, h->client, sizeof h->client);
    }
    if (bencode_get_str(dict, "yourip", &text)) {
        h->yourip = field_ip(text);
    }
    return 0;
}

/* A key with an integer; left out when that is 0. */
static int ext_put_positive(struct buf *out, const char *key, uint64_t v)
{
    int rc = 0;

    if (v == 0 || v > INT64_MAX) {
        return 0;
    }
    rc = bencode_put_cstr(out, key);
    if (rc != 0) {
        return rc;
    }
    return bencode_put_int(out, (int64_t)v);
}

/* A key with a string; left out when that is empty. */
static int ext_put_str(struct buf *out, const char *key, struct slice s)
{
    int rc = 0;

    if (s.len == 0) {
        return 0;
    }
    rc = bencode_put_cstr(out, key);
    if (rc != 0) {
        return rc;
    }
    return bencode_put_str(out, s);
}

/* The dictionary of ids. */
static int ext_put_ids(const struct ext_handshake *h, struct buf *out)
{
    int rc = bencode_put_cstr(out, "m");

    if (rc == 0) {
        rc = bencode_put_raw(out, 'd');
    }
    if (rc == 0) {
        rc = ext_put_positive(out, "lt_donthave", h->lt_donthave);
    }
    if (rc == 0) {
        rc = ext_put_positive(out, "ut_metadata", h->ut_metadata);
    }
    if (rc == 0) {
        rc = ext_put_positive(out, "ut_pex", h->ut_pex);
    }
    if (rc != 0) {
        return rc;
    }
    return bencode_put_raw(out, 'e');
}

/* Our own handshake; keys in their order. */
int ext_handshake_encode(const struct ext_handshake *h, struct buf *out)
{
    size_t ip_len = h->yourip.family == ADDR_V4   ? 4
                    : h->yourip.family == ADDR_V6 ? 16
                                                  : 0;
    int rc = bencode_put_raw(out, 'd');

    if (rc == 0) {
        rc = ext_put_ids(h, out);
    }
    if (rc == 0) {
        rc = ext_put_positive(out, "metadata_size", h->metadata_size);
    }
    if (rc == 0) {
        rc = ext_put_positive(out, "p", h->port);
    }
    if (rc == 0) {
        rc = ext_put_positive(out, "reqq", h->reqq);
    }
    if (rc == 0) {
        rc = ext_put_positive(out, "upload_only", h->upload_only);
    }
    if (rc == 0) {
        rc = ext_put_str(out, "v", slice_str(h->client));
    }
    if (rc == 0) {
        rc = ext_put_str(out, "yourip", slice_of(h->yourip.ip, ip_len));
    }
    if (rc != 0) {
        return rc;
    }
    return bencode_put_raw(out, 'e');
}
