/* What a tracker sent instead of a reply, in words for a person: web pages, the
 * notices of a broken script, compressed or other binary data. */
#ifndef BTC_PROTO_TRACKER_EXCERPT_H
#define BTC_PROTO_TRACKER_EXCERPT_H

#include "base/bytes.h"

#define EXCERPT_MAX 100 /* bytes of an excerpt, with its NUL */

/* Without the BOM and the blanks that some scripts send in front. */
struct slice excerpt_trim(struct slice s);
/* True when it starts like a web page, blanks and a BOM aside. */
bool excerpt_is_html(struct slice body);

/* The first words of a body, printable and without tags. A body that is no text
 * is named ("gzip data") or shown as its first bytes in hex. "" when there is
 * nothing to show. */
void excerpt_put(struct slice body, char dst[EXCERPT_MAX]);

#endif
