/* Who may lead us to a local address (server-side request forgery): a tracker
 * of the public internet must not, neither by a redirect nor by its name's
 * addresses. One that is local by its own name may: whoever wrote the torrent
 * meant it.
 */
#ifndef BTC_NET_GUARD_H
#define BTC_NET_GUARD_H

#include "base/addr.h"
#include <stdbool.h>

/* What a refusal is told with. */
#define GUARD_REFUSED                                                        \
    "it leads to an address of the local network, which only --allow-local " \
    "permits"

/* A request that is guarded may go to this address. The HTTP client
 * (net/http.c) asks for each socket and each kept connection, UDP trackers
 * (engine/udp_trackers.c) for each address of a name. */
bool guard_may_reach(bool is_guarded, const struct addr *to);

/* The host of a URL is local by its name: an address of addr_is_local,
 * "localhost", a name without a dot, or one below .localhost, .local, .lan,
 * .internal or .home.arpa. Brackets around an IPv6 address are allowed. */
bool guard_host_is_local(const char *host);

#endif
