/* The wire decoder under hostile bytes. The first byte gives the piece count,
 * the second the size of the chunks in which the rest arrives. */
#include "proto/peer/wire.h"

#include "base/err.h"

#include <string.h>

/* libFuzzer names it. NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte that a message points to is read, so that a sanitizer sees it. */
static void fuzz_wire_touch(struct slice in, struct slice s)
{
    volatile uint8_t sum = 0;

    BTC_ASSERT(s.p >= in.p && s.len <= (size_t)(in.p + in.len - s.p));
    for (size_t i = 0; i < s.len; i++) {
        sum = (uint8_t)(sum + s.p[i]);
    }
}

/* What decodes must encode to what it came from. */
static void fuzz_wire_check(struct slice in, const struct wire_msg *m)
{
    uint8_t header[WIRE_HANDSHAKE_LEN];
    size_t n = 0;
    bool same = false;

    if (m->type == WIRE_PAYLOAD) {
        fuzz_wire_touch(in, m->payload.data);
    } else if (m->type == WIRE_BITFIELD) {
        fuzz_wire_touch(in, m->bitfield);
    } else if (m->type == WIRE_EXTENDED) {
        fuzz_wire_touch(in, m->extended.payload);
    }
    n = wire_encode(m, header);
    same = n <= in.len && memcmp(header, in.p, n) == 0;
    BTC_ASSERT(same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_decoder d;
    struct wire_msg m;
    size_t off = 0;
    size_t chunk = 0;

    if (size < 2) {
        return 0;
    }
    wire_decoder_init(&d);
    wire_decoder_set_pieces(&d, data[0]);
    chunk = (size_t)data[1] + 1;
    data += 2;
    size -= 2;
    for (size_t end = 0; end < size;) {
        ptrdiff_t used = 1;

        end = size - end < chunk ? size : end + chunk;
        while (used > 0) {
            struct slice in = slice_of(data + off, end - off);
            size_t need = wire_decoder_need(&d);

            used = wire_decode(&d, in, &m);
            if (used < 0) {
                return 0;
            }
            BTC_ASSERT(used > 0 ? (size_t)used <= in.len : in.len < need);
            if (used > 0) {
                fuzz_wire_check(in, &m);
            }
            off += (size_t)used;
        }
    }
    return 0;
}
