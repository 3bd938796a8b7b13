/* Fields that several formats share: text for people and bare IP addresses. */
#ifndef BTC_PROTO_FIELD_H
#define BTC_PROTO_FIELD_H

#include "base/addr.h"

/* Text from outside as printable UTF-8 in `dst` of `cap` bytes, NUL ended: bad
 * bytes become U+FFFD, control characters a blank, blanks at both ends go, and
 * what does not fit is cut between two characters. cap > 0. */
void field_text(struct slice in, char *dst, size_t cap);

/* A bare address in network order: 4 bytes (IPv4) or 16 (IPv6; a mapped one
 * becomes IPv4), port 0. Family NONE for any other length and for the
 * unspecified address, which says nothing. */
struct addr field_ip(struct slice in);

#endif
