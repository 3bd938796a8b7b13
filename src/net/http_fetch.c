/* A request in one blocking call, on a loop of its own. */
#include "net/http.h"

#include "base/buf.h"
#include "base/limit.h"

struct http_fetcher {
    struct loop *loop;
    struct buf *body; /* borrows */
    struct err *e;    /* borrows */
    int code;
};

/* The one request has ended. */
static void http_fetch_on_done(void *ctx, const struct http_result *r)
{
    struct http_fetcher *f = ctx;
    if (r->code != 0 && r->magnet != NULL) {
        f->code = buf_append_str(f->body, r->magnet);
    } else if (r->code != 0) {
        f->code = err_set(f->e, r->code, "%s", r->error);
    } else if (r->status == 404 || r->status == 410) {
        f->code = err_set(f->e, BTC_E_NOTFOUND, "%s", r->error);
    } else if (r->status >= 300) {
        f->code = err_set(f->e, BTC_E_NETWORK, "%s", r->error);
    } else {
        f->code = buf_append_slice(f->body, r->body);
    }
    loop_stop(f->loop);
}

/* A loop of its own. */
int http_fetch(const char *url, const struct http_options *o, uint32_t total_ms,
               struct buf *body, struct err *e)
{
    struct http_fetcher f = {.loop = loop_new(), .body = body, .e = e};
    struct http_request r = {.url = url,
                             .max_body = body->max - buf_len(body),
                             .total_ms = total_ms};
    if (!f.loop) {
        return limit_files(e);
    }
    struct http *h = http_new(f.loop, o);
    (void)http_get(h, &r, http_fetch_on_done, &f);
    loop_run(f.loop);
    http_free(h);
    loop_free(f.loop);
    return f.code;
}
