/* HTTP trackers: announce URLs and replies (BEP 3, 7, 21, 23, 24, 27, 31).
 *
 * Vocabulary. `peers` comes as a string of 6-byte entries (compact, BEP 23) or
 * as a list of dictionaries (BEP 3); `peers6` (BEP 7) as 18-byte entries. A
 * reply may have any mix of them, and some trackers send IPv6 peers in the
 * list.
 *
 * A tracker is not trusted: whatever has the wrong type counts as absent, every
 * number is clamped, every text made printable, and the work is bounded by
 * TRACKER_HTTP_MAX_ENTRIES whatever the length of the reply.
 */
#include "proto/tracker/http.h"

#include "base/mem.h"
#include "base/num.h"
#include "proto/bencode.h"
#include "proto/field.h"
#include "proto/tracker/excerpt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Entries looked at in one reply: doubles and addresses that cannot be dialled
 * count here, so that they cost a bounded time. */
#define TRACKER_HTTP_MAX_ENTRIES (4 * TRACKER_MAX_PEERS)
/* Slots of the table that finds doubles: a power of two, at least twice the
 * peers. */
#define TRACKER_HTTP_SLOTS 4096

/* What the dialable peers are gathered in. */
struct tracker_http_peers {
    struct addr *list;                 /* TRACKER_MAX_PEERS of them */
    uint32_t n;                        /* in use */
    uint32_t n_seen;                   /* entries looked at */
    uint16_t slot[TRACKER_HTTP_SLOTS]; /* index into list + 1; 0 = free */
};

/* Bytes of a query value that need no escape (RFC 3986, 2.3). */
static bool tracker_http_is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == '~';
}

/* One byte as %XX. */
static int tracker_http_put_escape(struct buf *out, uint8_t c)
{
    static const char digit[] = "0123456789ABCDEF";
    const char text[3] = {'%', digit[c >> 4], digit[c & 15]};

    return buf_append(out, text, sizeof text);
}

/* "name=value" with the value escaped. */
static int tracker_http_put_value(struct buf *out, const char *name,
                                  struct slice value)
{
    int rc = buf_append_str(out, name);

    for (size_t i = 0; rc == 0 && i < value.len; i++) {
        uint8_t c = value.p[i];

        if (tracker_http_is_unreserved(c)) {
            rc = buf_append_byte(out, c);
        } else {
            rc = tracker_http_put_escape(out, c);
        }
    }
    return rc;
}

/* The announce URL up to its fragment, with what can never stand in a URL
 * (blanks, controls, bytes over 0x7e) escaped, and the '?' or '&' behind it. */
static int tracker_http_put_base(struct buf *out, const char *announce)
{
    const char *sep = "?";
    int rc = 0;
    uint8_t last = 0;

    for (const char *p = announce; rc == 0 && *p != '\0' && *p != '#'; p++) {
        last = (uint8_t)*p;
        if (last > 0x20 && last < 0x7f) {
            rc = buf_append_byte(out, last);
        } else {
            rc = tracker_http_put_escape(out, last);
        }
        if (last == '?') {
            sep = "&";
        }
    }
    if (last == '?' || (last == '&' && *sep == '&')) {
        sep = "";
    }
    if (rc != 0) {
        return rc;
    }
    return buf_append_str(out, sep);
}

/* The value of `event`; NULL for a regular announce, but a partial seed says
 * each time that it is one (BEP 21). */
static const char *tracker_http_event(const struct tracker_request *r)
{
    switch (r->event) {
    case TRACKER_EVENT_NONE:
        if (r->partial_seed) {
            return "paused";
        }
        return NULL;
    case TRACKER_EVENT_STARTED:
        return "started";
    case TRACKER_EVENT_COMPLETED:
        return "completed";
    case TRACKER_EVENT_STOPPED:
        return "stopped";
    }
    return NULL;
}

/* The URL of one announce. */
int tracker_http_url(const char *announce, const struct tracker_request *r,
                     struct buf *out)
{
    const char *event = tracker_http_event(r);
    int rc = tracker_http_put_base(out, announce);

    if (rc == 0) {
        rc = tracker_http_put_value(
            out, "info_hash=", slice_of(r->info_hash, sizeof r->info_hash));
    }
    if (rc == 0) {
        rc = tracker_http_put_value(
            out, "&peer_id=", slice_of(r->peer_id, sizeof r->peer_id));
    }
    if (rc == 0) {
        rc = buf_printf(out,
                        "&port=%u&uploaded=%llu&downloaded=%llu&left=%llu"
                        "&key=%08X&numwant=%u&compact=1",
                        (unsigned)r->port, (unsigned long long)r->uploaded,
                        (unsigned long long)r->downloaded,
                        (unsigned long long)r->left, (unsigned)r->key,
                        (unsigned)r->numwant);
    }
    if (rc == 0 && event != NULL) {
        rc = buf_printf(out, "&event=%s", event);
    }
    if (rc == 0 && r->tracker_id[0] != '\0') {
        rc = tracker_http_put_value(out,
                                    "&trackerid=", slice_str(r->tracker_id));
    }
    return rc;
}

/* Seconds of an interval, clamped; 0 when absent or not positive. */
static uint32_t tracker_http_interval(struct slice dict, const char *key)
{
    int64_t v = 0;

    if (!bencode_get_int(dict, key, &v) || v <= 0) {
        return 0;
    }
    if (v < TRACKER_MIN_INTERVAL) {
        return TRACKER_MIN_INTERVAL;
    }
    if (v > TRACKER_MAX_INTERVAL) {
        return TRACKER_MAX_INTERVAL;
    }
    return (uint32_t)v;
}

/* BEP 31: whole minutes, or "never". */
static int64_t tracker_http_retry_in(struct slice dict)
{
    struct slice text = slice_of(NULL, 0);
    int64_t minutes = 0;

    if (bencode_get_str(dict, "retry in", &text)) {
        if (slice_eq_str(text, "never")) {
            return -1;
        }
        return 0;
    }
    if (!bencode_get_int(dict, "retry in", &minutes) || minutes <= 0) {
        return 0;
    }
    if (minutes > TRACKER_MAX_INTERVAL / 60) {
        return TRACKER_MAX_INTERVAL;
    }
    return minutes * 60;
}

/* A number of peers; -1 when absent or negative. */
static int64_t tracker_http_count(struct slice dict, const char *key)
{
    int64_t v = 0;

    if (bencode_get_int(dict, key, &v) && v >= 0) {
        return v;
    }
    return -1;
}

/* Keeps one peer if it can be dialled and is new; false when no more are
 * wanted. */
static bool tracker_http_keep(struct tracker_http_peers *peers,
                              const struct addr *a)
{
    size_t i = addr_hash(a) & (TRACKER_HTTP_SLOTS - 1);

    peers->n_seen++;
    if (peers->n_seen > TRACKER_HTTP_MAX_ENTRIES) {
        return false;
    }
    if (!addr_is_dialable(a)) {
        return true;
    }
    while (peers->slot[i] != 0) {
        if (addr_eq(&peers->list[peers->slot[i] - 1], a)) {
            return true;
        }
        i = (i + 1) & (TRACKER_HTTP_SLOTS - 1);
    }
    if (peers->n == TRACKER_MAX_PEERS) {
        return false;
    }
    peers->list[peers->n++] = *a;
    peers->slot[i] = (uint16_t)peers->n;
    return true;
}

/* Compact peers of 6 or 18 bytes each; a cut entry at the end is left out. */
static void tracker_http_take_compact(struct tracker_http_peers *peers,
                                      struct slice in, size_t entry_len)
{
    for (size_t off = 0; in.len - off >= entry_len; off += entry_len) {
        struct addr a = entry_len == ADDR_COMPACT_6
                            ? addr_from_compact6(in.p + off)
                            : addr_from_compact4(in.p + off);

        if (!tracker_http_keep(peers, &a)) {
            return;
        }
    }
}

/* One dictionary of the list form; family NONE when it names no numeric
 * address: hostnames are not looked up. */
static struct addr tracker_http_dict_peer(struct slice dict)
{
    struct slice ip = slice_of(NULL, 0);
    struct addr a = addr_none();
    uint8_t compact[ADDR_COMPACT_6] = {0};
    int64_t port = 0;

    if (bencode_type(dict) != BENCODE_DICT ||
        !bencode_get_str(dict, "ip", &ip) ||
        !bencode_get_int(dict, "port", &port) || port < 1 ||
        port > UINT16_MAX || !addr_parse_ip(ip, (uint16_t)port, &a)) {
        return addr_none();
    }
    if (a.family == ADDR_V6) {
        /* "::ffff:1.2.3.4" is the same peer as "1.2.3.4". */
        addr_to_compact(&a, compact);
        a = addr_from_compact6(compact);
    }
    return a;
}

/* Peers in either form. */
static void tracker_http_take_peers(struct tracker_http_peers *peers,
                                    struct slice dict, const char *key,
                                    size_t entry_len)
{
    struct slice value = bencode_get(dict, key);
    struct slice name = slice_of(NULL, 0);
    struct slice item = slice_of(NULL, 0);
    struct bencode_iter it;

    if (value.len == 0) {
        return;
    }
    if (bencode_str(value, &item)) {
        tracker_http_take_compact(peers, item, entry_len);
        return;
    }
    if (bencode_type(value) != BENCODE_LIST) {
        return;
    }
    it = bencode_iter(value);
    while (bencode_next(&it, &name, &item)) {
        struct addr a = tracker_http_dict_peer(item);

        if (!tracker_http_keep(peers, &a)) {
            return;
        }
    }
}

/* All peers of a reply, moved into memory of their number. */
static void tracker_http_parse_peers(struct slice dict,
                                     struct tracker_reply *out)
{
    struct tracker_http_peers *peers = mem_zalloc(sizeof *peers);

    peers->list = mem_array(TRACKER_MAX_PEERS, sizeof *peers->list);
    tracker_http_take_peers(peers, dict, "peers", ADDR_COMPACT_4);
    tracker_http_take_peers(peers, dict, "peers6", ADDR_COMPACT_6);
    if (peers->n > 0) {
        out->peers = mem_dup(peers->list, peers->n * sizeof *peers->list);
        out->n_peers = peers->n;
    }
    free(peers->list);
    free(peers);
}

/* The texts: what people read, and the tracker's id, which goes back to it byte
 * for byte or not at all. */
static void tracker_http_parse_texts(struct slice dict,
                                     struct tracker_reply *out)
{
    struct slice text = slice_of(NULL, 0);

    if (bencode_get_str(dict, "failure reason", &text)) {
        field_text(text, out->failure, sizeof out->failure);
        if (out->failure[0] == '\0') {
            field_text(slice_str("no reason given"), out->failure,
                       sizeof out->failure);
        }
    }
    if (bencode_get_str(dict, "warning message", &text)) {
        field_text(text, out->warning, sizeof out->warning);
    }
    if (bencode_get_str(dict, "tracker id", &text) && text.len > 0 &&
        text.len < sizeof out->tracker_id &&
        memchr(text.p, '\0', text.len) == NULL) {
        memcpy(out->tracker_id, text.p, text.len);
    }
    if (bencode_get_str(dict, "external ip", &text)) {
        out->external_ip = field_ip(text);
    }
}

/* "what" or, when the body has words, "what: words". */
static int tracker_http_say(struct err *e, const char *what, struct slice body)
{
    char text[EXCERPT_MAX];

    excerpt_put(body, text);
    if (text[0] == '\0') {
        return err_set(e, BTC_E_PROTO, "%s", what);
    }
    return err_set(e, BTC_E_PROTO, "%s: %s", what, text);
}

/* Says why a body is no reply. */
static int tracker_http_refuse(struct slice body, const struct bencode_fault *f,
                               struct err *e)
{
    if (body.len == 0) {
        return err_set(e, BTC_E_PROTO, "the tracker's reply is empty");
    }
    if (excerpt_is_html(body)) {
        return tracker_http_say(
            e, "the tracker sent a web page (HTML), not a reply", body);
    }
    if (f->what == NULL) {
        return tracker_http_say(e, "the tracker's reply is no dictionary",
                                body);
    }
    if (body.p[0] == 'd') { /* it was meant to be one */
        return err_set(e, BTC_E_PROTO,
                       "the tracker's reply is not bencoded: %s at byte %zu",
                       f->what, f->offset);
    }
    return tracker_http_say(e, "the tracker's reply is not bencoded", body);
}

/* Starts the reply and checks that the body holds a dictionary, which `body` is
 * cut to. */
static int tracker_http_open(struct slice *body, struct tracker_reply *out,
                             struct err *e)
{
    struct bencode_fault fault = {0};
    ptrdiff_t used = 0;

    *out = (struct tracker_reply){.seeders = -1,
                                  .leechers = -1,
                                  .downloaded = -1,
                                  .external_ip = addr_none()};
    if (body->len > TRACKER_MAX_REPLY) {
        return err_set(e, BTC_E_PROTO,
                       "the tracker's reply is longer than %u bytes",
                       TRACKER_MAX_REPLY);
    }
    *body = excerpt_trim(*body);
    used = bencode_check(*body, &fault);
    if (used <= 0) {
        return tracker_http_refuse(*body, &fault, e);
    }
    body->len = (size_t)used;
    if (bencode_type(*body) != BENCODE_DICT) {
        fault.what = NULL;
        return tracker_http_refuse(*body, &fault, e);
    }
    return 0;
}

/* How many peers there are. */
static void tracker_http_parse_counts(struct slice dict,
                                      struct tracker_reply *out)
{
    out->seeders = tracker_http_count(dict, "complete");
    out->leechers = tracker_http_count(dict, "incomplete");
    out->downloaded = tracker_http_count(dict, "downloaded");
}

/* Reads a reply body. */
int tracker_http_parse(struct slice body, struct tracker_reply *out,
                       struct err *e)
{
    int rc = tracker_http_open(&body, out, e);

    if (rc != 0) {
        return rc;
    }
    tracker_http_parse_texts(body, out);
    out->interval = tracker_http_interval(body, "interval");
    out->min_interval = tracker_http_interval(body, "min interval");
    out->retry_in = tracker_http_retry_in(body);
    tracker_http_parse_counts(body, out);
    tracker_http_parse_peers(body, out);
    return 0;
}

int tracker_http_decode(long status, uint32_t retry_after_s, struct slice body,
                        struct tracker_reply *out, struct err *e)
{
    int rc = tracker_http_parse(body, out, e);
    if (rc < 0 && status >= 400) {
        char what[32];
        (void)snprintf(what, sizeof(what), "HTTP status %ld", status);
        rc = tracker_http_say(e, what, body);
    }
    if (retry_after_s == 0 || (rc == 0 && out->failure[0] == '\0')) {
        return rc;
    }
    if (rc < 0) {
        field_text(slice_str(e->msg), out->failure, sizeof(out->failure));
    }
    if (out->retry_in == 0) {
        out->retry_in = num_min_u32(retry_after_s, TRACKER_MAX_INTERVAL);
    }
    return 0;
}

/* Where "announce" stands in the URL; NULL when its path has none. The '/' of
 * "http://" belongs to no path. */
static const char *tracker_http_find_announce(const char *url)
{
    const char *end = url + strcspn(url, "?#");
    const char *part = NULL;
    const char *host = strstr(url, "://");

    if (host == NULL || host >= end) {
        return NULL;
    }
    for (const char *p = host + 3; p < end; p++) {
        if (*p == '/') {
            part = p + 1;
        }
    }
    if (part == NULL || strncmp(part, "announce", strlen("announce")) != 0) {
        return NULL;
    }
    return part;
}

int tracker_http_scrape_url(const char *announce, const uint8_t info_hash[20],
                            struct buf *out)
{
    const char *part = tracker_http_find_announce(announce);
    char *url = NULL;
    int rc = 0;

    if (part == NULL) {
        return BTC_E_UNSUPPORTED;
    }
    url = mem_printf("%.*sscrape%s", (int)(part - announce), announce,
                     part + strlen("announce"));
    rc = tracker_http_put_base(out, url);
    free(url);
    if (rc != 0) {
        return rc;
    }
    return tracker_http_put_value(out, "info_hash=", slice_of(info_hash, 20));
}

int tracker_http_scrape_parse(struct slice body, const uint8_t info_hash[20],
                              struct tracker_reply *out, struct err *e)
{
    struct slice key = {0};
    struct slice value = {0};
    struct slice files = {0};
    struct bencode_iter it;
    int rc = tracker_http_open(&body, out, e);

    if (rc != 0) {
        return rc;
    }
    tracker_http_parse_texts(body, out);
    files = bencode_get_dict(body, "files");
    if (files.len == 0) {
        return 0;
    }
    it = bencode_iter(files);
    while (bencode_next(&it, &key, &value)) {
        if (slice_eq(key, slice_of(info_hash, 20)) &&
            bencode_type(value) == BENCODE_DICT) {
            tracker_http_parse_counts(value, out);
            return 0;
        }
    }
    return 0;
}
