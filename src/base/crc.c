/* Checksums; see crc.h. */
#include "base/crc.h"

#define CRC_32C_POLYNOMIAL 0x82f63b78u /* reflected */

uint32_t crc_32c(const uint8_t *p, size_t len)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            uint32_t low = crc & 1;

            crc >>= 1;
            if (low != 0) {
                crc ^= CRC_32C_POLYNOMIAL;
            }
        }
    }
    return ~crc;
}
