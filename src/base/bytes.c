/* Slices, big-endian access, strict numbers, hex, UTF-8. */
#include "base/bytes.h"

#include <string.h>

/* Of a fraction six digits count; more are read and dropped. */
#define BYTES_FRACTION_UNIT 1000000u

/* `len` bytes at `p`. */
struct slice slice_of(const void *p, size_t len)
{
    return (struct slice){p, len};
}

/* A string without its NUL. */
struct slice slice_str(const char *s)
{
    return slice_of(s, s ? strlen(s) : 0);
}

/* The same bytes. */
bool slice_eq(struct slice a, struct slice b)
{
    if (a.len != b.len) {
        return false;
    }
    return a.len == 0 || (a.p && b.p && memcmp(a.p, b.p, a.len) == 0);
}

/* The same bytes as a string. */
bool slice_eq_str(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

/* Starts with a string. */
bool slice_has_prefix(struct slice a, const char *s)
{
    struct slice prefix = slice_str(s);
    return a.len >= prefix.len && slice_eq(slice_sub(a, 0, prefix.len), prefix);
}

/* A part, clamped to the whole. */
struct slice slice_sub(struct slice a, size_t off, size_t len)
{
    if (off > a.len) {
        off = a.len;
    }
    if (len > a.len - off) {
        len = a.len - off;
    }
    return slice_of(a.p ? a.p + off : NULL, len);
}

/* 2 bytes, big-endian. */
uint16_t bytes_get_be16(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}

/* 4 bytes, big-endian. */
uint32_t bytes_get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           (uint32_t)p[3];
}

/* 8 bytes, big-endian. */
uint64_t bytes_get_be64(const uint8_t *p)
{
    return (uint64_t)bytes_get_be32(p) << 32 | bytes_get_be32(p + 4);
}

/* 1 byte. */
uint8_t *bytes_put_u8(uint8_t *p, uint8_t v)
{
    *p = v;
    return p + 1;
}

/* 2 bytes, big-endian. */
uint8_t *bytes_put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
    return p + 2;
}

/* 4 bytes, big-endian. */
uint8_t *bytes_put_be32(uint8_t *p, uint32_t v)
{
    p = bytes_put_be16(p, (uint16_t)(v >> 16));
    return bytes_put_be16(p, (uint16_t)v);
}

/* 8 bytes, big-endian. */
uint8_t *bytes_put_be64(uint8_t *p, uint64_t v)
{
    p = bytes_put_be32(p, (uint32_t)(v >> 32));
    return bytes_put_be32(p, (uint32_t)v);
}

/* `len` bytes as they are. */
uint8_t *bytes_put(uint8_t *p, const void *src, size_t len)
{
    if (len == 0) {
        return p; /* NULL allowed */
    }
    memcpy(p, src, len);
    return p + len;
}

/* Lower-case hex with a NUL behind it. */
void bytes_to_hex(const uint8_t *p, size_t len, char *dst)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *dst++ = digits[p[i] >> 4];
        *dst++ = digits[p[i] & 15];
    }
    *dst = '\0';
}

/* The value of a hex digit, -1 when it is none. */
static int bytes_hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Exactly 2*len digits; dst may be half written when it fails. */
bool bytes_from_hex(struct slice hex, uint8_t *dst, size_t len)
{
    if (hex.len / 2 != len || hex.len % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        int hi = bytes_hex_value(hex.p[2 * i]);
        int lo = bytes_hex_value(hex.p[2 * i + 1]);
        if (hi < 0 || lo < 0) {
            return false;
        }
        dst[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

/* Digits only, no leading zero, no overflow. */
bool bytes_parse_u64(struct slice s, uint64_t *out)
{
    uint64_t v = 0;
    if (!s.p || s.len == 0 || (s.len > 1 && s.p[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (v > (UINT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

/* The same with an optional '-'. */
bool bytes_parse_i64(struct slice s, int64_t *out)
{
    bool negative = s.len > 0 && s.p[0] == '-';
    uint64_t v = 0;
    if (!bytes_parse_u64(slice_sub(s, negative ? 1 : 0, s.len), &v)) {
        return false;
    }
    if (!negative) {
        *out = (int64_t)v;
        return v <= INT64_MAX;
    }
    if (v == 0 || v > (uint64_t)INT64_MAX + 1) {
        return false;
    }
    *out = -(int64_t)(v - 1) - 1;
    return true;
}

/* Takes "12" or "12.5" off the front: whole part and millionths. */
static bool bytes_take_decimal(struct slice *s, uint64_t *whole,
                               uint64_t *millionths)
{
    size_t n = 0;
    while (n < s->len && s->p[n] >= '0' && s->p[n] <= '9') {
        n++;
    }
    if (!bytes_parse_u64(slice_sub(*s, 0, n), whole)) {
        return false;
    }
    *s = slice_sub(*s, n, s->len);
    *millionths = 0;
    if (s->len == 0 || s->p[0] != '.') {
        return true;
    }
    uint64_t unit = BYTES_FRACTION_UNIT;
    for (n = 1; n < s->len && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
        unit /= 10;
        *millionths += unit * (uint64_t)(s->p[n] - '0');
    }
    *s = slice_sub(*s, n, s->len);
    return n > 1;
}

/* (whole + millionths) * unit, rounded down; units stay below 2^44. */
static bool bytes_scale(uint64_t whole, uint64_t millionths, uint64_t unit,
                        uint64_t *out)
{
    uint64_t part = millionths * unit / BYTES_FRACTION_UNIT;
    if (whole > (UINT64_MAX - part) / unit) {
        return false;
    }
    *out = whole * unit + part;
    return true;
}

/* Equal but for the case of ASCII letters; `lower` is in lower case. */
static bool bytes_eq_nocase(struct slice s, const char *lower)
{
    if (s.len != strlen(lower)) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        if (c >= 'A' && c <= 'Z') {
            c = (uint8_t)(c - 'A' + 'a');
        }
        if (c != (uint8_t)lower[i]) {
            return false;
        }
    }
    return true;
}

struct bytes_unit {
    char suffix[4];
    uint64_t unit;
};

/* The unit that the rest of the text names. */
static bool bytes_find_unit(struct slice s, const struct bytes_unit *units,
                            size_t n, uint64_t *unit)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes_eq_nocase(s, units[i].suffix)) {
            *unit = units[i].unit;
            return true;
        }
    }
    return false;
}

/* "512", "1.5M", "10KiB": bytes. */
bool bytes_parse_size(struct slice s, uint64_t *out)
{
    static const struct bytes_unit units[] = {
        {"", 1},
        {"k", 1ull << 10},
        {"kb", 1ull << 10},
        {"kib", 1u << 10},
        {"m", 1ull << 20},
        {"mb", 1ull << 20},
        {"mib", 1u << 20},
        {"g", 1ull << 30},
        {"gb", 1ull << 30},
        {"gib", 1u << 30},
        {"t", 1ull << 40},
        {"tb", 1ull << 40},
        {"tib", 1ull << 40},
    };
    uint64_t whole = 0;
    uint64_t millionths = 0;
    uint64_t unit = 0;
    return bytes_take_decimal(&s, &whole, &millionths) &&
           bytes_find_unit(s, units, sizeof(units) / sizeof(units[0]), &unit) &&
           bytes_scale(whole, millionths, unit, out);
}

/* "90", "90s", "1.5h", "250ms": milliseconds. */
bool bytes_parse_duration_ms(struct slice s, uint64_t *out_ms)
{
    static const struct bytes_unit units[] = {
        {"", 1000},     {"ms", 1},       {"s", 1000},      {"m", 60000},
        {"h", 3600000}, {"d", 86400000}, {"w", 604800000},
    };
    uint64_t whole = 0;
    uint64_t millionths = 0;
    uint64_t unit = 0;
    return bytes_take_decimal(&s, &whole, &millionths) &&
           bytes_find_unit(s, units, sizeof(units) / sizeof(units[0]), &unit) &&
           bytes_scale(whole, millionths, unit, out_ms);
}

/* Bytes of the UTF-8 character at p, 0 when it is not well formed. */
static size_t bytes_utf8_char(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80             ? 1
               : (p[0] & 0xe0) == 0xc0 ? 2
               : (p[0] & 0xf0) == 0xe0 ? 3
               : (p[0] & 0xf8) == 0xf0 ? 4
                                       : 0;
    if (n <= 1) {
        return n;
    }
    if (n > left) {
        return 0;
    }
    uint32_t c = p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3fu);
    }
    bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
    if (c < least[n] || c > 0x10ffff || is_surrogate) {
        return 0;
    }
    return n;
}

/* Well formed as a whole. */
bool bytes_is_utf8(struct slice s)
{
    for (size_t i = 0; i < s.len;) {
        size_t n = bytes_utf8_char(s.p + i, s.len - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}
