/* How a connection ended; see outcome.h. */
#include "core/swarm/outcome.h"

#include "base/err.h"

const char *outcome_of_message(enum wire_type type)
{
    switch (type) {
    case WIRE_HANDSHAKE:
        return "broke a rule: its handshake is of another torrent";
    case WIRE_HAVE:
        return "broke a rule: it has a piece that the torrent has not";
    case WIRE_BITFIELD:
    case WIRE_HAVE_ALL:
    case WIRE_HAVE_NONE:
        return "broke a rule: its map of pieces is wrong or comes too late";
    case WIRE_REQUEST:
    case WIRE_CANCEL:
        return "broke a rule: it asked for what the torrent has not";
    case WIRE_PIECE:
    case WIRE_PAYLOAD:
        return "broke a rule: it sent blocks that nobody asked for";
    case WIRE_SUGGEST:
    case WIRE_REJECT:
    case WIRE_ALLOWED_FAST:
        return "broke a rule of the fast extension";
    case WIRE_EXTENDED:
        return "broke a rule: a message of an extension makes no sense";
    case WIRE_CHOKE:
    case WIRE_UNCHOKE:
    case WIRE_INTERESTED:
    case WIRE_NOT_INTERESTED:
    case WIRE_PORT:
    case WIRE_KEEPALIVE:
    case WIRE_UNKNOWN:
        break;
    }
    return "broke a rule of the protocol";
}

const char *outcome_of_garbage(const struct peer *p)
{
    if (!p->wire.decoder.handshaken) {
        return "does not speak BitTorrent in the clear";
    }
    return "broke a rule: a message has a wrong length";
}

/* It was never reached. */
static const char *outcome_of_dial(int result)
{
    switch (result) {
    case BTC_E_REFUSED:
        return "refused the connection";
    case BTC_E_TIMEOUT:
        return "did not answer";
    case BTC_E_NETWORK:
        return "could not be reached";
    default:
        return "could not be connected to";
    }
}

/* It was reached, but no handshake came. */
static const char *outcome_of_greeting(int result)
{
    switch (result) {
    case BTC_E_TIMEOUT:
        return "took the connection and said nothing";
    case BTC_E_CANCELLED:
        return "is btc itself";
    case BTC_E_EXISTS:
        return "is connected already";
    default:
        return "closed the connection instead of a handshake";
    }
}

/* It was a peer. */
static const char *outcome_of_peer(int result)
{
    switch (result) {
    case BTC_E_TIMEOUT:
        return "was silent or of no use for too long: we closed";
    case BTC_E_CANCELLED:
        return "was no longer needed: we closed";
    case BTC_E_PROTO:
        return "broke a rule of the protocol";
    case BTC_E_LIMIT:
        return "took no byte for too long: we closed";
    default:
        return "closed the connection";
    }
}

const char *outcome_of_end(const struct peer *p, int result)
{
    if (result == 0) {
        return NULL;
    }
    if (p->record.broke != NULL) {
        return p->record.broke;
    }
    if (p->phase == PEER_CONNECTING) {
        return outcome_of_dial(result);
    }
    if (p->phase == PEER_HANDSHAKE) {
        return outcome_of_greeting(result);
    }
    return outcome_of_peer(result);
}
