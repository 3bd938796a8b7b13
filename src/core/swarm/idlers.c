/* Hosts that had a place and were of no use; see the header. */
#include "core/swarm/idlers.h"

#include "base/map.h"

static size_t idlers_at(uint64_t host)
{
    return map_hash(&host, sizeof(host)) % IDLERS_MAX;
}

void idlers_note(struct idlers *l, const struct addr *a, uint64_t now_ms)
{
    uint64_t host = addr_host(a);
    l->list[idlers_at(host)] = (struct idler){.host = host, .at_ms = now_ms};
}

bool idlers_has(const struct idlers *l, const struct addr *a, uint64_t now_ms)
{
    uint64_t host = addr_host(a);
    const struct idler *i = &l->list[idlers_at(host)];
    return host != 0 && i->host == host && now_ms - i->at_ms < IDLERS_MS;
}
