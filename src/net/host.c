/* The host of the connections and listeners of one loop: born, and closed with
 * all that is still open.
 */
#include "net/host.h"

#include "base/mem.h"
#include <stdlib.h>

/* A host without connections. */
struct tcp_host *tcp_host_new(struct loop *l, const struct tcp_host_options *o)
{
    struct tcp_host *h = mem_zalloc(sizeof(*h));
    h->loop = l;
    h->options = *o;
    pace_init(&h->pace);
    h->scratch = mem_alloc(TCP_SCRATCH);
    tcp_pool_init(&h->pool);
    TAILQ_INIT(&h->open);
    TAILQ_INIT(&h->connecting);
    TAILQ_INIT(&h->waiting);
    h->timer_ms = UINT64_MAX;
    TAILQ_INIT(&h->dirty);
    TAILQ_INIT(&h->listeners);
    h->hook = (struct loop_hook){.fn = tcp_on_turn_end, .ctx = h};
    loop_add_hook(l, &h->hook);
    (void)uv_timer_init(loop_uv(l), &h->timer);
    h->timer.data = h;
    return h;
}

/* The timer has closed; so have the connections, or they will without us. */
static void tcp_host_on_closed(uv_handle_t *handle)
{
    struct tcp_host *h = handle->data;
    tcp_pool_fini(&h->pool);
    free(h->scratch);
    free(h);
}

/* Closes all; no owner is called but for its file ranges. */
void tcp_host_free(struct tcp_host *h)
{
    if (!h) {
        return;
    }
    while (!TAILQ_EMPTY(&h->listeners)) {
        tcp_listener_close(TAILQ_FIRST(&h->listeners));
    }
    while (!TAILQ_EMPTY(&h->open)) {
        tcp_close(TAILQ_FIRST(&h->open));
    }
    loop_remove_hook(h->loop, &h->hook);
    uv_close((uv_handle_t *)&h->timer, tcp_host_on_closed);
}
