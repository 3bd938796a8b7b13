/* URLs of trackers and web seeds as people and programs write them, made fit to
 * be asked: RFC 3986, section 2.
 *
 * A torrent's URL may hold blanks, Cyrillic or bytes of an old character set.
 * Such a URL is no URL by the letter, and yet every other client asks it, so
 * what must be escaped is escaped. What cannot become a URL is refused with a
 * reason.
 */
#ifndef BTC_PROTO_URL_H
#define BTC_PROTO_URL_H

#include "base/bytes.h"

#define URL_MAX      2048 /* bytes, escaped */
#define URL_MAX_TOLD 16   /* URLs left out that are told one by one */

/* The URL that `in` means, without the blanks around it and with every byte
 * that may not stand in a URL as %XX; the caller frees it. NULL when it cannot
 * be used; then `*why` says it as the end of a sentence ("has no scheme, ...").
 */
char *url_tidy(struct slice in, const char **why);
/* The same of a web seed's URL, which must be http or https. */
char *url_tidy_http(struct slice in, const char **why);

/* The URLs of a torrent or a link that are not used. */
struct url_left_out {
    uint32_t n;      /* how many, doubles aside */
    uint32_t n_told; /* how many of them stand below */
    struct url_told {
        char *text;      /* owns; what stands there, printable, cut */
        const char *why; /* static: "has no scheme, ..." */
    } * told;            /* owns n_told */
};

/* An empty URL is a habit of some programs and is passed over. */
void url_leave_out(struct url_left_out *l, struct slice url, const char *why);
void url_left_out_fini(struct url_left_out *l);

#endif
