/* KRPC messages (BEP 5, 32, 42, 43).
 *
 * Reading goes from the outer dictionary inwards: transaction id, type, then
 * the part that belongs to the type. Writing goes through a writer whose first
 * error sticks, so that a message is a plain list of its keys, in order.
 */
#include "proto/krpc.h"

#include "base/err.h"
#include "proto/bencode.h"

#include <string.h>

#define KRPC_NODE4_LEN (KRPC_ID_LEN + ADDR_COMPACT_4)
#define KRPC_NODE6_LEN (KRPC_ID_LEN + ADDR_COMPACT_6)

/* The names of the queries, by enum krpc_method. */
static const char *const krpc_method_names[] = {
    [KRPC_UNKNOWN] = "",
    [KRPC_PING] = "ping",
    [KRPC_FIND_NODE] = "find_node",
    [KRPC_GET_PEERS] = "get_peers",
    [KRPC_ANNOUNCE_PEER] = "announce_peer",
};

#define KRPC_N_METHODS (sizeof krpc_method_names / sizeof krpc_method_names[0])

/* A string of exactly KRPC_ID_LEN bytes. */
static bool krpc_get_id(struct slice dict, const char *key,
                        uint8_t id[KRPC_ID_LEN])
{
    struct slice s = {0};

    if (!bencode_get_str(dict, key, &s) || s.len != KRPC_ID_LEN) {
        return false;
    }
    memcpy(id, s.p, KRPC_ID_LEN);
    return true;
}

/* A string of at most `max` bytes; empty when there is none. */
static struct slice krpc_get_short(struct slice dict, const char *key,
                                   size_t max)
{
    struct slice s = {0};

    if (!bencode_get_str(dict, key, &s) || s.len > max) {
        return (struct slice){0};
    }
    return s;
}

/* A compact address with its port; family NONE for any other length. */
static struct addr krpc_compact_addr(struct slice s)
{
    switch (s.len) {
    case ADDR_COMPACT_4:
        return addr_from_compact4(s.p);
    case ADDR_COMPACT_6:
        return addr_from_compact6(s.p);
    default:
        return addr_none();
    }
}

/* `ip`: our address, with its port; one without a port is read too. */
static struct addr krpc_get_ip(struct slice dict)
{
    struct slice s = {0};
    uint8_t with_port[ADDR_COMPACT_6] = {0};

    if (!bencode_get_str(dict, "ip", &s)) {
        return addr_none();
    }
    if (s.len == ADDR_COMPACT_4 - 2 || s.len == ADDR_COMPACT_6 - 2) {
        memcpy(with_port, s.p, s.len);
        s = slice_of(with_port, s.len + 2);
    }
    return krpc_compact_addr(s);
}

/* `want`: unknown words are ignored. */
static uint8_t krpc_get_want(struct slice args)
{
    struct bencode_iter it = bencode_iter(bencode_get_list(args, "want"));
    struct slice key = {0};
    struct slice value = {0};
    struct slice word = {0};
    unsigned want = 0;

    while (bencode_next(&it, &key, &value)) {
        if (!bencode_str(value, &word)) {
            continue;
        }
        if (slice_eq_str(word, "n4")) {
            want |= KRPC_NODES4;
        } else if (slice_eq_str(word, "n6")) {
            want |= KRPC_NODES6;
        }
    }
    return (uint8_t)want;
}

static enum krpc_method krpc_method_of(struct slice name)
{
    for (size_t i = KRPC_PING; i < KRPC_N_METHODS; i++) {
        if (slice_eq_str(name, krpc_method_names[i])) {
            return (enum krpc_method)i;
        }
    }
    return KRPC_UNKNOWN;
}

/* The arguments that only announce_peer has. */
static int krpc_decode_announce(struct slice args, struct krpc_query *q)
{
    int64_t implied = 0;
    int64_t port = 0;

    q->implied_port =
        bencode_get_int(args, "implied_port", &implied) && implied != 0;
    if (bencode_get_int(args, "port", &port) && port > 0 &&
        port <= UINT16_MAX) {
        q->port = (uint16_t)port;
    }
    q->token = krpc_get_short(args, "token", KRPC_TOKEN_MAX);
    if (q->token.len == 0 || (q->port == 0 && !q->implied_port)) {
        return BTC_E_PROTO;
    }
    return 0;
}

static int krpc_decode_query(struct slice dict, struct krpc_msg *m)
{
    struct slice args = bencode_get_dict(dict, "a");
    struct krpc_query *q = &m->query;
    struct slice name = {0};
    const char *target = "info_hash";

    if (!bencode_get_str(dict, "q", &name) || args.len == 0 ||
        !krpc_get_id(args, "id", m->id)) {
        return BTC_E_PROTO;
    }
    q->method = krpc_method_of(name);
    if (q->method == KRPC_UNKNOWN || q->method == KRPC_PING) {
        return 0;
    }
    if (q->method == KRPC_FIND_NODE) {
        target = "target";
    }
    if (!krpc_get_id(args, target, q->target)) {
        return BTC_E_PROTO;
    }
    if (q->method == KRPC_ANNOUNCE_PEER) {
        return krpc_decode_announce(args, q);
    }
    q->want = krpc_get_want(args);
    return 0;
}

/* Takes the first entries of a list of compact nodes; a cut one at the end is
 * left out, and so is an IPv4 address that hides among IPv6. */
static void krpc_take_nodes(struct slice list, enum addr_family family,
                            struct krpc_response *r)
{
    size_t entry_len = KRPC_NODE6_LEN;
    if (family == ADDR_V4) {
        entry_len = KRPC_NODE4_LEN;
    }
    struct krpc_node node;
    size_t n = 0;

    for (size_t off = 0; n < KRPC_LIST_MAX && list.len - off >= entry_len;
         off += entry_len) {
        memcpy(node.id, list.p + off, KRPC_ID_LEN);
        node.addr = krpc_compact_addr(
            slice_sub(list, off + KRPC_ID_LEN, entry_len - KRPC_ID_LEN));
        if (node.addr.family == family && addr_is_dialable(&node.addr)) {
            r->nodes[r->n_nodes++] = node;
            n++;
        }
    }
}

/* Takes the peers of `values`, a list of compact addresses of both families. */
static void krpc_take_peers(struct slice list, struct krpc_response *r)
{
    struct bencode_iter it = bencode_iter(list);
    struct slice key = {0};
    struct slice value = {0};
    struct slice text = {0};

    while (r->n_peers < KRPC_PEERS_MAX && bencode_next(&it, &key, &value)) {
        struct addr a = addr_none();

        if (bencode_str(value, &text)) {
            a = krpc_compact_addr(text);
        }
        if (addr_is_dialable(&a)) {
            r->peers[r->n_peers++] = a;
        }
    }
}

static int krpc_decode_response(struct slice dict, struct krpc_msg *m)
{
    struct slice values = bencode_get_dict(dict, "r");
    struct krpc_response *r = &m->response;
    struct slice list = {0};

    if (values.len == 0 || !krpc_get_id(values, "id", m->id)) {
        return BTC_E_SYNTAX;
    }
    r->token = krpc_get_short(values, "token", KRPC_TOKEN_MAX);
    if (bencode_get_str(values, "nodes", &list)) {
        r->lists |= KRPC_NODES4;
        krpc_take_nodes(list, ADDR_V4, r);
    }
    if (bencode_get_str(values, "nodes6", &list)) {
        r->lists |= KRPC_NODES6;
        krpc_take_nodes(list, ADDR_V6, r);
    }
    list = bencode_get_list(values, "values");
    if (list.len > 0) {
        krpc_take_peers(list, r);
    }
    return 0;
}

/* `e`: a list of a code and a text. That something went wrong counts even when
 * neither can be read. */
static void krpc_decode_error(struct slice dict, struct krpc_error *e)
{
    struct slice list = bencode_get_list(dict, "e");
    struct bencode_iter it;
    struct slice key = {0};
    struct slice value = {0};
    int64_t code = 0;

    if (list.len == 0) {
        return;
    }
    it = bencode_iter(list);
    if (bencode_next(&it, &key, &value) && bencode_int(value, &code)) {
        e->code = code;
    }
    if (bencode_next(&it, &key, &value) && bencode_str(value, &e->text)) {
        e->text = slice_sub(e->text, 0, KRPC_TEXT_MAX);
    }
}

/* By the type of the message, which is one letter. */
static int krpc_decode_body(struct slice dict, struct krpc_msg *m)
{
    struct slice type = {0};

    if (!bencode_get_str(dict, "y", &type) || type.len != 1) {
        return BTC_E_SYNTAX;
    }
    switch (type.p[0]) {
    case 'q':
        m->type = KRPC_QUERY;
        return krpc_decode_query(dict, m);
    case 'r':
        m->type = KRPC_RESPONSE;
        return krpc_decode_response(dict, m);
    case 'e':
        m->type = KRPC_ERROR;
        krpc_decode_error(dict, &m->error);
        return 0;
    default:
        return BTC_E_SYNTAX;
    }
}

int krpc_decode(struct slice in, struct krpc_msg *out)
{
    struct slice dict = {0};
    ptrdiff_t used = 0;
    int64_t read_only = 0;

    memset(out, 0, sizeof *out);
    if (in.len > KRPC_RECEIVE_MAX) {
        return BTC_E_SYNTAX;
    }
    used = bencode_check(in, NULL);
    if (used <= 0) {
        return BTC_E_SYNTAX;
    }
    dict = slice_of(in.p, (size_t)used);
    if (bencode_type(dict) != BENCODE_DICT) {
        return BTC_E_SYNTAX;
    }
    out->tid = krpc_get_short(dict, "t", KRPC_TID_MAX);
    if (out->tid.len == 0) {
        return BTC_E_SYNTAX;
    }
    out->version = krpc_get_short(dict, "v", KRPC_VERSION_MAX);
    out->ip = krpc_get_ip(dict);
    out->read_only = bencode_get_int(dict, "ro", &read_only) && read_only == 1;
    return krpc_decode_body(dict, out);
}

/* Appends to a buffer; after the first error it does nothing more. */
struct krpc_writer {
    struct buf *out;
    int rc;
};

static void krpc_put_raw(struct krpc_writer *w, char c)
{
    if (w->rc == 0) {
        w->rc = bencode_put_raw(w->out, c);
    }
}

static void krpc_put_int(struct krpc_writer *w, const char *key, int64_t v)
{
    if (w->rc == 0) {
        w->rc = bencode_put_cstr(w->out, key);
    }
    if (w->rc == 0) {
        w->rc = bencode_put_int(w->out, v);
    }
}

static void krpc_put_item(struct krpc_writer *w, struct slice s)
{
    if (w->rc == 0) {
        w->rc = bencode_put_str(w->out, s);
    }
}

static void krpc_put_str(struct krpc_writer *w, const char *key, struct slice s)
{
    krpc_put_item(w, slice_str(key));
    krpc_put_item(w, s);
}

static void krpc_put_id(struct krpc_writer *w, const char *key,
                        const uint8_t id[KRPC_ID_LEN])
{
    krpc_put_str(w, key, slice_of(id, KRPC_ID_LEN));
}

/* A key, and the container that is its value; krpc_put_raw 'e' closes it. */
static void krpc_open(struct krpc_writer *w, const char *key, char kind)
{
    krpc_put_item(w, slice_str(key));
    krpc_put_raw(w, kind);
}

static void krpc_put_want(struct krpc_writer *w, uint8_t want)
{
    if (want == 0) {
        return;
    }
    krpc_open(w, "want", 'l');
    if (want & KRPC_NODES4) {
        krpc_put_item(w, slice_str("n4"));
    }
    if (want & KRPC_NODES6) {
        krpc_put_item(w, slice_str("n6"));
    }
    krpc_put_raw(w, 'e');
}

/* The arguments of announce_peer behind the id, in the order of their keys. */
static void krpc_put_announce(struct krpc_writer *w, const struct krpc_query *q)
{
    if (q->implied_port) {
        krpc_put_int(w, "implied_port", 1);
    }
    krpc_put_id(w, "info_hash", q->target);
    if (q->port != 0) {
        krpc_put_int(w, "port", q->port);
    }
    krpc_put_str(w, "token", q->token);
}

static void krpc_put_query(struct krpc_writer *w, const struct krpc_msg *m)
{
    const struct krpc_query *q = &m->query;

    krpc_open(w, "a", 'd');
    krpc_put_id(w, "id", m->id);
    switch (q->method) {
    case KRPC_UNKNOWN:
    case KRPC_PING:
        break;
    case KRPC_FIND_NODE:
        krpc_put_id(w, "target", q->target);
        krpc_put_want(w, q->want);
        break;
    case KRPC_GET_PEERS:
        krpc_put_id(w, "info_hash", q->target);
        krpc_put_want(w, q->want);
        break;
    case KRPC_ANNOUNCE_PEER:
        krpc_put_announce(w, q);
        break;
    }
    krpc_put_raw(w, 'e');
}

/* The nodes of one family as one string of compact entries. */
static void krpc_put_nodes(struct krpc_writer *w, const char *key,
                           enum addr_family family,
                           const struct krpc_response *r)
{
    uint8_t list[KRPC_NODES_MAX * KRPC_NODE6_LEN];
    uint8_t *p = list;

    for (size_t i = 0; i < r->n_nodes; i++) {
        if (r->nodes[i].addr.family == family) {
            p = bytes_put(p, r->nodes[i].id, KRPC_ID_LEN);
            p += addr_to_compact(&r->nodes[i].addr, p);
        }
    }
    krpc_put_str(w, key, slice_of(list, (size_t)(p - list)));
}

static void krpc_put_peers(struct krpc_writer *w, const struct krpc_response *r)
{
    uint8_t compact[ADDR_COMPACT_6];

    krpc_open(w, "values", 'l');
    for (size_t i = 0; i < r->n_peers; i++) {
        size_t len = addr_to_compact(&r->peers[i], compact);

        krpc_put_item(w, slice_of(compact, len));
    }
    krpc_put_raw(w, 'e');
}

static void krpc_put_response(struct krpc_writer *w, const struct krpc_msg *m)
{
    const struct krpc_response *r = &m->response;

    krpc_open(w, "r", 'd');
    krpc_put_id(w, "id", m->id);
    if (r->lists & KRPC_NODES4) {
        krpc_put_nodes(w, "nodes", ADDR_V4, r);
    }
    if (r->lists & KRPC_NODES6) {
        krpc_put_nodes(w, "nodes6", ADDR_V6, r);
    }
    if (r->token.len > 0) {
        krpc_put_str(w, "token", r->token);
    }
    if (r->n_peers > 0) {
        krpc_put_peers(w, r);
    }
    krpc_put_raw(w, 'e');
}

static void krpc_put_error(struct krpc_writer *w, const struct krpc_error *e)
{
    krpc_open(w, "e", 'l');
    if (w->rc == 0) {
        w->rc = bencode_put_int(w->out, e->code);
    }
    krpc_put_item(w, e->text);
    krpc_put_raw(w, 'e');
}

/* The keys that come first: `a` or `e`. */
static void krpc_put_head(struct krpc_writer *w, const struct krpc_msg *m)
{
    if (m->type == KRPC_QUERY) {
        krpc_put_query(w, m);
    } else if (m->type == KRPC_ERROR) {
        krpc_put_error(w, &m->error);
    }
}

int krpc_encode(const struct krpc_msg *m, struct buf *out)
{
    static const char *const letters[] = {
        [KRPC_QUERY] = "q", [KRPC_RESPONSE] = "r", [KRPC_ERROR] = "e"};
    struct krpc_writer w = {.out = out};
    uint8_t ip[ADDR_COMPACT_6];

    krpc_put_raw(&w, 'd');
    krpc_put_head(&w, m);
    if (m->ip.family != ADDR_NONE) {
        krpc_put_str(&w, "ip", slice_of(ip, addr_to_compact(&m->ip, ip)));
    }
    if (m->type == KRPC_QUERY) {
        krpc_put_str(&w, "q", slice_str(krpc_method_names[m->query.method]));
    } else if (m->type == KRPC_RESPONSE) {
        krpc_put_response(&w, m);
    }
    if (m->read_only) {
        krpc_put_int(&w, "ro", 1);
    }
    krpc_put_str(&w, "t", m->tid);
    if (m->version.len > 0) {
        krpc_put_str(&w, "v", m->version);
    }
    krpc_put_str(&w, "y", slice_str(letters[m->type]));
    krpc_put_raw(&w, 'e');
    return w.rc;
}
