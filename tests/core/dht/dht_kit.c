/* See dht_kit.h. */
#include "core/dht/dht_kit.h"

struct addr kit_addr(const char *text)
{
    struct addr a = addr_none();

    assert_true(addr_parse(slice_str(text), &a));
    return a;
}

struct addr kit_addr_at(uint32_t i)
{
    struct addr a = {.family = ADDR_V4, .port = 6881};

    bytes_put_be32(a.ip, 0x0a000000u + i + 1);
    return a;
}

void kit_id(uint8_t id[DHT_ID_LEN], uint8_t first, uint8_t last)
{
    memset(id, 0, DHT_ID_LEN);
    id[0] = first;
    id[DHT_ID_LEN - 1] = last;
}

struct krpc_node kit_node(uint8_t first, uint8_t last, uint32_t i)
{
    struct krpc_node n = {.addr = kit_addr_at(i)};

    kit_id(n.id, first, last);
    return n;
}
