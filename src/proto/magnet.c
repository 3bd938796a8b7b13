/* Magnet links (BEP 9, BEP 53) and bare info hashes.
 *
 * A parameter is `key=value`, with '&' between ("&amp;", as pages quote it, is
 * taken too); a key may have a number behind it (`tr.1`). Values are percent-
 * encoded, and in `dn` a '+' is a blank. What identifies the torrent (xt) must
 * be right; of the rest, what is malformed is left out and remembered as a bit
 * of `left_out`. An unknown key costs nothing, however long it is.
 */
#include "proto/magnet.h"

#include "base/bits.h"
#include "base/mem.h"
#include "proto/metainfo/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAGNET_SCHEME "magnet:?"
#define MAGNET_BTIH   "urn:btih:"
#define MAGNET_BTMH   "urn:btmh:"
/* Multihash (BEP 52): SHA2-256, 32 bytes. */
#define MAGNET_SHA256 "1220"

#define MAGNET_BASE32_LEN 32 /* characters of a SHA-1 */
#define MAGNET_HEX1_LEN   40
#define MAGNET_HEX2_LEN   64

/* Indexes that all of `so` may name together, doubles counted. */
#define MAGNET_MAX_SELECT METAINFO_MAX_FILES

struct magnet_parser {
    struct magnet *m;   /* borrows; being filled */
    struct err *e;      /* borrows; may be NULL */
    struct bits select; /* owns; empty until the first so= */
    uint32_t n_named;   /* indexes that so= named */
};

/* True when s begins with the prefix, in whatever case. */
static bool magnet_has_prefix(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);

    for (size_t i = 0; i < n; i++) {
        uint8_t c = 0;
        if (i < s.len) {
            c = s.p[i];
        }
        if (c >= 'A' && c <= 'Z') {
            c = (uint8_t)(c | 0x20);
        }
        if (c != (uint8_t)prefix[i]) {
            return false;
        }
    }
    return true;
}

static struct slice magnet_rest(struct slice s, size_t off)
{
    return slice_sub(s, off, s.len - off);
}

/* Value of a base32 digit (RFC 4648), or 32. */
static unsigned magnet_base32_digit(uint8_t c)
{
    if (c >= '2' && c <= '7') {
        return c - '2' + 26u;
    }
    c |= 0x20;
    if (c >= 'a' && c <= 'z') {
        return c - (unsigned)'a';
    }
    return 32;
}

/* 32 base32 digits into 20 bytes. */
static bool magnet_from_base32(struct slice s, uint8_t dst[SHA1_LEN])
{
    uint32_t acc = 0;
    unsigned n_bits = 0;
    size_t n = 0;

    if (s.len != MAGNET_BASE32_LEN) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = magnet_base32_digit(s.p[i]);
        if (digit == 32) {
            return false;
        }
        acc = acc << 5 | digit;
        n_bits += 5;
        if (n_bits >= 8) {
            n_bits -= 8;
            dst[n++] = (uint8_t)(acc >> n_bits);
        }
    }
    return true;
}

/* A v1 hash as hex or base32. */
static bool magnet_read_v1(struct slice s, uint8_t dst[SHA1_LEN])
{
    if (s.len == MAGNET_HEX1_LEN) {
        return bytes_from_hex(s, dst, SHA1_LEN);
    }
    return magnet_from_base32(s, dst);
}

/* The torrent is named, in one way or the other. */
static bool magnet_has_hash(const struct magnet *m)
{
    return digest_is_set(&m->v1) || digest_is_set(&m->v2);
}

/* xt=urn:btih:... */
static int magnet_read_btih(struct magnet_parser *p, struct slice s)
{
    struct digest hash = {.len = SHA1_LEN};

    if (!magnet_read_v1(s, hash.bytes)) {
        return err_set(p->e, BTC_E_METAINFO,
                       "bad magnet: after xt=urn:btih: stand %zu characters "
                       "that are not 40 hex or 32 base32 digits",
                       s.len);
    }
    if (digest_is_set(&p->m->v1) && !digest_eq(&hash, &p->m->v1)) {
        return err_set(p->e, BTC_E_METAINFO,
                       "bad magnet: it has two different info hashes");
    }
    p->m->v1 = hash;
    return 0;
}

/* xt=urn:btmh:... (BEP 52) */
static int magnet_read_btmh(struct magnet_parser *p, struct slice s)
{
    struct digest hash;

    if (!slice_has_prefix(s, MAGNET_SHA256) ||
        !digest_from_hex(magnet_rest(s, strlen(MAGNET_SHA256)), &hash) ||
        hash.len != SHA256_LEN) {
        return err_set(p->e, BTC_E_METAINFO,
                       "bad magnet: after xt=urn:btmh: does not stand 1220 "
                       "and 64 hex digits");
    }
    if (digest_is_set(&p->m->v2) && !digest_eq(&hash, &p->m->v2)) {
        return err_set(p->e, BTC_E_METAINFO,
                       "bad magnet: it has two different v2 info hashes");
    }
    p->m->v2 = hash;
    return 0;
}

/* An exact topic; those of other networks are passed over. */
static int magnet_read_xt(struct magnet_parser *p, struct slice s)
{
    if (magnet_has_prefix(s, MAGNET_BTIH)) {
        return magnet_read_btih(p, magnet_rest(s, strlen(MAGNET_BTIH)));
    }
    if (magnet_has_prefix(s, MAGNET_BTMH)) {
        return magnet_read_btmh(p, magnet_rest(s, strlen(MAGNET_BTMH)));
    }
    return 0;
}

/* One item of so=: "4" or "6-8"; false when it is none, or names files that
 * no torrent has. */
static bool magnet_read_range(struct magnet_parser *p, struct slice s)
{
    const uint8_t *dash = NULL;
    if (s.len != 0) {
        dash = memchr(s.p, '-', s.len);
    }
    size_t cut = s.len;
    if (dash != NULL) {
        cut = (size_t)(dash - s.p);
    }
    uint64_t first;
    uint64_t last;

    if (!bytes_parse_u64(slice_sub(s, 0, cut), &first)) {
        return false;
    }
    last = first;
    if (dash != NULL && !bytes_parse_u64(magnet_rest(s, cut + 1), &last)) {
        return false;
    }
    if (last < first || last >= METAINFO_MAX_FILES ||
        last - first >= MAGNET_MAX_SELECT - p->n_named) {
        return false;
    }
    p->n_named += (uint32_t)(last - first) + 1;
    for (uint64_t i = first; i <= last; i++) {
        (void)bits_set(&p->select, (uint32_t)i);
    }
    return true;
}

static void magnet_leave_out(struct magnet *m, enum magnet_part part)
{
    m->left_out |= 1u << part;
}

/* BEP 53: file indexes and ranges of them, with commas between. */
static void magnet_read_so(struct magnet_parser *p, struct slice s)
{
    if (s.len == 0) {
        return;
    }
    if (p->select.n == 0 && bits_init(&p->select, METAINFO_MAX_FILES) != 0) {
        magnet_leave_out(p->m, MAGNET_PART_SELECT);
        return;
    }
    for (size_t off = 0; off <= s.len;) {
        struct slice rest = magnet_rest(s, off);
        const uint8_t *comma = NULL;
        if (rest.len != 0) {
            comma = memchr(rest.p, ',', rest.len);
        }
        size_t len = comma == NULL ? rest.len : (size_t)(comma - rest.p);

        if (!magnet_read_range(p, slice_sub(rest, 0, len))) {
            magnet_leave_out(p->m, MAGNET_PART_SELECT);
        }
        off += len + 1;
    }
}

/* The name for display, which is also fit to be a file name. */
static void magnet_read_name(struct magnet *m, struct slice s)
{
    struct buf b;

    if (m->name != NULL || s.len == 0) {
        return;
    }
    buf_init(&b, METAINFO_MAX_ELEMENT + 1);
    metainfo_sanitize(s, &b);
    m->name = buf_take_str(&b);
    buf_fini(&b);
}

/* True for "key" and "key.<digits>". */
static bool magnet_is_key(struct slice key, const char *name)
{
    struct slice rest;
    uint64_t number;

    if (!magnet_has_prefix(key, name)) {
        return false;
    }
    rest = magnet_rest(key, strlen(name));
    return rest.len == 0 ||
           (rest.p[0] == '.' && bytes_parse_u64(magnet_rest(rest, 1), &number));
}

/* A tracker or a web seed. */
static void magnet_read_url(struct magnet *m, enum magnet_part part,
                            struct slice value)
{
    bool tracker = part == MAGNET_PART_TRACKER;
    uint32_t n = tracker ? m->n_trackers : m->n_web_seeds;
    const char *why = "is one too many";
    char *url = NULL;

    if (n < MAGNET_MAX_ITEMS && tracker) {
        url = url_tidy(value, &why);
    } else if (n < MAGNET_MAX_ITEMS) {
        url = url_tidy_http(value, &why);
    }
    if (url == NULL) {
        magnet_leave_out(m, part);
        url_leave_out(&m->urls_left_out, value, why);
    } else if (tracker) {
        metainfo_add_string(&m->trackers, &m->n_trackers, MAGNET_MAX_ITEMS,
                            slice_str(url));
    } else {
        metainfo_add_string(&m->web_seeds, &m->n_web_seeds, MAGNET_MAX_ITEMS,
                            slice_str(url));
    }
    free(url);
}

/* Hints: where data and peers may be found. */
static void magnet_read_hint(struct magnet *m, struct slice key,
                             struct slice value)
{
    if (magnet_is_key(key, "tr")) {
        magnet_read_url(m, MAGNET_PART_TRACKER, value);
    } else if (magnet_is_key(key, "ws")) {
        magnet_read_url(m, MAGNET_PART_WEB_SEED, value);
    } else if (magnet_is_key(key, "x.pe")) {
        if (!metainfo_is_hostport(value) || m->n_peers == MAGNET_MAX_ITEMS) {
            magnet_leave_out(m, MAGNET_PART_PEER);
            return;
        }
        metainfo_add_string(&m->peers, &m->n_peers, MAGNET_MAX_ITEMS, value);
    }
}

/* One parameter with its value decoded. */
static int magnet_read_param(struct magnet_parser *p, struct slice key,
                             struct slice value)
{
    struct magnet *m = p->m;

    value = metainfo_trim(value);
    if (magnet_is_key(key, "xt")) {
        return magnet_read_xt(p, value);
    }
    if (magnet_is_key(key, "so")) {
        magnet_read_so(p, value);
    } else if (magnet_is_key(key, "dn")) {
        magnet_read_name(m, value);
    } else if (magnet_is_key(key, "xl")) {
        if (!bytes_parse_u64(value, &m->length)) {
            m->length = 0;
            magnet_leave_out(m, MAGNET_PART_LENGTH);
        }
    } else if (value.len > 0) {
        magnet_read_hint(m, key, value);
    }
    return 0;
}

/* Decodes %XX, and '+' when it means a blank; a '%' without two hex digits
 * stays as it is. dst has room for s.len bytes. */
static struct slice magnet_decode(struct slice s, bool plus, uint8_t *dst)
{
    size_t n = 0;
    size_t i = 0;

    while (i < s.len) {
        if (s.p[i] == '%' && s.len - i > 2 &&
            bytes_from_hex(slice_sub(s, i + 1, 2), &dst[n], 1)) {
            i += 3;
        } else {
            if (plus && s.p[i] == '+') {
                dst[n] = ' ';
            } else {
                dst[n] = s.p[i];
            }
            i++;
        }
        n++;
    }
    return slice_of(dst, n);
}

/* The parameters behind "magnet:?". */
static int magnet_read_params(struct magnet_parser *p, struct slice s,
                              uint8_t *scratch)
{
    int rc = 0;

    while (rc == 0 && s.len > 0) {
        const uint8_t *amp = memchr(s.p, '&', s.len);
        size_t len = amp == NULL ? s.len : (size_t)(amp - s.p);
        struct slice param = slice_sub(s, 0, len);
        const uint8_t *eq = NULL;
        if (len != 0) {
            eq = memchr(param.p, '=', len);
        }
        s = magnet_rest(s, len + 1 < s.len ? len + 1 : s.len);
        if (magnet_has_prefix(param, "amp;")) {
            param = magnet_rest(param, strlen("amp;"));
        }
        if (eq != NULL) {
            struct slice key = slice_of(param.p, (size_t)(eq - param.p));
            struct slice value = magnet_rest(param, key.len + 1);
            value = magnet_decode(value, magnet_is_key(key, "dn"), scratch);
            rc = magnet_read_param(p, key, value);
        }
    }
    return rc;
}

/* The bits of so= as a list. */
static void magnet_take_select(struct magnet_parser *p)
{
    struct magnet *m = p->m;

    if (p->select.count == 0) {
        return;
    }
    m->select = mem_array(p->select.count, sizeof(*m->select));
    BITS_EACH (i, &p->select) {
        m->select[m->n_select++] = i;
    }
}

/* A whole "magnet:?..." link. */
static int magnet_read_link(struct magnet_parser *p, struct slice s)
{
    uint8_t *scratch;
    int rc;

    if (s.len > MAGNET_MAX_BYTES) {
        return err_set(p->e, BTC_E_METAINFO,
                       "bad magnet: %zu bytes long, at most %u are accepted",
                       s.len, MAGNET_MAX_BYTES);
    }
    scratch = mem_alloc(s.len);
    rc = magnet_read_params(p, magnet_rest(s, strlen(MAGNET_SCHEME)), scratch);
    free(scratch);
    if (rc == 0 && !magnet_has_hash(p->m)) {
        return err_set(p->e, BTC_E_METAINFO,
                       "bad magnet: it has no info hash (xt=urn:btih:...)");
    }
    if (rc == 0) {
        magnet_take_select(p);
    }
    return rc;
}

/* A bare info hash. */
static bool magnet_read_bare(struct magnet *m, struct slice s)
{
    if (s.len == MAGNET_HEX2_LEN) {
        (void)digest_from_hex(s, &m->v2);
    } else if (magnet_read_v1(s, m->v1.bytes)) {
        m->v1.len = SHA1_LEN;
    }
    return magnet_has_hash(m);
}

int magnet_parse(struct slice text, struct magnet **out, struct err *e)
{
    struct magnet_parser p = {.m = mem_zalloc(sizeof(*p.m)), .e = e};
    struct slice s = metainfo_trim(text);
    int rc = 0;

    *out = NULL;
    if (magnet_has_prefix(s, MAGNET_SCHEME)) {
        rc = magnet_read_link(&p, s);
    } else if (!magnet_read_bare(p.m, s)) {
        rc = err_set(e, BTC_E_METAINFO,
                     "neither a magnet link (magnet:?xt=...) nor an info hash "
                     "of 40 or 64 hex or 32 base32 digits");
    }
    bits_fini(&p.select);
    if (rc < 0) {
        magnet_free(p.m);
        return rc;
    }
    *out = p.m;
    return 0;
}

static void magnet_free_strings(char **list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free(list[i]);
    }
    free(list);
}

void magnet_free(struct magnet *m)
{
    if (m == NULL) {
        return;
    }
    magnet_free_strings(m->trackers, m->n_trackers);
    magnet_free_strings(m->web_seeds, m->n_web_seeds);
    magnet_free_strings(m->peers, m->n_peers);
    url_left_out_fini(&m->urls_left_out);
    free(m->select);
    free(m->name);
    free(m);
}

const char *magnet_warning(const struct magnet *m, enum magnet_part part)
{
    static const char *const text[] = {
#define MAGNET_PART_TEXT(name, text) text,
        MAGNET_PARTS(MAGNET_PART_TEXT)
#undef MAGNET_PART_TEXT
    };

    if ((m->left_out >> part & 1) != 0) {
        return text[part];
    }
    return NULL;
}

bool magnet_is(struct slice text)
{
    struct slice s = metainfo_trim(text);
    struct magnet m = {.name = NULL};

    return magnet_has_prefix(s, "magnet:") || magnet_read_bare(&m, s);
}
