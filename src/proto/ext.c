/* The handshake of the extension protocol (BEP 10).
 *
 * Everything in it is optional and comes from outside: a field that is absent,
 * of a wrong type or out of range is left at "not said". Ids belong to the one
 * who sends them: what stands in `m` is the id under which that side wants to
 * receive the extension.
 */
#include "proto/ext.h"

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

/* Reads the handshake of a peer. */
int ext_handshake_decode(struct slice payload, struct ext_handshake *out)
{
    ptrdiff_t used = bencode_check(payload, NULL);
    struct slice dict = {0};
    struct slice text = {0};
    struct slice m = {0};
    int64_t v = 0;

    *out = (struct ext_handshake){.yourip = addr_none()};
    if (used <= 0) {
        return BTC_E_PROTO;
    }
    dict = slice_of(payload.p, (size_t)used);
    if (bencode_type(dict) != BENCODE_DICT) {
        return BTC_E_PROTO;
    }
    m = bencode_get_dict(dict, "m");
    if (m.len > 0) {
        out->ut_metadata = (uint8_t)ext_positive(m, "ut_metadata", UINT8_MAX);
        out->ut_pex = (uint8_t)ext_positive(m, "ut_pex", UINT8_MAX);
        out->lt_donthave = (uint8_t)ext_positive(m, "lt_donthave", UINT8_MAX);
    }
    out->upload_only = bencode_get_int(dict, "upload_only", &v) && v != 0;
    out->port = (uint16_t)ext_positive(dict, "p", UINT16_MAX);
    out->metadata_size = ext_positive(dict, "metadata_size", INT64_MAX);
    v = (int64_t)ext_positive(dict, "reqq", INT64_MAX);
    out->reqq = v > EXT_REQQ_MAX ? EXT_REQQ_MAX : (uint32_t)v;
    if (bencode_get_str(dict, "v", &text)) {
        field_text(text, out->client, sizeof out->client);
    }
    if (bencode_get_str(dict, "yourip", &text)) {
        out->yourip = field_ip(text);
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
    return rc != 0 ? rc : bencode_put_int(out, (int64_t)v);
}

/* A key with a string; left out when that is empty. */
static int ext_put_str(struct buf *out, const char *key, struct slice s)
{
    int rc = 0;

    if (s.len == 0) {
        return 0;
    }
    rc = bencode_put_cstr(out, key);
    return rc != 0 ? rc : bencode_put_str(out, s);
}

/* The dictionary of ids. */
static int ext_put_ids(const struct ext_handshake *h, struct buf *out)
{
    int rc = bencode_put_cstr(out, "m");

    rc = rc != 0 ? rc : bencode_put_raw(out, 'd');
    rc = rc != 0 ? rc : ext_put_positive(out, "lt_donthave", h->lt_donthave);
    rc = rc != 0 ? rc : ext_put_positive(out, "ut_metadata", h->ut_metadata);
    rc = rc != 0 ? rc : ext_put_positive(out, "ut_pex", h->ut_pex);
    return rc != 0 ? rc : bencode_put_raw(out, 'e');
}

/* Our own handshake; keys in their order. */
int ext_handshake_encode(const struct ext_handshake *h, struct buf *out)
{
    size_t ip_len = h->yourip.family == ADDR_V4   ? 4
                    : h->yourip.family == ADDR_V6 ? 16
                                                  : 0;
    int rc = bencode_put_raw(out, 'd');

    rc = rc != 0 ? rc : ext_put_ids(h, out);
    rc =
        rc != 0 ? rc : ext_put_positive(out, "metadata_size", h->metadata_size);
    rc = rc != 0 ? rc : ext_put_positive(out, "p", h->port);
    rc = rc != 0 ? rc : ext_put_positive(out, "reqq", h->reqq);
    rc = rc != 0 ? rc : ext_put_positive(out, "upload_only", h->upload_only);
    rc = rc != 0 ? rc : ext_put_str(out, "v", slice_str(h->client));
    rc = rc != 0 ? rc
                 : ext_put_str(out, "yourip", slice_of(h->yourip.ip, ip_len));
    return rc != 0 ? rc : bencode_put_raw(out, 'e');
}
