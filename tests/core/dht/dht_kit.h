/* What the tests of the DHT share: addresses, ids, nodes. */
#ifndef BTC_TESTS_CORE_DHT_DHT_KIT_H
#define BTC_TESTS_CORE_DHT_DHT_KIT_H

#include "core/dht/node_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "1.2.3.4:80" or "[::1]:80". */
struct addr kit_addr(const char *text);

/* A private IPv4 address by number: any id fits it (BEP 42). */
struct addr kit_addr_at(uint32_t i);

/* An id of one byte repeated, with another one at the end. */
void kit_id(uint8_t id[DHT_ID_LEN], uint8_t first, uint8_t last);

struct krpc_node kit_node(uint8_t first, uint8_t last, uint32_t i);

#endif
