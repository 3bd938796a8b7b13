/* Local service discovery (BEP 14): announces to a multicast group.
 *
 * An announce looks like an HTTP request without a body. Names of headers are
 * of either case, unknown ones are passed over, and `Infohash` may come several
 * times. A line counts only with its end, so that a cut number is never taken
 * for a whole one; an empty line ends the announce.
 */
#include "proto/lsd.h"

#include "base/err.h"

#include <string.h>

#define LSD_REQUEST "BT-SEARCH * HTTP/1."

/* Takes the next line off `rest`, without its CR and LF; false when no whole
 * one is left. */
static bool lsd_next_line(struct slice *rest, struct slice *line)
{
    const uint8_t *lf = NULL;
    if (rest->len != 0) {
        lf = memchr(rest->p, '\n', rest->len);
    }
    size_t len = 0;

    if (lf == NULL) {
        return false;
    }
    len = (size_t)(lf - rest->p);
    *line = slice_sub(*rest, 0, len);
    *rest = slice_sub(*rest, len + 1, rest->len - len - 1);
    if (line->len > 0 && line->p[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

/* The value of a header of that name (lower case), blanks around it gone. */
static bool lsd_is_header(struct slice line, const char *name,
                          struct slice *value)
{
    size_t n = strlen(name);

    if (line.len <= n || line.p[n] != ':') {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if ((line.p[i] | 0x20) != (uint8_t)name[i]) {
            return false;
        }
    }
    *value = slice_sub(line, n + 1, line.len - n - 1);
    while (value->len > 0 && (value->p[0] == ' ' || value->p[0] == '\t')) {
        *value = slice_sub(*value, 1, value->len - 1);
    }
    while (value->len > 0 && (value->p[value->len - 1] == ' ' ||
                              value->p[value->len - 1] == '\t')) {
        value->len--;
    }
    return true;
}

/* Printable ASCII that fits; what is else is not ours, so it may be lost. */
static void lsd_take_cookie(struct slice value, struct lsd_announce *out)
{
    if (value.len >= sizeof out->cookie) {
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] <= 0x20 || value.p[i] >= 0x7f) {
            return;
        }
    }
    memcpy(out->cookie, value.p, value.len);
    out->cookie[value.len] = '\0';
}

/* A bad hash leaves nothing behind: bytes_from_hex writes up to the
 * first bad digit. */
static void lsd_take_hash(struct slice value, struct lsd_announce *out)
{
    uint8_t hash[20];

    if (out->n_hashes < LSD_MAX_HASHES &&
        bytes_from_hex(value, hash, sizeof hash)) {
        memcpy(out->info_hash[out->n_hashes], hash, sizeof hash);
        out->n_hashes++;
    }
}

static void lsd_take_header(struct slice line, struct lsd_announce *out)
{
    struct slice value = {0};
    uint64_t port = 0;

    if (lsd_is_header(line, "port", &value)) {
        if (bytes_parse_u64(value, &port) && port <= UINT16_MAX) {
            out->port = (uint16_t)port;
        }
    } else if (lsd_is_header(line, "infohash", &value)) {
        lsd_take_hash(value, out);
    } else if (lsd_is_header(line, "cookie", &value) && value.len > 0) {
        lsd_take_cookie(value, out);
    }
}

int lsd_decode(struct slice datagram, struct lsd_announce *out)
{
    struct slice rest = slice_sub(datagram, 0, LSD_MAX_BYTES);
    struct slice line = {0};

    *out = (struct lsd_announce){.port = 0};
    if (!lsd_next_line(&rest, &line) || !slice_has_prefix(line, LSD_REQUEST)) {
        return BTC_E_PROTO;
    }
    while (lsd_next_line(&rest, &line) && line.len > 0) {
        lsd_take_header(line, out);
    }
    if (out->port == 0 || out->n_hashes == 0) {
        return BTC_E_PROTO;
    }
    return 0;
}

int lsd_encode(const struct lsd_announce *a, bool v6, struct buf *out)
{
    const char *host = LSD_GROUP_V4;
    if (v6) {
        host = "[" LSD_GROUP_V6 "]";
    }
    char hex[41];
    int rc = buf_printf(out,
                        LSD_REQUEST "1\r\n"
                                    "Host: %s:%d\r\n"
                                    "Port: %u\r\n",
                        host, LSD_PORT, (unsigned)a->port);

    for (uint32_t i = 0; rc == 0 && i < a->n_hashes; i++) {
        bytes_to_hex(a->info_hash[i], 20, hex);
        rc = buf_printf(out, "Infohash: %s\r\n", hex);
    }
    if (rc == 0 && a->cookie[0] != '\0') {
        rc = buf_printf(out, "cookie: %s\r\n", a->cookie);
    }
    if (rc != 0) {
        return rc;
    }
    return buf_append_str(out, "\r\n\r\n");
}
