/* The addresses in a torrent: trackers (BEP 3, 12), web seeds (BEP 19), DHT
 * nodes (BEP 5). All of them are optional hints: the torrent is as good without
 * one. URLs are escaped where they must be (proto/url.h); those that cannot be
 * used are left out and remembered with the reason, doubles without.
 */
#include "proto/metainfo/internal.h"

#include "base/mem.h"
#include "proto/url.h"

#include <stdlib.h>
#include <string.h>

#define METAINFO_MAX_NODES 64
#define METAINFO_MAX_HOST  255
#define METAINFO_MAX_BAD   1000 /* after so many bad URLs no more are read */

static bool metainfo_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice metainfo_trim(struct slice s)
{
    while (s.len > 0 && metainfo_is_blank(s.p[0])) {
        s = slice_sub(s, 1, s.len - 1);
    }
    while (s.len > 0 && metainfo_is_blank(s.p[s.len - 1])) {
        s.len--;
    }
    return s;
}

static bool metainfo_is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* A host name or address of characters that such a thing can have. */
static bool metainfo_is_host(struct slice s)
{
    bool v6 = s.len > 2 && s.p[0] == '[' && s.p[s.len - 1] == ']';

    if (v6) {
        s = slice_sub(s, 1, s.len - 2);
    }
    if (s.len == 0 || s.len > METAINFO_MAX_HOST) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        if (!metainfo_is_alnum(c) && c != '.' &&
            !(v6 ? c == ':' : c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

bool metainfo_is_hostport(struct slice s)
{
    size_t colon = s.len;
    uint64_t port;

    while (colon > 0 && s.p[colon - 1] != ':') {
        colon--;
    }
    return colon > 0 && metainfo_is_host(slice_sub(s, 0, colon - 1)) &&
           bytes_parse_u64(slice_sub(s, colon, s.len - colon), &port) &&
           port >= 1 && port <= UINT16_MAX;
}

/* Adds a copy of s unless it is there or the list is full. */
void metainfo_add_string(char ***list, uint32_t *n, uint32_t max,
                         struct slice s)
{
    for (uint32_t i = 0; i < *n; i++) {
        if (slice_eq_str(s, (*list)[i])) {
            return;
        }
    }
    if (*n == max) {
        return;
    }
    if (*list == NULL) {
        *list = mem_calloc(max, sizeof(**list));
    }
    (*list)[(*n)++] = mem_strndup((const char *)s.p, s.len);
}

static bool metainfo_has_tracker(const struct metainfo *m, const char *url)
{
    for (uint32_t i = 0; i < m->n_trackers; i++) {
        if (strcmp(url, m->trackers[i].url) == 0) {
            return true;
        }
    }
    return false;
}

/* Takes the URL over as a tracker unless it is there or the list is full. */
static bool metainfo_take_tracker(struct metainfo *m, char *url, uint32_t tier)
{
    if (metainfo_has_tracker(m, url)) {
        free(url);
        return false;
    }
    if (m->n_trackers == METAINFO_MAX_TRACKERS) {
        url_leave_out(&m->left_out.urls, slice_str(url),
                      "is one tracker too many");
        free(url);
        return false;
    }
    if (m->trackers == NULL) {
        m->trackers = mem_calloc(METAINFO_MAX_TRACKERS, sizeof(*m->trackers));
    }
    m->trackers[m->n_trackers].url = url;
    m->trackers[m->n_trackers].tier = tier;
    m->n_trackers++;
    return true;
}

/* Adds a tracker; false when it was left out. */
static bool metainfo_add_tracker(struct metainfo *m, struct slice value,
                                 uint32_t tier)
{
    struct slice text;
    const char *why = NULL;
    char *url = NULL;

    if (!bencode_str(value, &text)) {
        return false;
    }
    url = url_tidy(text, &why);
    if (url == NULL) {
        url_leave_out(&m->left_out.urls, text, why);
        return false;
    }
    return metainfo_take_tracker(m, url, tier);
}

/* BEP 12. Tiers that hold nothing usable do not count; a bare URL where a tier
 * should be is a tier of one. */
static void metainfo_read_tiers(struct metainfo *m, struct slice list)
{
    struct bencode_iter tiers = bencode_iter(list);
    struct slice key;
    struct slice tier;
    struct slice url;
    uint32_t n_tiers = 0;

    while (m->left_out.urls.n < METAINFO_MAX_BAD &&
           bencode_next(&tiers, &key, &tier)) {
        struct bencode_iter urls = bencode_iter(tier);
        bool used = metainfo_add_tracker(m, tier, n_tiers);
        while (bencode_type(tier) == BENCODE_LIST &&
               m->left_out.urls.n < METAINFO_MAX_BAD &&
               bencode_next(&urls, &key, &url)) {
            used = metainfo_add_tracker(m, url, n_tiers) || used;
        }
        n_tiers += used;
    }
}

/* BEP 19. btc fetches over HTTP alone, so other schemes are left out. */
static void metainfo_add_web_seed(struct metainfo *m, struct slice value)
{
    struct slice text;
    const char *why = NULL;
    char *url = NULL;

    if (!bencode_str(value, &text)) {
        return;
    }
    url = url_tidy_http(text, &why);
    if (url == NULL) {
        url_leave_out(&m->left_out.urls, text, why);
        return;
    }
    metainfo_add_string(&m->web_seeds, &m->n_web_seeds, METAINFO_MAX_WEB_SEEDS,
                        slice_str(url));
    free(url);
}

/* BEP 5: [host, port]. */
static void metainfo_add_node(struct metainfo *m, struct slice pair)
{
    struct bencode_iter it = bencode_iter(pair);
    struct slice key;
    struct slice value;
    struct slice host;
    int64_t port;
    char *text;

    if (it.dict || !bencode_next(&it, &key, &value) ||
        !bencode_str(value, &host) || host.len > METAINFO_MAX_HOST ||
        !bencode_next(&it, &key, &value) || !bencode_int(value, &port)) {
        return;
    }
    text =
        mem_printf(memchr(host.p, ':', host.len) ? "[%.*s]:%lld" : "%.*s:%lld",
                   (int)host.len, (const char *)host.p, (long long)port);
    if (metainfo_is_hostport(slice_str(text))) {
        metainfo_add_string(&m->nodes, &m->n_nodes, METAINFO_MAX_NODES,
                            slice_str(text));
    }
    free(text);
}

/* Trackers, web seeds and nodes of a document. */
void metainfo_read_urls(struct metainfo *m, struct bencode_dict *root)
{
    struct slice seeds = bencode_dict_get(root, "url-list");
    struct bencode_iter it = bencode_iter(seeds);
    struct slice key;
    struct slice value;

    metainfo_read_tiers(
        m, bencode_of(bencode_dict_get(root, "announce-list"), BENCODE_LIST));
    if (m->n_trackers == 0) {
        (void)metainfo_add_tracker(m, bencode_dict_get(root, "announce"), 0);
    }
    metainfo_add_web_seed(m, seeds);
    while (!it.dict && m->n_web_seeds < METAINFO_MAX_WEB_SEEDS &&
           bencode_next(&it, &key, &value)) {
        metainfo_add_web_seed(m, value);
    }
    it =
        bencode_iter(bencode_of(bencode_dict_get(root, "nodes"), BENCODE_LIST));
    while (m->n_nodes < METAINFO_MAX_NODES && bencode_next(&it, &key, &value)) {
        metainfo_add_node(m, value);
    }
}
