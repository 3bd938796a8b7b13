/* Numbers as people write them. Part of btc.h. */
#ifndef BTC_BTC_NUMBER_H
#define BTC_BTC_NUMBER_H

#include <btc/status.h>
#include <stdint.h>

BTC_API bool btc_parse_size(const char *text, uint64_t *out);
BTC_API bool btc_parse_duration_ms(const char *text, uint64_t *out);

#endif
