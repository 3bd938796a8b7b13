/* Names of hosts become addresses, off the loop: getaddrinfo may block for half
 * a minute, so each look-up has a thread of its own (a few at once, the rest
 * waits), and a process that ends waits for none of them.
 *
 * Answers are kept for a while, failures for a shorter one, and those who ask
 * for the same name share one look-up. An address in digits is answered without
 * a thread, but also only later: `fn` is never called from resolve_start.
 */
#ifndef BTC_NET_RESOLVE_H
#define BTC_NET_RESOLVE_H

#include "base/addr.h"
#include "base/err.h"
#include "net/loop.h"

#define RESOLVE_HOST_MAX  253    /* bytes of a name (RFC 1035) */
#define RESOLVE_ADDRS     16     /* addresses kept of an answer */
#define RESOLVE_PARALLEL  8      /* threads at once */
#define RESOLVE_QUEUE     1024   /* look-ups under way and waiting */
#define RESOLVE_CACHE     256    /* names kept */
#define RESOLVE_KEEP_MS   300000 /* an answer is good for so long */
#define RESOLVE_FAILED_MS 15000  /* and so is "no such host" */

struct resolve;     /* the cache and its threads */
struct resolve_job; /* one who waits for an answer */

struct resolve_result {
    int code; /* 0, or BTC_E_NETWORK, BTC_E_LIMIT (too many at once) */
    struct addr addrs[RESOLVE_ADDRS]; /* with the port that was given */
    size_t n;                         /* > 0 when code is 0 */
    char error[256];                  /* why there is none, for a person */
};
typedef void resolve_fn(void *ctx, const struct resolve_result *r);

/* Looks a name up; runs in a thread. Fills `out` (port 0) and gives 0, or a
 * code with the text. */
typedef int resolve_lookup(const char *host, struct resolve_result *out);

/* `lookup` NULL: the system's. Tests bring their own. */
struct resolve *resolve_new(struct loop *l, resolve_lookup *lookup);
void resolve_free(struct resolve *r); /* NULL allowed; cancels all */
/* `fn` is called exactly once, later, unless the job is cancelled. */
struct resolve_job *resolve_start(struct resolve *r, const char *host,
                                  uint16_t port, resolve_fn *fn, void *ctx);
void resolve_cancel(struct resolve_job *j); /* NULL allowed */

#endif
