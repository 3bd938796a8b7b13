/* Magnet links (BEP 9, BEP 53) and bare info hashes. */
#ifndef BTC_PROTO_MAGNET_H
#define BTC_PROTO_MAGNET_H

#include "base/err.h"
#include "base/hash.h"

#define MAGNET_MAX_BYTES 65536
#define MAGNET_MAX_ITEMS 256 /* trackers, web seeds, peers each */

struct magnet {
    bool has_v1; /* xt=urn:btih: 40 hex or 32 base32 */
    bool has_v2; /* xt=urn:btmh:1220 + 64 hex */
    uint8_t info_hash[SHA1_LEN];
    uint8_t info_hash_v2[SHA256_LEN];
    char *name;      /* owns; dn, mended UTF-8, or NULL */
    char **trackers; /* owns; tr and tr.N, each its own tier */
    uint32_t n_trackers;
    char **web_seeds; /* owns; ws */
    uint32_t n_web_seeds;
    char **peers; /* owns; x.pe, "host:port" */
    uint32_t n_peers;
    uint32_t *select; /* owns; so (BEP 53): file indexes, ranges expanded,
                       * ascending, without doubles */
    uint32_t n_select;
    uint64_t length; /* xl, 0 when absent */
};

/* "magnet:?..." or 40 / 64 hex digits or 32 base32 digits. BTC_E_METAINFO with
 * the reason. Free with magnet_free. */
int magnet_parse(struct slice text, struct magnet **out, struct err *e);
void magnet_free(struct magnet *m);
/* True when the text looks like a magnet or a bare hash (not a path or URL). */
bool magnet_is(struct slice text);

#endif
