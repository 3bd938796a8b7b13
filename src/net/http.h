/* HTTP and HTTPS requests: curl's multi interface on the uv loop. For trackers,
 * fetching a .torrent and, later, web seeds. curl was chosen for redirects,
 * proxies, TLS and gzip done right.
 *
 * Only http and https, also after redirects (5 at most). Certificates are
 * verified (SSL_CERT_FILE and SSL_CERT_DIR name who is trusted). Nothing blocks
 * the loop (DNS is curl's threaded resolver).
 */
#ifndef BTC_NET_HTTP_H
#define BTC_NET_HTTP_H

#include "base/bytes.h"
#include "base/err.h"
#include "net/loop.h"

#define HTTP_CONNECT_MS 15000
#define HTTP_TOTAL_MS   60000
#define HTTP_REDIRECTS  5
#define HTTP_PARALLEL   128         /* requests at once; others wait */
#define HTTP_PER_HOST   16          /* of them to a host that answers */
#define HTTP_HEADER_MAX (64u << 10) /* of all answers of one request */
#define HTTP_IDLE_MAX   8           /* kept connections */

struct http;     /* the multi handle */
struct http_job; /* one request */

struct http_options {
    char interface[64]; /* --bind: an IP or device, "" = any */
    char user_agent[64];
};

struct http_request {
    const char *url;   /* copied */
    size_t max_body;   /* more: BTC_E_LIMIT */
    uint32_t total_ms; /* 0 = HTTP_TOTAL_MS */
    /* A host that is not local by its name (guard.h) must not lead to a local
     * address, neither by its name's addresses nor by a redirect. */
    bool guard;
};

struct http_result {
    int code;    /* 0 or BTC_E_* (NETWORK, TIMEOUT, REFUSED, LIMIT, ...) */
    long status; /* HTTP status, 0 when none came */
    uint32_t retry_after_s; /* what a refusal asks us to wait; 0 = not said */
    struct slice body; /* decoded; dead after the callback; with a status >= 400
                        * it may be cut at max_body */
    const char *magnet; /* a link that a redirect led to, which then failed;
                         * NULL = none, dead after the callback */
    char error[256];    /* text for a person when code != 0 or status >= 400 */
};
typedef void http_fn(void *ctx, const struct http_result *r);

struct http *http_new(struct loop *l, const struct http_options *o);
void http_free(struct http *h); /* cancels what is under way */
/* `fn` is called exactly once, later, unless the job is cancelled. */
struct http_job *http_get(struct http *h, const struct http_request *r,
                          http_fn *fn, void *ctx);
void http_cancel(struct http_job *j); /* NULL allowed; fn is not called */

/* In one blocking call, for commands that fetch a .torrent. `body` is appended
 * to; its cap is the limit; total_ms: see http_request. 0 only for a status
 * below 300; 404 and 410 are BTC_E_NOTFOUND, other refusals BTC_E_NETWORK. A
 * redirect to a magnet link gives that link. */
struct buf;
int http_fetch(const char *url, const struct http_options *o, uint32_t total_ms,
               struct buf *body, struct err *e);

#endif
