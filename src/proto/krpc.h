/* KRPC, the messages of the DHT: one bencoded dictionary per datagram (BEP 5,
 * with IPv6 of BEP 32, `ip` of BEP 42 and `ro` of BEP 43).
 *
 * One struct holds any message, one function reads it and one writes it: what
 * is written reads back the same. Slices of a decoded message borrow from the
 * datagram. Everything in a datagram comes from outside: an optional field that
 * is absent, of a wrong type or out of range is left at "not said", lists are
 * cut at the limits below, and addresses that nobody can dial are left out.
 */
#ifndef BTC_PROTO_KRPC_H
#define BTC_PROTO_KRPC_H

#include "base/addr.h"
#include "base/buf.h"

#define KRPC_ID_LEN      20
#define KRPC_SEND_MAX    1024 /* longest datagram we send (BEP 32) */
#define KRPC_RECEIVE_MAX 2048 /* longest one that is read */
#define KRPC_TID_MAX     32   /* bytes of a transaction id that we echo */
#define KRPC_TOKEN_MAX   64
#define KRPC_VERSION_MAX 16
#define KRPC_TEXT_MAX    128 /* of an error; cut */
#define KRPC_LIST_MAX    8   /* nodes taken of `nodes` and of `nodes6` */
#define KRPC_NODES_MAX   16  /* both lists */
#define KRPC_PEERS_MAX   100 /* taken of `values` */

enum krpc_type {
    KRPC_QUERY,
    KRPC_RESPONSE,
    KRPC_ERROR
};

enum krpc_method {
    KRPC_UNKNOWN, /* some other query; answer KRPC_CODE_METHOD */
    KRPC_PING,
    KRPC_FIND_NODE,
    KRPC_GET_PEERS,
    KRPC_ANNOUNCE_PEER
};

/* Error codes of BEP 5. */
enum krpc_code {
    KRPC_CODE_GENERIC = 201,
    KRPC_CODE_SERVER = 202,
    KRPC_CODE_PROTOCOL = 203,
    KRPC_CODE_METHOD = 204
};

/* Flags: which lists of nodes are wanted, or stand in a response. */
enum krpc_lists {
    KRPC_NODES4 = 1, /* `nodes`, "n4" */
    KRPC_NODES6 = 2  /* `nodes6`, "n6" */
};

struct krpc_node {
    uint8_t id[KRPC_ID_LEN];
    struct addr addr;
};

struct krpc_query {
    enum krpc_method method;
    uint8_t target[KRPC_ID_LEN]; /* find_node: target; else the info hash */
    uint8_t want;                /* enum krpc_lists; 0 = not said */
    uint16_t port;               /* announce_peer; 0 = not said */
    bool implied_port;           /* the datagram's source port counts */
    struct slice token;          /* announce_peer */
};

struct krpc_response {
    uint8_t lists; /* enum krpc_lists: which were there, empty ones too */
    uint8_t n_nodes;
    uint8_t n_peers;
    struct slice token; /* empty = none */
    struct krpc_node nodes[KRPC_NODES_MAX];
    struct addr peers[KRPC_PEERS_MAX]; /* `values` */
};

struct krpc_error {
    int64_t code; /* 0 = not said */
    struct slice text;
};

struct krpc_msg {
    enum krpc_type type;
    bool read_only;          /* the sender answers no queries (BEP 43) */
    struct slice tid;        /* transaction id, never empty */
    struct slice version;    /* of the client, empty = not said */
    struct addr ip;          /* how the sender sees us (BEP 42) */
    uint8_t id[KRPC_ID_LEN]; /* of the sender; not in an error */
    union {
        struct krpc_query query;
        struct krpc_response response;
        struct krpc_error error;
    };
};

/* Reads a datagram. 0; BTC_E_PROTO: a query whose arguments make no sense, with
 * `tid` filled, to answer KRPC_CODE_PROTOCOL; BTC_E_SYNTAX: anything else that
 * is no KRPC message, to drop. */
int krpc_decode(struct slice in, struct krpc_msg *out);

/* Appends the message to `out`: 0, or BTC_E_LIMIT when it has no room, which
 * leaves a part of the message there. */
int krpc_encode(const struct krpc_msg *m, struct buf *out);

#endif
