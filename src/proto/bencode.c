/* Bencoding (BEP 3): validator, cursor, writer.
 *
 * Token: one of `i...e`, a string, `d`, `l` or `e`. The validator takes tokens
 * one after another and keeps, for each open container, what may come next.
 *
 * Behind the validator the functions trust the shape of the bytes, never their
 * length: a value that bencode_check did not see gives nonsense, but no read
 * past its slice. Skipping a value counts depth, so walking a list costs its
 * length once, however its items nest.
 */
#include "proto/bencode.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What may come next in an open container. */
enum bencode_want {
    BENCODE_WANT_ITEM,  /* top level and lists */
    BENCODE_WANT_KEY,   /* dictionary: a string or the end */
    BENCODE_WANT_VALUE, /* dictionary, after a key */
};

struct bencode_walk {
    struct slice in; /* borrows */
    size_t off;      /* of the next token */
    size_t depth;    /* open containers */
    uint32_t n_values;
    struct bencode_fault fault;
    uint8_t want[BENCODE_MAX_DEPTH + 1]; /* [depth]: enum bencode_want */
};

static bool bencode_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Notes where and why the check ends; gives `code` back. */
static int bencode_fail(struct bencode_walk *w, int code, size_t offset,
                        const char *what)
{
    w->fault.offset = offset;
    w->fault.what = what;
    return code;
}

static int bencode_fail_end(struct bencode_walk *w)
{
    return bencode_fail(w, BTC_E_SYNTAX, w->in.len, "unexpected end");
}

/* Reads a strict decimal of at most `max` at w->off up to the byte `stop`,
 * which is taken too. */
static int bencode_scan_number(struct bencode_walk *w, uint64_t max,
                               uint8_t stop, uint64_t *out)
{
    size_t start = w->off;
    uint64_t v = 0;

    while (w->off < w->in.len && bencode_is_digit(w->in.p[w->off])) {
        uint64_t digit = (uint64_t)(w->in.p[w->off] - '0');
        if (v > max / 10 || digit > max - v * 10) {
            return bencode_fail(w, BTC_E_SYNTAX, start, "number out of range");
        }
        v = v * 10 + digit;
        w->off++;
    }
    if (w->off == w->in.len) {
        return bencode_fail_end(w);
    }
    if (w->off == start || w->in.p[w->off] != stop) {
        return bencode_fail(w, BTC_E_SYNTAX, w->off, "malformed number");
    }
    if (w->in.p[start] == '0' && w->off - start > 1) {
        return bencode_fail(w, BTC_E_SYNTAX, start, "number with leading zero");
    }
    w->off++;
    *out = v;
    return 0;
}

/* i<number>e; w->off stands on the `i`. */
static int bencode_scan_int(struct bencode_walk *w)
{
    uint64_t max = INT64_MAX;
    uint64_t v;
    bool negative;
    int rc;

    w->off++;
    negative = w->off < w->in.len && w->in.p[w->off] == '-';
    if (negative) {
        w->off++;
        max++;
    }
    rc = bencode_scan_number(w, max, 'e', &v);
    if (rc == 0 && negative && v == 0) {
        return bencode_fail(w, BTC_E_SYNTAX, w->off - 3, "minus zero");
    }
    return rc;
}

/* <length>:<bytes>; w->off stands on the first digit. */
static int bencode_scan_str(struct bencode_walk *w)
{
    uint64_t len;
    int rc = bencode_scan_number(w, SIZE_MAX, ':', &len);

    if (rc < 0) {
        return rc;
    }
    if (len > w->in.len - w->off) {
        return bencode_fail(w, BTC_E_SYNTAX, w->in.len, "truncated string");
    }
    w->off += (size_t)len;
    return 0;
}

/* `e`: closes the innermost container. */
static int bencode_scan_end(struct bencode_walk *w)
{
    if (w->depth == 0) {
        return bencode_fail(w, BTC_E_SYNTAX, w->off, "unexpected 'e'");
    }
    if (w->want[w->depth] == BENCODE_WANT_VALUE) {
        return bencode_fail(w, BTC_E_SYNTAX, w->off, "key without a value");
    }
    w->depth--;
    w->off++;
    return 0;
}

/* `d` or `l`. */
static int bencode_scan_open(struct bencode_walk *w, enum bencode_want want)
{
    if (w->depth == BENCODE_MAX_DEPTH) {
        return bencode_fail(w, BTC_E_LIMIT, w->off, "nested too deep");
    }
    w->want[++w->depth] = (uint8_t)want;
    w->off++;
    return 0;
}

/* A value, where one may come. */
static int bencode_scan_value(struct bencode_walk *w)
{
    uint8_t c = w->in.p[w->off];

    if (++w->n_values > BENCODE_MAX_VALUES) {
        return bencode_fail(w, BTC_E_LIMIT, w->off, "too many values");
    }
    if (w->want[w->depth] == BENCODE_WANT_VALUE) {
        w->want[w->depth] = BENCODE_WANT_KEY;
    }
    switch (c) {
    case 'i':
        return bencode_scan_int(w);
    case 'd':
        return bencode_scan_open(w, BENCODE_WANT_KEY);
    case 'l':
        return bencode_scan_open(w, BENCODE_WANT_ITEM);
    default:
        if (bencode_is_digit(c)) {
            return bencode_scan_str(w);
        }
        return bencode_fail(w, BTC_E_SYNTAX, w->off, "not bencoding");
    }
}

/* Takes one token. */
static int bencode_scan(struct bencode_walk *w)
{
    if (w->off == w->in.len) {
        return bencode_fail_end(w);
    }
    if (w->in.p[w->off] == 'e') {
        return bencode_scan_end(w);
    }
    if (w->want[w->depth] != BENCODE_WANT_KEY) {
        return bencode_scan_value(w);
    }
    if (!bencode_is_digit(w->in.p[w->off])) {
        return bencode_fail(w, BTC_E_SYNTAX, w->off, "key is not a string");
    }
    w->want[w->depth] = BENCODE_WANT_VALUE;
    return bencode_scan_str(w);
}

/* Checks one whole value; its length or a negative code. */
ptrdiff_t bencode_check(struct slice in, struct bencode_fault *fault)
{
    struct bencode_walk w;
    int rc;

    memset(&w, 0, sizeof(w));
    w.in = in;
    do {
        rc = bencode_scan(&w);
    } while (rc == 0 && w.depth > 0);
    if (rc < 0) {
        if (fault != NULL) {
            *fault = w.fault;
        }
        return rc;
    }
    return (ptrdiff_t)w.off;
}

/* Reads "<length>:" at p[0] of checked input; gives its bytes, and the string's
 * length, cut where the input ends. */
static size_t bencode_str_head(const uint8_t *p, size_t left, size_t *len)
{
    size_t n = 0;
    size_t i = 0;

    while (i < left && bencode_is_digit(p[i])) {
        n = n * 10 + (size_t)(p[i] - '0');
        i++;
    }
    i += i < left; /* the colon */
    *len = n < left - i ? n : left - i;
    return i;
}

/* Bytes of the first token of checked input (> 0 when left is). */
static size_t bencode_token_len(const uint8_t *p, size_t left)
{
    const uint8_t *end;
    size_t len;

    if (bencode_is_digit(p[0])) {
        return bencode_str_head(p, left, &len) + len;
    }
    if (p[0] == 'i') {
        end = memchr(p, 'e', left);
        if (end == NULL) {
            return left;
        }
        return (size_t)(end - p) + 1;
    }
    return 1;
}

/* Bytes of the first value of checked input. */
static size_t bencode_value_len(struct slice in)
{
    size_t off = 0;
    size_t depth = 0;

    while (off < in.len) {
        uint8_t c = in.p[off];
        off += bencode_token_len(in.p + off, in.len - off);
        if (c == 'd' || c == 'l') {
            depth++;
        } else if (c == 'e' && depth > 0) {
            depth--;
        }
        if (depth == 0) {
            break;
        }
    }
    return off;
}

/* Cuts the first value off the front of checked input. */
static struct slice bencode_take(struct slice *rest)
{
    struct slice value = *rest;

    value.len = bencode_value_len(*rest);
    if (rest->p != NULL) {
        rest->p += value.len;
    }
    rest->len -= value.len;
    return value;
}

enum bencode_type bencode_type(struct slice value)
{
    if (value.len == 0) {
        return BENCODE_NONE;
    }
    switch (value.p[0]) {
    case 'i':
        return BENCODE_INT;
    case 'l':
        return BENCODE_LIST;
    case 'd':
        return BENCODE_DICT;
    default:
        if (bencode_is_digit(value.p[0])) {
            return BENCODE_STR;
        }
        return BENCODE_NONE;
    }
}

struct slice bencode_of(struct slice value, enum bencode_type type)
{
    if (bencode_type(value) == type) {
        return value;
    }
    return slice_of(NULL, 0);
}

bool bencode_int(struct slice value, int64_t *out)
{
    if (bencode_type(value) != BENCODE_INT || value.len < 3) {
        return false;
    }
    return bytes_parse_i64(slice_sub(value, 1, value.len - 2), out);
}

bool bencode_str(struct slice value, struct slice *out)
{
    size_t head;

    if (bencode_type(value) != BENCODE_STR) {
        return false;
    }
    head = bencode_str_head(value.p, value.len, &out->len);
    out->p = value.p + head;
    return true;
}

struct bencode_iter bencode_iter(struct slice value)
{
    struct bencode_iter it = {.rest = slice_of(NULL, 0), .dict = false};
    enum bencode_type type = bencode_type(value);

    if (type == BENCODE_DICT || type == BENCODE_LIST) {
        it.rest = slice_sub(value, 1, value.len - 1);
        it.dict = type == BENCODE_DICT;
    }
    return it;
}

/* Steps to the next item; false at the container's end. */
bool bencode_next(struct bencode_iter *it, struct slice *key,
                  struct slice *value)
{
    *key = slice_of(NULL, 0);
    if (it->rest.len == 0 || it->rest.p[0] == 'e') {
        return false;
    }
    if (it->dict && !bencode_str(bencode_take(&it->rest), key)) {
        return false;
    }
    *value = bencode_take(&it->rest);
    return value->len > 0;
}

struct slice bencode_get(struct slice dict, const char *key)
{
    struct bencode_iter it = bencode_iter(dict);
    struct slice name = slice_str(key);
    struct slice k;
    struct slice v;

    while (it.dict && bencode_next(&it, &k, &v)) {
        if (slice_eq(k, name)) {
            return v;
        }
    }
    return slice_of(NULL, 0);
}

bool bencode_get_int(struct slice dict, const char *key, int64_t *out)
{
    return bencode_int(bencode_get(dict, key), out);
}

bool bencode_get_str(struct slice dict, const char *key, struct slice *out)
{
    return bencode_str(bencode_get(dict, key), out);
}

struct slice bencode_get_list(struct slice dict, const char *key)
{
    return bencode_of(bencode_get(dict, key), BENCODE_LIST);
}

struct slice bencode_get_dict(struct slice dict, const char *key)
{
    return bencode_of(bencode_get(dict, key), BENCODE_DICT);
}

void bencode_dict_open(struct bencode_dict *d, struct slice value)
{
    d->value = value;
    d->rest = bencode_iter(value);
    d->n_known = 0;
}

struct slice bencode_dict_get(struct bencode_dict *d, const char *key)
{
    struct slice name = slice_str(key);
    struct bencode_iter it;
    struct slice k;
    struct slice v;

    for (size_t i = 0; i < d->n_known; i++) {
        if (slice_eq(d->known[i].key, name)) {
            return d->known[i].value;
        }
    }
    it = d->rest;
    while (it.dict && bencode_next(&it, &k, &v)) {
        if (d->n_known < BENCODE_DICT_KNOWN) {
            d->known[d->n_known].key = k;
            d->known[d->n_known++].value = v;
            d->rest = it;
        }
        if (slice_eq(k, name)) {
            return v;
        }
    }
    return slice_of(NULL, 0);
}

int bencode_put_int(struct buf *b, int64_t v)
{
    return buf_printf(b, "i%" PRId64 "e", v);
}

/* All or nothing: a string's length never stands without its bytes. */
int bencode_put_str(struct buf *b, struct slice s)
{
    char head[24];
    int n = snprintf(head, sizeof(head), "%zu:", s.len);
    uint8_t *p;

    BTC_ASSERT(n > 0 && (size_t)n < sizeof(head));
    if (s.len > SIZE_MAX - (size_t)n) {
        return BTC_E_LIMIT;
    }
    p = buf_reserve(b, (size_t)n + s.len);
    if (p == NULL) {
        return BTC_E_LIMIT;
    }
    bytes_put(bytes_put(p, head, (size_t)n), s.p, s.len);
    buf_commit(b, (size_t)n + s.len);
    return 0;
}

int bencode_put_cstr(struct buf *b, const char *s)
{
    return bencode_put_str(b, slice_str(s));
}

int bencode_put_raw(struct buf *b, char c)
{
    return buf_append_byte(b, (uint8_t)c);
}
