/* Hosts of HTTP trackers; see tracker_hosts.h. */
#include "engine/tracker_hosts.h"

#include "base/err.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>

struct tracker_hosts {
    struct tracker_host *all; /* owns; a hash by origin */
};

struct tracker_hosts *tracker_hosts_new(void)
{
    return mem_zalloc(sizeof(struct tracker_hosts));
}

/* NOLINTBEGIN(clang-analyzer-unix.Malloc): uthash's loop */
void tracker_hosts_free(struct tracker_hosts *h)
{
    struct tracker_host *host, *next;
    if (h == NULL) {
        return;
    }
    HASH_ITER (hh, h->all, host, next) {
        BTC_ASSERT(host->waiting == NULL);
        HASH_DELETE(hh, h->all, host);
        free(host->origin);
        free(host);
    }
    free(h);
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */

/* Bytes of an URL up to the end of name and port. */
static size_t tracker_hosts_origin(const char *url)
{
    const char *name = strstr(url, "://");
    size_t scheme = 0;
    if (name != NULL) {
        scheme = (size_t)(name - url) + 3;
    }
    return scheme + strcspn(url + scheme, "/?#");
}

struct tracker_host *tracker_hosts_get(struct tracker_hosts *h, const char *url)
{
    struct tracker_host *host;
    size_t len = tracker_hosts_origin(url);
    HASH_FIND(hh, h->all, url, len, host);
    if (host == NULL && HASH_COUNT(h->all) < TRACKER_HOSTS_MAX) {
        host = mem_zalloc(sizeof(*host));
        host->origin = mem_strndup(url, len);
        HASH_ADD_KEYPTR(hh, h->all, host->origin, len, host);
    }
    return host;
}

enum tracker_host_verdict tracker_host_ask(struct tracker_host *h,
                                           uint64_t now_ms)
{
    if (h->state == TRACKER_HOST_DOWN && now_ms < h->retry_ms) {
        return TRACKER_HOST_FAIL;
    }
    if (h->state != TRACKER_HOST_UP && h->n_out >= TRACKER_HOST_PROBES) {
        return TRACKER_HOST_WAIT;
    }
    h->n_out++;
    return TRACKER_HOST_ASK;
}

void tracker_host_cancelled(struct tracker_host *h)
{
    BTC_ASSERT(h->n_out > 0);
    h->n_out--;
}

void tracker_host_answered(struct tracker_host *h)
{
    tracker_host_cancelled(h);
    h->state = TRACKER_HOST_UP;
    h->failures = 0;
}

/* How long it is left alone. */
static uint64_t tracker_host_pause(uint32_t failures)
{
    uint64_t ms = TRACKER_HOST_DOWN_MS;
    while (--failures > 0 && ms < TRACKER_HOST_DOWN_LAST) {
        ms *= 2;
    }
    return num_min_u64(ms, TRACKER_HOST_DOWN_LAST);
}

void tracker_host_failed(struct tracker_host *h, int code, const char *error,
                         uint64_t now_ms)
{
    tracker_host_cancelled(h);
    h->code = code;
    (void)snprintf(h->error, sizeof(h->error), "%s", error);
    if (h->state == TRACKER_HOST_UP) {
        h->state = TRACKER_HOST_DOUBT;
    } else if (h->state != TRACKER_HOST_DOWN || now_ms >= h->retry_ms) {
        /* The other probes of one round do not count. */
        h->state = TRACKER_HOST_DOWN;
        h->failures++;
        h->retry_ms = now_ms + tracker_host_pause(h->failures);
    }
}
