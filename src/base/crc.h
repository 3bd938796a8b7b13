/* Checksums of a few bytes. */
#ifndef BTC_BASE_CRC_H
#define BTC_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli, RFC 3720), bit by bit: for addresses, not for data. */
uint32_t crc_32c(const uint8_t *p, size_t len);

#endif
