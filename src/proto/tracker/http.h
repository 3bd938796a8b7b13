/* HTTP trackers: announce URLs and replies (BEP 3, 7, 21, 23, 24, 27, 31),
 * scrapes (BEP 48). */
#ifndef BTC_PROTO_TRACKER_HTTP_H
#define BTC_PROTO_TRACKER_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "proto/tracker/tracker.h"

/* The announce URL with its query appended ('?' or '&' as needed; a fragment is
 * dropped). compact=1 always. BTC_E_LIMIT when `out` is too small. */
int tracker_http_url(const char *announce, const struct tracker_request *r,
                     struct buf *out);

/* Decodes an answer by its HTTP status and body. 0 (also with a failure text:
 * many trackers put it into a reply with status 4xx), or BTC_E_PROTO when the
 * body is not a bencoded dict, with the reason in `e` (names HTML when it is
 * that, and the status when it is an error). An error that says how long we are
 * to wait (Retry-After, 0 = not said) is a failure with a `retry_in`, whatever
 * its body. tracker_reply_fini frees the peers in any case. */
int tracker_http_decode(long status, uint32_t retry_after_s, struct slice body,
                        struct tracker_reply *out, struct err *e);
/* The same of a body alone. */
int tracker_http_parse(struct slice body, struct tracker_reply *out,
                       struct err *e);

/* The scrape URL (BEP 48) of a torrent: "announce" at the start of the path's
 * last part becomes "scrape". BTC_E_UNSUPPORTED when it does not stand there:
 * that tracker cannot be scraped. BTC_E_LIMIT when `out` is too small. */
int tracker_http_scrape_url(const char *announce, const uint8_t info_hash[20],
                            struct buf *out);
/* The numbers of that torrent (seeders, leechers, downloaded; -1 when not said
 * or when the tracker does not know it), or a failure text. BTC_E_PROTO as
 * above. There are no peers to free. */
int tracker_http_scrape_parse(struct slice body, const uint8_t info_hash[20],
                              struct tracker_reply *out, struct err *e);

#endif
