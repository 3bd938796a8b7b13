/* What the tests of the DHT share: addresses, ids, nodes. */
#ifndef BTC_TESTS_CORE_DHT_KIT_H
#define BTC_TESTS_CORE_DHT_KIT_H

#include "core/dht/node_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "1.2.3.4:80" or "[::1]:80". */
static inline struct addr kit_addr(const char *text)
{
    struct addr a = addr_none();

    assert_true(addr_parse(slice_str(text), &a));
    return a;
}

/* A private IPv4 address by number: any id fits it (BEP 42). */
static inline struct addr kit_addr_at(uint32_t i)
{
    struct addr a = {.family = ADDR_V4, .port = 6881};

    bytes_put_be32(a.ip, 0x0a000000u + i + 1);
    return a;
}

/* An id of one byte repeated, with another one at the end. */
static inline void kit_id(uint8_t id[DHT_ID_LEN], uint8_t first, uint8_t last)
{
    memset(id, 0, DHT_ID_LEN);
    id[0] = first;
    id[DHT_ID_LEN - 1] = last;
}

static inline struct krpc_node kit_node(uint8_t first, uint8_t last, uint32_t i)
{
    struct krpc_node n = {.addr = kit_addr_at(i)};

    kit_id(n.id, first, last);
    return n;
}

#endif
