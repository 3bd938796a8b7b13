/* What a tracker may lead us to, and which hosts are local by their name; see
 * guard.h. */
#include "net/guard.h"

#include <string.h>
#include <strings.h>

bool guard_may_reach(bool is_guarded, const struct addr *to)
{
    return !is_guarded || !addr_is_local(to);
}

/* The name ends in this domain. */
static bool guard_is_below(const char *host, size_t len, const char *domain)
{
    size_t n = strlen(domain);
    return len > n && strncasecmp(host + len - n, domain, n) == 0;
}

bool guard_host_is_local(const char *host)
{
    static const char *const domains[] = {".localhost", ".local", ".lan",
                                          ".internal", ".home.arpa"};
    struct addr a;
    size_t len = strlen(host);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len > 0 && addr_parse_ip(slice_of(host, len), 0, &a)) {
        return addr_is_local(&a);
    }
    if (len > 0 && host[len - 1] == '.') {
        len--; /* a name from the root of the DNS */
    }
    if (len == 0 || memchr(host, '.', len) == NULL) {
        /* A number without a dot is an IPv4 address to some resolvers. */
        return len > 0 && strspn(host, "0123456789") < len &&
               strncasecmp(host, "0x", 2) != 0;
    }
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        if (guard_is_below(host, len, domains[i])) {
            return true;
        }
    }
    return false;
}
