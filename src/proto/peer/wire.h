/* The peer wire protocol: handshake and messages (BEP 3, 5, 6, 10), a streaming
 * decoder and encoders.
 *
 * The decoder checks each length prefix exactly for its type before anything
 * else. A block's payload is not gathered: after WIRE_PIECE come one or more
 * WIRE_PAYLOAD with the bytes as they arrive, so payload is copied once, from
 * the socket's scratch buffer to its block.
 */
#ifndef BTC_PROTO_PEER_WIRE_H
#define BTC_PROTO_PEER_WIRE_H

#include "base/bytes.h"
#include "model/block.h"

#define WIRE_HANDSHAKE_LEN 68
#define WIRE_MAX_BLOCK     131072u    /* longest block asked of us or sent */
#define WIRE_MAX_EXTENDED  65536u     /* longest BEP 10 or unknown message */
#define WIRE_MAX_BITFIELD  (1u << 21) /* while the piece count is unknown */
#define WIRE_HEADER_MAX    17         /* longest message without payload */
#define WIRE_PIECE_HEADER  13         /* length, id, index, begin */

enum wire_type {
    WIRE_CHOKE = 0,
    WIRE_UNCHOKE = 1,
    WIRE_INTERESTED = 2,
    WIRE_NOT_INTERESTED = 3,
    WIRE_HAVE = 4,
    WIRE_BITFIELD = 5,
    WIRE_REQUEST = 6,
    WIRE_PIECE = 7,
    WIRE_CANCEL = 8,
    WIRE_PORT = 9,
    WIRE_SUGGEST = 13, /* BEP 6 from here */
    WIRE_HAVE_ALL = 14,
    WIRE_HAVE_NONE = 15,
    WIRE_REJECT = 16,
    WIRE_ALLOWED_FAST = 17,
    WIRE_EXTENDED = 20,   /* BEP 10 */
    WIRE_KEEPALIVE = 256, /* no id on the wire from here */
    WIRE_HANDSHAKE,
    WIRE_PAYLOAD,
    WIRE_UNKNOWN /* skipped; id not known */
};

struct wire_handshake {
    uint8_t reserved[8];
    uint8_t info_hash[20];
    uint8_t peer_id[20];
};
struct wire_block {
    uint32_t piece;
    uint32_t begin; /* bytes into the piece */
    uint32_t len;   /* WIRE_PIECE: payload bytes that follow */
};
struct wire_payload {
    struct slice data; /* next bytes of the block; borrows from the input */
    uint32_t left;     /* bytes of the block still to come after these */
};
struct wire_extended {
    uint8_t id;
    struct slice payload; /* borrows from the input */
};

struct wire_msg {
    enum wire_type type;
    union {
        struct wire_handshake handshake;
        uint32_t piece;          /* HAVE, SUGGEST, ALLOWED_FAST */
        struct slice bitfield;   /* borrows from the input */
        struct wire_block block; /* REQUEST, PIECE, CANCEL, REJECT */
        struct wire_payload payload;
        struct wire_extended extended;
        uint16_t port;
        uint8_t unknown_id;
    };
};

/* Reserved bits (BEP 4). */
bool wire_has_extended(const struct wire_handshake *h); /* BEP 10 */
bool wire_has_fast(const struct wire_handshake *h);     /* BEP 6 */
bool wire_has_dht(const struct wire_handshake *h);      /* BEP 5 */
/* Sets the bits of what we speak: extended and fast always, DHT when it runs.
 */
void wire_set_reserved(struct wire_handshake *h, bool dht);

struct wire_decoder {
    bool handshaken;
    uint32_t n_pieces;     /* 0: unknown, bitfields only bounded */
    uint32_t payload_left; /* of the block being streamed */
    int error;             /* sticky */
};

/* Starts before the handshake. */
void wire_decoder_init(struct wire_decoder *d);
/* Bitfields must be of exactly this many pieces from now on. */
void wire_decoder_set_pieces(struct wire_decoder *d, uint32_t n_pieces);

/* Decodes the next message of `in`: bytes used (> 0) with `out` filled, 0 when
 * more bytes are needed (the caller keeps `in` and comes again with more), or
 * BTC_E_PROTO, which sticks. Never needs more than wire_decoder_need bytes at
 * once. */
ptrdiff_t wire_decode(struct wire_decoder *d, struct slice in,
                      struct wire_msg *out);
/* For tests: the upper bound of an incomplete message that a caller must be
 * ready to keep in this state: 68 before the handshake, the longest message
 * (length prefix included) after it, 1 inside a block's payload, 0 after an
 * error. */
size_t wire_decoder_need(const struct wire_decoder *d);

/* Encoders write into the caller's memory and give the bytes written. `dst`
 * holds WIRE_HEADER_MAX bytes (WIRE_HANDSHAKE_LEN for the handshake). For PIECE
 * it is the 13 bytes of header, the payload follows separately; for BITFIELD
 * and EXTENDED the header (5 and 6 bytes) for a payload of that length. PAYLOAD
 * and UNKNOWN have no encoding: 0. */
size_t wire_encode(const struct wire_msg *msg, uint8_t *dst);
size_t wire_encode_handshake(const struct wire_handshake *h, uint8_t *dst);
/* Short cuts. */
size_t wire_encode_simple(enum wire_type type, uint8_t *dst);
size_t wire_encode_piece_idx(enum wire_type type, uint32_t piece, uint8_t *dst);
size_t wire_encode_block(enum wire_type type, const struct wire_block *b,
                         uint8_t *dst);

#endif
