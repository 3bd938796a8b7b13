/* HOST:PORT as people write it, to rows of `peer`; see api.h. Names are asked
 * of the resolver here and now: this runs on the front's thread.
 */
#include "api/api.h"

#include "base/addr.h"
#include "base/mem.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define API_HOST_MAX 255

/* "host:port" or "[v6]:port" into its parts. */
static bool api_split_host(const char *text, char host[API_HOST_MAX + 1],
                           uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    uint64_t n;
    if (!colon || !bytes_parse_u64(slice_str(colon + 1), &n) || n == 0 ||
        n > UINT16_MAX) {
        return false;
    }
    size_t len = (size_t)(colon - text);
    bool bracket = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (bracket) {
        text++;
        len -= 2;
    }
    if (len == 0 || len > API_HOST_MAX ||
        (!bracket && memchr(text, ':', len) != NULL)) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    *port = (uint16_t)n;
    return true;
}

/* Adds one address. Who is named twice gets one row all the same. */
static int api_peers_add_addr(struct api_peers *list, const struct addr *a,
                              const char *text, struct err *e)
{
    char ip[ADDR_TEXT_MAX];
    if (!addr_is_dialable(a)) {
        return err_set(e, BTC_E_USAGE,
                       "peer '%.200s' is no address that can be dialled", text);
    }
    addr_format_ip(a, ip);
    list->p = mem_resize(list->p, list->n + 1u, sizeof(*list->p));
    struct journal_peer *p = &list->p[list->n++];
    *p = (struct journal_peer){.port = a->port};
    (void)snprintf(p->address, sizeof(p->address), "%.47s", ip);
    (void)snprintf(p->source, sizeof(p->source), "user");
    return 0;
}

/* Asks the resolver. */
static int api_peers_resolve(struct api_peers *list, const char *text,
                             const char *host, uint16_t port, struct err *e)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int n = 0, code = 0;
    int rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc != 0) {
        return err_set(e, BTC_E_NETWORK,
                       "peer '%.200s': the name cannot be resolved: %s", text,
                       gai_strerror(rc));
    }
    for (struct addrinfo *i = found; i && n < API_PEER_ADDRS && code == 0;
         i = i->ai_next) {
        struct addr a = addr_from_sockaddr(i->ai_addr);
        a.port = port;
        code = api_peers_add_addr(list, &a, text, e);
        n++;
    }
    freeaddrinfo(found);
    return code;
}

int api_peers_add(struct api_peers *list, const char *text, struct err *e)
{
    char host[API_HOST_MAX + 1];
    uint16_t port;
    struct addr a;
    if (addr_parse(slice_str(text), &a)) {
        return api_peers_add_addr(list, &a, text, e);
    }
    if (!api_split_host(text, host, &port)) {
        return err_set(e, BTC_E_USAGE,
                       "peer '%.200s': write it as HOST:PORT or [IPv6]:PORT",
                       text);
    }
    return api_peers_resolve(list, text, host, port, e);
}
