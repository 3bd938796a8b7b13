/* UDP trackers' datagrams (BEP 15, BEP 41); see udp.h. */
#include "proto/tracker/udp.h"

#include "base/mem.h"
#include "base/num.h"
#include "proto/field.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TRACKER_UDP_MAGIC     0x41727101980ull /* protocol id of CONNECT */
#define TRACKER_UDP_HEAD      8u               /* action, transaction */
#define TRACKER_UDP_CONNECTED 16u
#define TRACKER_UDP_ANNOUNCED 20u  /* in front of the peers */
#define TRACKER_UDP_SCRAPED   20u  /* with one info hash */
#define TRACKER_UDP_URL_DATA  2u   /* option type of BEP 41 */
#define TRACKER_UDP_OPTION    255u /* bytes of an option at most */

/* --- URLs --- */

/* The part that stands between "udp://" and the path. */
static struct slice tracker_udp_authority(const char *url)
{
    const char *p = url + strlen("udp://");
    return slice_of(p, strcspn(p, "/?#"));
}

/* Host and port out of "host:port" or "[v6]:port". */
static bool tracker_udp_take_host(struct slice a, struct tracker_udp_url *out)
{
    uint64_t port = 0;
    size_t colon = a.len;
    while (colon > 0 && a.p[colon - 1] != ':') {
        colon--;
    }
    if (colon < 2 ||
        !bytes_parse_u64(slice_sub(a, colon, a.len - colon), &port) ||
        port == 0 || port > UINT16_MAX) {
        return false;
    }
    struct slice host = slice_sub(a, 0, colon - 1);
    if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']') {
        host = slice_sub(host, 1, host.len - 2);
    }
    if (host.len == 0 || host.len >= sizeof(out->host) ||
        memchr(host.p, '\0', host.len) || memchr(host.p, '@', host.len)) {
        return false;
    }
    memcpy(out->host, host.p, host.len);
    out->port = (uint16_t)port;
    return true;
}

bool tracker_udp_url_parse(const char *url, struct tracker_udp_url *out)
{
    *out = (struct tracker_udp_url){.port = 0};
    if (strncasecmp(url, "udp://", 6) != 0) {
        return false;
    }
    struct slice authority = tracker_udp_authority(url);
    if (!tracker_udp_take_host(authority, out)) {
        return false;
    }
    const char *path = (const char *)authority.p + authority.len;
    size_t len = strcspn(path, "#");
    if (len > 0 && len < sizeof(out->path) && !(len == 1 && path[0] == '/')) {
        memcpy(out->path, path, len);
    }
    return true;
}

/* --- requests --- */

/* Bytes for which there is room, as the header demands. */
static void tracker_udp_put(struct buf *out, const void *p, size_t len)
{
    int rc = buf_append(out, p, len);
    BTC_ASSERT(rc == 0);
}

static void tracker_udp_put32(struct buf *out, uint32_t v)
{
    uint8_t bytes[4];
    (void)bytes_put_be32(bytes, v);
    tracker_udp_put(out, bytes, sizeof(bytes));
}

static void tracker_udp_put64(struct buf *out, uint64_t v)
{
    uint8_t bytes[8];
    (void)bytes_put_be64(bytes, v);
    tracker_udp_put(out, bytes, sizeof(bytes));
}

/* What each request begins with. */
static void tracker_udp_put_head(struct buf *out, uint64_t connection,
                                 enum tracker_udp_action action,
                                 uint32_t transaction)
{
    tracker_udp_put64(out, connection);
    tracker_udp_put32(out, action);
    tracker_udp_put32(out, transaction);
}

void tracker_udp_put_connect(uint32_t transaction, struct buf *out)
{
    tracker_udp_put_head(out, TRACKER_UDP_MAGIC, TRACKER_UDP_CONNECT,
                         transaction);
}

/* The numbers of BEP 15, which are not those of BEP 3. */
static uint32_t tracker_udp_event(enum tracker_event event)
{
    switch (event) {
    case TRACKER_EVENT_NONE:
        return 0;
    case TRACKER_EVENT_COMPLETED:
        return 1;
    case TRACKER_EVENT_STARTED:
        return 2;
    case TRACKER_EVENT_STOPPED:
        return 3;
    }
    return 0;
}

/* BEP 41: the path, in options of at most 255 bytes. */
static void tracker_udp_put_url_data(struct buf *out, const char *path)
{
    size_t left = strlen(path);
    while (left > 0) {
        size_t n = TRACKER_UDP_OPTION;
        if (left < TRACKER_UDP_OPTION) {
            n = left;
        }
        uint8_t option[2] = {TRACKER_UDP_URL_DATA, (uint8_t)n};
        tracker_udp_put(out, option, sizeof(option));
        tracker_udp_put(out, path, n);
        path += n;
        left -= n;
    }
}

void tracker_udp_put_announce(uint64_t connection, uint32_t transaction,
                              const struct tracker_request *r, const char *path,
                              struct buf *out)
{
    uint8_t port[2];
    tracker_udp_put_head(out, connection, TRACKER_UDP_ANNOUNCE, transaction);
    tracker_udp_put(out, r->info_hash, sizeof(r->info_hash));
    tracker_udp_put(out, r->peer_id, sizeof(r->peer_id));
    tracker_udp_put64(out, r->downloaded);
    tracker_udp_put64(out, r->left);
    tracker_udp_put64(out, r->uploaded);
    tracker_udp_put32(out, tracker_udp_event(r->event));
    tracker_udp_put32(out, 0); /* our IP: as the tracker sees it */
    tracker_udp_put32(out, r->key);
    tracker_udp_put32(out, r->numwant);
    (void)bytes_put_be16(port, r->port);
    tracker_udp_put(out, port, sizeof(port));
    tracker_udp_put_url_data(out, path);
}

void tracker_udp_put_scrape(uint64_t connection, uint32_t transaction,
                            const uint8_t info_hash[20], struct buf *out)
{
    tracker_udp_put_head(out, connection, TRACKER_UDP_SCRAPE, transaction);
    tracker_udp_put(out, info_hash, 20);
}

/* --- answers --- */

bool tracker_udp_head_parse(struct slice in, struct tracker_udp_head *out)
{
    if (in.len < TRACKER_UDP_HEAD || bytes_get_be32(in.p) > TRACKER_UDP_ERROR) {
        return false;
    }
    out->action = (enum tracker_udp_action)bytes_get_be32(in.p);
    out->transaction = bytes_get_be32(in.p + 4);
    return true;
}

int tracker_udp_connect_parse(struct slice in, uint64_t *connection)
{
    if (in.len < TRACKER_UDP_CONNECTED) {
        return BTC_E_PROTO;
    }
    *connection = bytes_get_be64(in.p + TRACKER_UDP_HEAD);
    return 0;
}

/* A reply that says nothing yet. */
static void tracker_udp_reply_init(struct tracker_reply *out)
{
    *out = (struct tracker_reply){.seeders = -1,
                                  .leechers = -1,
                                  .downloaded = -1,
                                  .external_ip = addr_none()};
}

/* Seconds that the tracker names, within reason. */
static uint32_t tracker_udp_interval(uint32_t v)
{
    if (v < TRACKER_MIN_INTERVAL) {
        return TRACKER_MIN_INTERVAL;
    }
    return num_min_u32(v, TRACKER_MAX_INTERVAL);
}

/* The address stands in the list already. */
static bool tracker_udp_has(const struct tracker_reply *r, const struct addr *a)
{
    for (uint32_t i = 0; i < r->n_peers; i++) {
        if (addr_eq(&r->peers[i], a)) {
            return true;
        }
    }
    return false;
}

/* The peers: a datagram of 2 KiB holds some 340 at most, so that looking each
 * one up costs little. A cut one at the end is left out. */
static void tracker_udp_take_peers(struct slice in, enum addr_family family,
                                   struct tracker_reply *out)
{
    size_t width = ADDR_COMPACT_4;
    if (family == ADDR_V6) {
        width = ADDR_COMPACT_6;
    }
    size_t n = in.len / width;
    n = num_min(n, TRACKER_MAX_PEERS);
    out->peers = mem_calloc(n > 0 ? n : 1, sizeof(*out->peers));
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = in.p + i * width;
        struct addr a =
            family == ADDR_V6 ? addr_from_compact6(p) : addr_from_compact4(p);
        if (addr_is_dialable(&a) && !tracker_udp_has(out, &a)) {
            out->peers[out->n_peers++] = a;
        }
    }
}

int tracker_udp_announce_parse(struct slice in, enum addr_family family,
                               struct tracker_reply *out)
{
    tracker_udp_reply_init(out);
    if (in.len < TRACKER_UDP_ANNOUNCED) {
        return BTC_E_PROTO;
    }
    out->interval = tracker_udp_interval(bytes_get_be32(in.p + 8));
    out->leechers = bytes_get_be32(in.p + 12);
    out->seeders = bytes_get_be32(in.p + 16);
    tracker_udp_take_peers(slice_sub(in, TRACKER_UDP_ANNOUNCED, in.len), family,
                           out);
    return 0;
}

int tracker_udp_scrape_parse(struct slice in, struct tracker_reply *out)
{
    tracker_udp_reply_init(out);
    if (in.len < TRACKER_UDP_SCRAPED) {
        return BTC_E_PROTO;
    }
    out->seeders = bytes_get_be32(in.p + 8);
    out->downloaded = bytes_get_be32(in.p + 12);
    out->leechers = bytes_get_be32(in.p + 16);
    return 0;
}

int tracker_udp_error_parse(struct slice in, struct tracker_reply *out)
{
    tracker_udp_reply_init(out);
    if (in.len < TRACKER_UDP_HEAD) {
        return BTC_E_PROTO;
    }
    struct slice text = slice_sub(in, TRACKER_UDP_HEAD, in.len);
    while (text.len > 0 && text.p[text.len - 1] == '\0') {
        text.len--; /* some send a C string */
    }
    field_text(text, out->failure, sizeof(out->failure));
    if (out->failure[0] == '\0') {
        (void)snprintf(out->failure, sizeof(out->failure),
                       "an error without a text");
    }
    return 0;
}
