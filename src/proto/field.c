/* Fields that several formats share: text for people and bare IP addresses.
 *
 * The text of a peer or a tracker ends up on a terminal and in the journal, so
 * no control character (C0, DEL, C1) and no broken UTF-8 gets past this file.
 */
#include "proto/field.h"

#include <string.h>

/* U+FFFD, what stands for bytes that are no UTF-8. */
#define FIELD_BAD     "\xef\xbf\xbd"
#define FIELD_BAD_LEN 3

/* Length of the UTF-8 character at the start of `in`; 0 when it is none. */
static size_t field_char_len(struct slice in)
{
    uint8_t c = in.p[0];
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (bytes_is_utf8(slice_sub(in, 0, len)) && len <= in.len) {
        return len;
    }
    return 0;
}

/* C0, DEL and C1; `p` is a valid character. */
static bool field_is_control(const uint8_t *p)
{
    return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

/* Text from outside, made fit for people to read. */
void field_text(struct slice in, char *dst, size_t cap)
{
    size_t out = 0;
    size_t off = 0;

    while (off < in.len) {
        const uint8_t *p = in.p + off;
        size_t used = field_char_len(slice_sub(in, off, in.len));
        size_t len = used;

        if (used == 0) {
            p = (const uint8_t *)FIELD_BAD;
            len = FIELD_BAD_LEN;
            used = 1;
        } else if (field_is_control(p)) {
            p = (const uint8_t *)" ";
            len = 1;
        }
        if (len >= cap - out) {
            break;
        }
        off += used;
        if (out == 0 && p[0] == ' ') {
            continue;
        }
        memcpy(dst + out, p, len);
        out += len;
    }
    while (out > 0 && dst[out - 1] == ' ') {
        out--;
    }
    dst[out] = '\0';
}

/* A bare address of 4 or 16 bytes. */
struct addr field_ip(struct slice in)
{
    uint8_t compact[ADDR_COMPACT_6] = {0};
    static const uint8_t zero[16] = {0};
    struct addr a = addr_none();

    if (in.len == 4) {
        memcpy(compact, in.p, 4);
        a = addr_from_compact4(compact);
    } else if (in.len == 16) {
        memcpy(compact, in.p, 16);
        a = addr_from_compact6(compact);
    }
    if (memcmp(a.ip, zero, sizeof zero) == 0) {
        return addr_none();
    }
    return a;
}
