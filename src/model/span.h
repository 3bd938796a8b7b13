/* A span: consecutive bytes of one file. A piece is a list of spans, because it
 * may cross from one file into the next. */
#ifndef BTC_MODEL_SPAN_H
#define BTC_MODEL_SPAN_H

#include <stdbool.h>
#include <stdint.h>

struct span {
    uint32_t file;
    bool pad;        /* zeros that are never on disk (BEP 47) */
    uint64_t offset; /* in the file */
    uint32_t len;
};

#endif
