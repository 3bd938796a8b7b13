/* Hosts that had a place and were of no use; see the header. */
#include "core/swarm/idlers.h"

#include "base/bytes.h"
#include "base/map.h"

/* Unlike for each two hosts as addr_eq_host tells them apart. An IPv4 address
 * has its place in a part of IPv6 (::/64) where nobody is. */
static uint64_t idlers_host(const struct addr *a)
{
    if (a->family == ADDR_V6) {
        return bytes_get_be64(a->ip);
    }
    return (uint64_t)bytes_get_be32(a->ip);
}

static size_t idlers_at(uint64_t host)
{
    return map_hash(&host, sizeof(host)) % IDLERS_MAX;
}

void idlers_note(struct idlers *l, const struct addr *a, uint64_t now_ms)
{
    uint64_t host = idlers_host(a);
    l->list[idlers_at(host)] = (struct idler){.host = host, .at_ms = now_ms};
}

bool idlers_has(const struct idlers *l, const struct addr *a, uint64_t now_ms)
{
    uint64_t host = idlers_host(a);
    const struct idler *i = &l->list[idlers_at(host)];
    return host != 0 && i->host == host && now_ms - i->at_ms < IDLERS_MS;
}
