/* The peer wire protocol (BEP 3, 5, 6, 10): a streaming decoder and encoders.
 *
 * Vocabulary. A message on the wire is a length prefix (4 bytes, big-endian),
 * an id and a body; `len` is always the value of the prefix: id and body,
 * without the prefix itself. A length of zero is a keep-alive and has no id.
 *
 * Invariants. The length is compared with what the id allows as soon as both
 * are there, before a byte of the body is waited for: a peer cannot make us
 * keep more than wire_decoder_need says. A block's payload is never waited for
 * at all. Nothing is copied but the handshake and numbers; slices in a message
 * point into the caller's input. After an error nothing is decoded any more.
 */
#include "proto/peer/wire.h"

#include "base/err.h"
#include "base/num.h"

#include <string.h>

#define WIRE_PREFIX_LEN 4
/* id, index and begin: what of a PIECE is not payload. */
#define WIRE_PIECE_FIXED 9

/* The start of a handshake: the length of the protocol's name, then the name.
 */
static const uint8_t wire_protocol[20] = "\x13"
                                         "BitTorrent protocol";

/* The length of each message that has just one; 0 where it varies or the id is
 * not known. */
static const uint8_t wire_fixed_len[] = {
    [WIRE_CHOKE] = 1,          [WIRE_UNCHOKE] = 1,   [WIRE_INTERESTED] = 1,
    [WIRE_NOT_INTERESTED] = 1, [WIRE_HAVE] = 5,      [WIRE_REQUEST] = 13,
    [WIRE_CANCEL] = 13,        [WIRE_PORT] = 3,      [WIRE_SUGGEST] = 5,
    [WIRE_HAVE_ALL] = 1,       [WIRE_HAVE_NONE] = 1, [WIRE_REJECT] = 13,
    [WIRE_ALLOWED_FAST] = 5,
};

/* BEP 10: reserved bit 20 from the right. */
bool wire_has_extended(const struct wire_handshake *h)
{
    return (h->reserved[5] & 0x10) != 0;
}

/* BEP 6: third lowest bit of the last byte. */
bool wire_has_fast(const struct wire_handshake *h)
{
    return (h->reserved[7] & 0x04) != 0;
}

/* BEP 5: lowest bit of the last byte. */
bool wire_has_dht(const struct wire_handshake *h)
{
    return (h->reserved[7] & 0x01) != 0;
}

/* The reserved bytes of our own handshake. */
void wire_set_reserved(struct wire_handshake *h, bool dht)
{
    memset(h->reserved, 0, sizeof h->reserved);
    h->reserved[5] = 0x10;
    if (dht) {
        h->reserved[7] = 0x05;
    } else {
        h->reserved[7] = 0x04;
    }
}

/* Starts before the handshake, with the piece count unknown. */
void wire_decoder_init(struct wire_decoder *d)
{
    *d = (struct wire_decoder){.handshaken = false};
}

/* From now on bitfields must be of exactly this many pieces. */
void wire_decoder_set_pieces(struct wire_decoder *d, uint32_t n_pieces)
{
    d->n_pieces = n_pieces;
}

/* Longest bitfield body that is accepted now. */
static uint32_t wire_bitfield_max(const struct wire_decoder *d)
{
    if (d->n_pieces == 0) {
        return WIRE_MAX_BITFIELD;
    }
    return d->n_pieces / 8 + (d->n_pieces % 8 != 0);
}

/* Longest message that is gathered whole, as a length prefix. */
static uint32_t wire_len_max(const struct wire_decoder *d)
{
    uint32_t bitfield = 1 + wire_bitfield_max(d);

    return (uint32_t)num_max(bitfield, WIRE_MAX_EXTENDED);
}

/* How much of an incomplete message may pile up at the caller. */
size_t wire_decoder_need(const struct wire_decoder *d)
{
    if (d->error != 0) {
        return 0;
    }
    if (d->payload_left > 0) {
        return 1;
    }
    if (!d->handshaken) {
        return WIRE_HANDSHAKE_LEN;
    }
    return (size_t)WIRE_PREFIX_LEN + wire_len_max(d);
}

/* Whether a message of this id may have this length. */
static bool wire_len_fits(const struct wire_decoder *d, uint8_t id,
                          uint32_t len)
{
    uint32_t fixed = 0;

    switch (id) {
    case WIRE_PIECE:
        return len > WIRE_PIECE_FIXED &&
               len - WIRE_PIECE_FIXED <= WIRE_MAX_BLOCK;
    case WIRE_BITFIELD:
        if (d->n_pieces != 0) {
            return len - 1 == wire_bitfield_max(d);
        }
        return len - 1 <= WIRE_MAX_BITFIELD;
    case WIRE_EXTENDED:
        return len >= 2 && len <= WIRE_MAX_EXTENDED;
    default:
        if (id < sizeof wire_fixed_len) {
            fixed = wire_fixed_len[id];
        }
        if (fixed != 0) {
            return len == fixed;
        }
        return len <= WIRE_MAX_EXTENDED;
    }
}

/* Makes the error stick. */
static ptrdiff_t wire_fail(struct wire_decoder *d)
{
    d->error = BTC_E_PROTO;
    return BTC_E_PROTO;
}

/* Before anything else: 68 bytes, refused at the first byte that is wrong, so
 * that somebody who talks another protocol is not waited for. */
static ptrdiff_t wire_decode_handshake(struct wire_decoder *d, struct slice in,
                                       struct wire_msg *out)
{
    size_t n = in.len;
    if (in.len >= sizeof wire_protocol) {
        n = sizeof wire_protocol;
    }
    const uint8_t *p = in.p;

    if (n > 0 && memcmp(p, wire_protocol, n) != 0) {
        return wire_fail(d);
    }
    if (in.len < WIRE_HANDSHAKE_LEN) {
        return 0;
    }
    p += sizeof wire_protocol;
    out->type = WIRE_HANDSHAKE;
    memcpy(out->handshake.reserved, p, sizeof out->handshake.reserved);
    p += sizeof out->handshake.reserved;
    memcpy(out->handshake.info_hash, p, sizeof out->handshake.info_hash);
    p += sizeof out->handshake.info_hash;
    memcpy(out->handshake.peer_id, p, sizeof out->handshake.peer_id);
    d->handshaken = true;
    return WIRE_HANDSHAKE_LEN;
}

/* The next bytes of a block, as many as there are. */
static ptrdiff_t wire_decode_payload(struct wire_decoder *d, struct slice in,
                                     struct wire_msg *out)
{
    uint32_t n = d->payload_left;

    if (in.len == 0) {
        return 0;
    }
    if (in.len < n) {
        n = (uint32_t)in.len;
    }
    d->payload_left -= n;
    out->type = WIRE_PAYLOAD;
    out->payload.data = slice_of(in.p, n);
    out->payload.left = d->payload_left;
    return (ptrdiff_t)n;
}

/* The header of a block; its payload comes as WIRE_PAYLOAD. */
static ptrdiff_t wire_decode_piece(struct wire_decoder *d, const uint8_t *body,
                                   uint32_t len, struct wire_msg *out)
{
    out->type = WIRE_PIECE;
    out->block.piece = bytes_get_be32(body);
    out->block.begin = bytes_get_be32(body + 4);
    out->block.len = len - WIRE_PIECE_FIXED;
    d->payload_left = out->block.len;
    return WIRE_PIECE_HEADER;
}

/* A whole message whose length fits its id; `body` is behind the id. */
static void wire_decode_body(uint8_t id, struct slice body,
                             struct wire_msg *out)
{
    out->type = (enum wire_type)id;
    switch (out->type) {
    case WIRE_CHOKE:
    case WIRE_UNCHOKE:
    case WIRE_INTERESTED:
    case WIRE_NOT_INTERESTED:
    case WIRE_HAVE_ALL:
    case WIRE_HAVE_NONE:
        break;
    case WIRE_HAVE:
    case WIRE_SUGGEST:
    case WIRE_ALLOWED_FAST:
        out->piece = bytes_get_be32(body.p);
        break;
    case WIRE_REQUEST:
    case WIRE_CANCEL:
    case WIRE_REJECT:
        out->block.piece = bytes_get_be32(body.p);
        out->block.begin = bytes_get_be32(body.p + 4);
        out->block.len = bytes_get_be32(body.p + 8);
        break;
    case WIRE_BITFIELD:
        out->bitfield = body;
        break;
    case WIRE_PORT:
        out->port = bytes_get_be16(body.p);
        break;
    case WIRE_EXTENDED:
        out->extended.id = body.p[0];
        out->extended.payload = slice_of(body.p + 1, body.len - 1);
        break;
    default:
        out->type = WIRE_UNKNOWN;
        out->unknown_id = id;
        break;
    }
}

/* The next message of the input; see the header. */
ptrdiff_t wire_decode(struct wire_decoder *d, struct slice in,
                      struct wire_msg *out)
{
    uint32_t len = 0;
    uint8_t id = 0;

    if (d->error != 0) {
        return d->error;
    }
    if (d->payload_left > 0) {
        return wire_decode_payload(d, in, out);
    }
    if (!d->handshaken) {
        return wire_decode_handshake(d, in, out);
    }
    if (in.len < WIRE_PREFIX_LEN) {
        return 0;
    }
    len = bytes_get_be32(in.p);
    if (len == 0) {
        out->type = WIRE_KEEPALIVE;
        return WIRE_PREFIX_LEN;
    }
    if (len > wire_len_max(d)) {
        return wire_fail(d);
    }
    if (in.len == WIRE_PREFIX_LEN) {
        return 0;
    }
    id = in.p[WIRE_PREFIX_LEN];
    if (!wire_len_fits(d, id, len)) {
        return wire_fail(d);
    }
    if (id == WIRE_PIECE) {
        if (in.len < WIRE_PIECE_HEADER) {
            return 0;
        }
        return wire_decode_piece(d, in.p + 5, len, out);
    }
    if (len > in.len - WIRE_PREFIX_LEN) {
        return 0;
    }
    wire_decode_body(id, slice_of(in.p + 5, len - 1), out);
    return (ptrdiff_t)len + WIRE_PREFIX_LEN;
}

/* Prefix and id; gives the pointer behind them. */
static uint8_t *wire_put_header(uint8_t *dst, uint32_t len, enum wire_type type)
{
    dst = bytes_put_be32(dst, len);
    return bytes_put_u8(dst, (uint8_t)type);
}

/* Messages without a body, and the keep-alive. */
size_t wire_encode_simple(enum wire_type type, uint8_t *dst)
{
    if (type == WIRE_KEEPALIVE) {
        bytes_put_be32(dst, 0);
        return WIRE_PREFIX_LEN;
    }
    wire_put_header(dst, 1, type);
    return WIRE_PREFIX_LEN + 1;
}

/* HAVE, SUGGEST, ALLOWED_FAST. */
size_t wire_encode_piece_idx(enum wire_type type, uint32_t piece, uint8_t *dst)
{
    bytes_put_be32(wire_put_header(dst, 5, type), piece);
    return WIRE_PREFIX_LEN + 5;
}

/* REQUEST, CANCEL, REJECT; for PIECE the header of a block of b->len bytes. */
size_t wire_encode_block(enum wire_type type, const struct wire_block *b,
                         uint8_t *dst)
{
    uint8_t *p = NULL;

    if (type == WIRE_PIECE) {
        p = wire_put_header(dst, WIRE_PIECE_FIXED + b->len, type);
        bytes_put_be32(bytes_put_be32(p, b->piece), b->begin);
        return WIRE_PIECE_HEADER;
    }
    p = wire_put_header(dst, 13, type);
    p = bytes_put_be32(p, b->piece);
    p = bytes_put_be32(p, b->begin);
    bytes_put_be32(p, b->len);
    return WIRE_PREFIX_LEN + 13;
}

/* All 68 bytes. */
size_t wire_encode_handshake(const struct wire_handshake *h, uint8_t *dst)
{
    dst = bytes_put(dst, wire_protocol, sizeof wire_protocol);
    dst = bytes_put(dst, h->reserved, sizeof h->reserved);
    dst = bytes_put(dst, h->info_hash, sizeof h->info_hash);
    bytes_put(dst, h->peer_id, sizeof h->peer_id);
    return WIRE_HANDSHAKE_LEN;
}

/* Any message, or the header of one that has a payload. */
size_t wire_encode(const struct wire_msg *msg, uint8_t *dst)
{
    uint8_t *p = NULL;

    switch (msg->type) {
    case WIRE_CHOKE:
    case WIRE_UNCHOKE:
    case WIRE_INTERESTED:
    case WIRE_NOT_INTERESTED:
    case WIRE_HAVE_ALL:
    case WIRE_HAVE_NONE:
    case WIRE_KEEPALIVE:
        return wire_encode_simple(msg->type, dst);
    case WIRE_HAVE:
    case WIRE_SUGGEST:
    case WIRE_ALLOWED_FAST:
        return wire_encode_piece_idx(msg->type, msg->piece, dst);
    case WIRE_REQUEST:
    case WIRE_PIECE:
    case WIRE_CANCEL:
    case WIRE_REJECT:
        return wire_encode_block(msg->type, &msg->block, dst);
    case WIRE_BITFIELD:
        wire_put_header(dst, 1 + (uint32_t)msg->bitfield.len, WIRE_BITFIELD);
        return WIRE_PREFIX_LEN + 1;
    case WIRE_EXTENDED:
        p = wire_put_header(dst, 2 + (uint32_t)msg->extended.payload.len,
                            WIRE_EXTENDED);
        bytes_put_u8(p, msg->extended.id);
        return WIRE_PREFIX_LEN + 2;
    case WIRE_PORT:
        bytes_put_be16(wire_put_header(dst, 3, WIRE_PORT), msg->port);
        return WIRE_PREFIX_LEN + 3;
    case WIRE_HANDSHAKE:
        return wire_encode_handshake(&msg->handshake, dst);
    case WIRE_PAYLOAD:
    case WIRE_UNKNOWN:
        break;
    }
    return 0;
}
