/* Where a file lies in the stream of its torrent. */
#ifndef BTC_MODEL_LAYOUT_FILE_H
#define BTC_MODEL_LAYOUT_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct layout_file {
    uint64_t offset; /* in the stream */
    uint64_t length;
    bool pad; /* zeros that are never on disk (BEP 47) */
};

#endif
