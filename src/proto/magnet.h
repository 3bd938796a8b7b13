/* Magnet links (BEP 9, BEP 53) and bare info hashes.
 *
 * Only the hash can make a link bad. Any other part that makes no sense is left
 * out, with one warning for each kind of part. */
#ifndef BTC_PROTO_MAGNET_H
#define BTC_PROTO_MAGNET_H

#include "base/err.h"
#include "model/digest.h"
#include "proto/url.h"

#define MAGNET_MAX_BYTES (1u << 20)
#define MAGNET_MAX_ITEMS 256 /* trackers, web seeds, peers each */

struct magnet {
    struct digest v1; /* xt=urn:btih: 40 hex or 32 base32; or none */
    struct digest v2; /* xt=urn:btmh:1220 + 64 hex; or none */
    char *name;       /* owns; dn, mended UTF-8, or NULL */
    char **trackers;  /* owns; tr and tr.N, each its own tier */
    uint32_t n_trackers;
    char **web_seeds; /* owns; ws */
    uint32_t n_web_seeds;
    char **peers; /* owns; x.pe, "host:port" */
    uint32_t n_peers;
    uint32_t *select; /* owns; so (BEP 53): file indexes, ranges expanded,
                       * ascending, without doubles */
    uint32_t n_select;
    uint64_t length;   /* xl, 0 when absent */
    unsigned left_out; /* bits of enum magnet_part: what was left out */
    struct url_left_out urls_left_out;
};

/* Parts that may be left out. */
#define MAGNET_PARTS(X)                                                     \
    X(SELECT, "what is no file index or range in so= is left out")          \
    X(TRACKER, "a tr= that is no URL, or one too many, is left out")        \
    X(WEB_SEED, "a ws= that is no web URL, or one too many, is left out")   \
    X(PEER, "an x.pe= that is not host:port, or one too many, is left out") \
    X(LENGTH, "an xl= that is no number of bytes is left out")

enum magnet_part {
#define MAGNET_PART_ENUM(name, text) MAGNET_PART_##name,
    MAGNET_PARTS(MAGNET_PART_ENUM)
#undef MAGNET_PART_ENUM
    MAGNET_PART_COUNT
};

/* "magnet:?..." or 40 / 64 hex digits or 32 base32 digits. BTC_E_METAINFO with
 * the reason. Free with magnet_free. */
int magnet_parse(struct slice text, struct magnet **out, struct err *e);
void magnet_free(struct magnet *m);
/* What to tell a person of a part that was left out; NULL when it was not. */
const char *magnet_warning(const struct magnet *m, enum magnet_part part);
/* True when the text looks like a magnet or a bare hash (not a path or URL). */
bool magnet_is(struct slice text);

#endif
