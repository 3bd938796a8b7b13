/* See wire_names.h. */
#include "wire_names.h"

const char *wire_type_name(enum wire_type type)
{
    switch (type) {
    case WIRE_CHOKE:
        return "choke";
    case WIRE_UNCHOKE:
        return "unchoke";
    case WIRE_INTERESTED:
        return "interested";
    case WIRE_NOT_INTERESTED:
        return "not_interested";
    case WIRE_HAVE:
        return "have";
    case WIRE_BITFIELD:
        return "bitfield";
    case WIRE_REQUEST:
        return "request";
    case WIRE_PIECE:
        return "piece";
    case WIRE_CANCEL:
        return "cancel";
    case WIRE_PORT:
        return "port";
    case WIRE_SUGGEST:
        return "suggest";
    case WIRE_HAVE_ALL:
        return "have_all";
    case WIRE_HAVE_NONE:
        return "have_none";
    case WIRE_REJECT:
        return "reject";
    case WIRE_ALLOWED_FAST:
        return "allowed_fast";
    case WIRE_EXTENDED:
        return "extended";
    case WIRE_KEEPALIVE:
        return "keepalive";
    case WIRE_HANDSHAKE:
        return "handshake";
    case WIRE_PAYLOAD:
        return "payload";
    case WIRE_UNKNOWN:
        return "unknown";
    }
    return "?";
}
