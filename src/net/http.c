/* HTTP over curl's multi_socket interface.
 *
 * curl tells which sockets to watch and when its next time-out is; uv_poll and
 * one uv_timer tell it back what happened. curl's callbacks only note things:
 * owners are called from http_collect, when curl is not on the stack, so they
 * may start and cancel requests as they like.
 *
 * A request is `waiting` (for its turn, host_queue.h), `active` (curl has it)
 * or `done` (its owner is being told). When a host is silent, those that wait
 * for it fail with the one that found out.
 */
#include "net/http.h"

#include "base/addr.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/guard.h"
#include "net/host_queue.h"
#include "net/http_easy.h"
#include "net/http_text.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <uv.h>

enum http_state {
    HTTP_WAITING,
    HTTP_ACTIVE,
    HTTP_DONE
};

struct http_job {
    struct http *http; /* borrows */
    enum http_state state;
    CURL *easy; /* owns; NULL while waiting */
    char *url;  /* owns */
    uint32_t total_ms;
    bool guard;          /* local addresses are forbidden */
    bool is_refused;     /* one was met */
    struct buf body;     /* max = max_body */
    size_t n_header;     /* header bytes so far */
    const char *limited; /* what was too large; NULL = nothing */
    char *magnet;        /* owns; see http_result */
    char text[CURL_ERROR_SIZE];
    http_fn *fn;
    void *ctx;                  /* borrows */
    TAILQ_ENTRY(http_job) link; /* until it is done */
    struct host_queue_entry turn;
};
TAILQ_HEAD(http_job_list, http_job);

struct http {
    struct loop *loop; /* borrows */
    CURLM *multi;      /* owns */
    uv_timer_t timer;
    struct http_options options;
    struct http_job_list jobs; /* owns; waiting and active */
    struct host_queue *queue;  /* owns; their turns */
    bool is_closed;            /* in http_free or after it */
};

/* A socket of curl's that is watched. */
struct http_socket {
    uv_poll_t poll;
    struct http *http; /* borrows */
    curl_socket_t fd;  /* curl's */
    int events;        /* what uv_poll watches */
};

static void http_collect(struct http *h);

/* --- curl's callbacks ------------------------------------------------------
 */

/* The body, decoded. Anything but `len` back ends the transfer. */
static size_t http_on_body(char *p, size_t size, size_t n, void *arg)
{
    struct http_job *j = arg;
    size_t len = size * n; /* size is always 1 */
    if (buf_append(&j->body, p, len) != 0) {
        j->limited = "body";
        return 0;
    }
    return len;
}

/* Keeps a magnet link that the answer sends us to, which curl does not know. */
static void http_note_magnet(struct http_job *j, const char *line, size_t len)
{
    static const char name[] = "location:";
    static const char scheme[] = "magnet:";
    size_t at = sizeof(name) - 1;
    if (len < at || strncasecmp(line, name, at) != 0) {
        return;
    }
    while (at < len && line[at] == ' ') {
        at++;
    }
    if (len - at >= sizeof(scheme) - 1 &&
        strncasecmp(line + at, scheme, sizeof(scheme) - 1) == 0) {
        free(j->magnet);
        j->magnet = mem_strndup(line + at, len - at);
        j->magnet[strcspn(j->magnet, "\r\n")] = '\0';
    }
}

/* A line of a header; redirects and interim answers count too. The type is
 * curl's. NOLINTNEXTLINE(readability-non-const-parameter) */
static size_t http_on_header(char *p, size_t size, size_t n, void *arg)
{
    struct http_job *j = arg;
    size_t len = size * n;
    if (len > HTTP_HEADER_MAX - j->n_header) {
        j->limited = "header";
        return 0;
    }
    j->n_header += len;
    http_note_magnet(j, p, len);
    return len;
}

/* The handle has closed: its memory goes. */
static void http_socket_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void http_socket_on_poll(uv_poll_t *poll, int status, int events);

/* Watches for s->events. */
static void http_socket_watch(struct http_socket *s)
{
    int rc = uv_poll_start(&s->poll, s->events, http_socket_on_poll);
    BTC_ASSERT(rc == 0);
}

/* Something happened on a socket of curl's. */
static void http_socket_on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_socket *s = poll->data;
    struct http *h = s->http;
    int flags = 0;
    int running = 0;
    if (status < 0) { /* curl finds the error where it reads or writes */
        flags = CURL_CSELECT_IN | CURL_CSELECT_OUT;
    } else {
        if (events & UV_READABLE) {
            flags |= CURL_CSELECT_IN;
        }
        if (events & UV_WRITABLE) {
            flags |= CURL_CSELECT_OUT;
        }
    }
    (void)curl_multi_socket_action(h->multi, s->fd, flags, &running);
    if (status < 0 && !uv_is_closing((uv_handle_t *)poll)) {
        http_socket_watch(s); /* libuv had stopped it */
    }
    http_collect(h);
}

/* A socket that curl made. NULL when it cannot be watched; the request then
 * runs into its time-out. */
static struct http_socket *http_socket_new(struct http *h, curl_socket_t fd)
{
    struct http_socket *s = mem_zalloc(sizeof(*s));
    int rc = uv_poll_init(loop_uv(h->loop), &s->poll, fd);
    if (rc != 0) {
        log_write(LOG_WARN, "http", "cannot watch a socket: %s",
                  uv_strerror(rc));
        free(s);
        return NULL;
    }
    s->poll.data = s;
    s->http = h;
    s->fd = fd;
    (void)curl_multi_assign(h->multi, fd, s);
    return s;
}

/* curl wants a socket watched for other things, or no more. */
static int http_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
                          void *socket_arg)
{
    struct http *h = arg;
    struct http_socket *s = socket_arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s) {
            (void)curl_multi_assign(h->multi, fd, NULL);
            uv_close((uv_handle_t *)&s->poll, http_socket_on_closed);
        }
        return 0;
    }
    if (!s) {
        s = http_socket_new(h, fd);
    }
    if (!s) {
        return -1;
    }
    s->events = (what != CURL_POLL_OUT ? UV_READABLE : 0) |
                (what != CURL_POLL_IN ? UV_WRITABLE : 0);
    http_socket_watch(s);
    return 0;
}

/* curl's time has come. */
static void http_on_timer(uv_timer_t *timer)
{
    struct http *h = timer->data;
    int running = 0;
    (void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    http_collect(h);
}

/* curl sets its one timer. */
static int http_on_set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct http *h = arg;
    (void)multi;
    if (timeout_ms < 0) {
        (void)uv_timer_stop(&h->timer);
    } else {
        /* Never 0: libuv would run it again before any socket. */
        uint64_t wait = 1;
        if (timeout_ms > 0) {
            wait = (uint64_t)timeout_ms;
        }
        (void)uv_timer_start(&h->timer, http_on_timer, wait, 0);
    }
    return 0;
}

/* --- a request --------------------------------------------------------------
 */

/* A socket for curl, but to no local address for a guarded request. */
static curl_socket_t http_on_open_socket(void *arg, curlsocktype purpose,
                                         struct curl_sockaddr *to)
{
    struct http_job *j = arg;
    struct addr a = addr_from_sockaddr(&to->addr);
    (void)purpose;
    if (!guard_may_reach(j->guard, &a)) {
        j->is_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* The same for a kept connection, which needs no new socket. The types are
 * curl's. NOLINTBEGIN(readability-non-const-parameter) */
static int http_on_prereq(void *arg, char *to_ip, char *from_ip, int to_port,
                          int from_port)
{
    struct http_job *j = arg;
    struct addr a;
    (void)from_ip;
    (void)from_port;
    (void)to_port;
    if (!addr_parse_ip(slice_str(to_ip), 0, &a)) {
        a = (struct addr){0}; /* as good as local */
    }
    if (!guard_may_reach(j->guard, &a)) {
        j->is_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    return CURL_PREREQFUNC_OK;
}
/* NOLINTEND(readability-non-const-parameter) */

/* What curl is to do and what not. */
static void http_configure(struct http_job *j)
{
    const struct http_options *o = &j->http->options;
    CURL *easy = j->easy;
    http_easy_str(easy, CURLOPT_URL, j->url);
    http_easy_str(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    http_easy_str(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    http_easy_long(easy, CURLOPT_FOLLOWLOCATION, 1);
    http_easy_long(easy, CURLOPT_MAXREDIRS, HTTP_REDIRECTS);
    http_easy_str(easy, CURLOPT_ACCEPT_ENCODING, ""); /* all that curl knows */
    http_easy_str(easy, CURLOPT_USERAGENT,
                  o->user_agent[0] ? o->user_agent : "btc/" BTC_VERSION);
    http_easy_interface(easy, o->interface);
    http_easy_trust(easy);
    http_easy_long(easy, CURLOPT_NOSIGNAL, 1);
    /* Do not wait for a resolver thread when a request ends early. */
    http_easy_long(easy, CURLOPT_QUICK_EXIT, 1);
    http_easy_long(easy, CURLOPT_CONNECTTIMEOUT_MS, HTTP_CONNECT_MS);
    http_easy_long(easy, CURLOPT_TIMEOUT_MS, (long)j->total_ms);
    unsigned rc = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_on_body);
    rc |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, j);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_on_header);
    rc |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, j);
    rc |=
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, http_on_open_socket);
    rc |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, j);
    rc |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, http_on_prereq);
    rc |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, j);
    rc |= curl_easy_setopt(easy, CURLOPT_PRIVATE, j);
    rc |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, j->text);
    rc |= curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE,
                           (curl_off_t)j->body.max);
    BTC_ASSERT(rc == CURLE_OK);
}

/* Gives it to curl. */
static void http_job_start(struct http_job *j)
{
    struct http *h = j->http;
    j->easy = curl_easy_init();
    BTC_ASSERT(j->easy != NULL);
    http_configure(j);
    j->state = HTTP_ACTIVE;
    CURLMcode rc = curl_multi_add_handle(h->multi, j->easy);
    BTC_ASSERT(rc == CURLM_OK);
}

/* Takes it from curl or from the queue. */
static void http_job_unlink(struct http_job *j)
{
    struct http *h = j->http;
    if (j->state == HTTP_ACTIVE) {
        (void)curl_multi_remove_handle(h->multi, j->easy);
    }
    host_queue_remove(h->queue, &j->turn);
    TAILQ_REMOVE(&h->jobs, j, link);
    j->state = HTTP_DONE;
}

/* Frees one that is unlinked. */
static void http_job_free(struct http_job *j)
{
    curl_easy_cleanup(j->easy);
    buf_fini(&j->body);
    free(j->magnet);
    free(j->url);
    free(j);
}

/* Those whose turn it is. */
static void http_start_waiting(struct http *h)
{
    struct host_queue_entry *e = NULL;
    while (!h->is_closed && (e = host_queue_next(h->queue)) != NULL) {
        http_job_start(e->owner);
    }
}

/* Whether the transfer failed only on an error page that is too long: then the
 * status says more than the failure. */
static bool http_is_long_refusal(const struct http_job *j, CURLcode rc,
                                 long status)
{
    bool is_long = rc == CURLE_FILESIZE_EXCEEDED ||
                   (j->limited && strcmp(j->limited, "body") == 0);
    return is_long && status >= 400;
}

/* Retry-After of a refusal, in seconds; curl makes them of a date, too. */
static uint32_t http_retry_after(const struct http_job *j, long status)
{
    curl_off_t seconds = 0;
    if (status < 400 || curl_easy_getinfo(j->easy, CURLINFO_RETRY_AFTER,
                                          &seconds) != CURLE_OK) {
        return 0;
    }
    if (seconds > UINT32_MAX) {
        return UINT32_MAX;
    }
    return (uint32_t)seconds;
}

/* The answer or the reason why there is none. */
static void http_fill_result(struct http_job *j, CURLcode rc,
                             struct http_result *r)
{
    struct http_failure f = {
        .curl_code = (int)rc,
        .limited = j->limited,
        .limit = j->limited && strcmp(j->limited, "header") == 0
                     ? HTTP_HEADER_MAX
                     : j->body.max,
        .interface = j->http->options.interface,
        .curl_text = j->text,
        .url = j->url,
    };
    char *url = NULL;
    (void)curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &f.status);
    (void)curl_easy_getinfo(j->easy, CURLINFO_OS_ERRNO, &f.os_error);
    (void)curl_easy_getinfo(j->easy, CURLINFO_REQUEST_SIZE, &f.asked);
    (void)curl_easy_getinfo(j->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (url) {
        f.url = url;
    } else {
        f.url = j->url;
    }
    f.proxy = http_easy_proxy(f.url);
    if (http_is_long_refusal(j, rc, f.status)) {
        f.curl_code = CURLE_OK;
    }
    r->status = f.status;
    r->retry_after_s = http_retry_after(j, f.status);
    r->magnet = j->magnet;
    r->body = buf_slice(&j->body);
    r->code = http_text_explain(&f, r->error, sizeof(r->error));
    if (j->is_refused && r->code != 0) {
        r->code = BTC_E_REFUSED;
        (void)snprintf(r->error, sizeof(r->error), "%s", GUARD_REFUSED);
    }
}

/* Nothing came from the host at all. */
static bool http_is_silence(const struct http_job *j,
                            const struct http_result *r)
{
    if (r->status != 0 || j->is_refused) {
        return false;
    }
    return r->code == BTC_E_TIMEOUT || r->code == BTC_E_NETWORK ||
           r->code == BTC_E_REFUSED;
}

/* Whoever waits for the host need not ask it, too. Each call may start and
 * cancel others, so the queue is asked for each anew. */
static void http_fail_waiting(struct http *h, const char *key,
                              const struct http_result *silence)
{
    uint32_t n = host_queue_n_waiting(h->queue, key);
    for (; n > 0 && !h->is_closed; n--) {
        struct host_queue_entry *e = host_queue_first(h->queue, key);
        struct http_result r = *silence;
        if (e == NULL) {
            return;
        }
        struct http_job *j = e->owner;
        http_job_unlink(j);
        r.body = slice_of(NULL, 0);
        r.magnet = NULL;
        j->fn(j->ctx, &r);
        http_job_free(j);
    }
}

/* curl is done with it: tells the owner. */
static void http_job_finish(struct http_job *j, CURLcode rc)
{
    struct http *h = j->http;
    struct http_result r = {0};
    char key[HOST_QUEUE_KEY_MAX];
    bool is_silent = false;
    (void)snprintf(key, sizeof(key), "%s", host_queue_key(&j->turn));
    http_fill_result(j, rc, &r);
    if (http_is_silence(j, &r)) {
        is_silent = host_queue_is_silent(&j->turn);
    } else {
        host_queue_answered(&j->turn);
    }
    http_job_unlink(j);
    log_write(LOG_DEBUG, "http", "status %ld, %zu bytes%s%s", r.status,
              r.body.len, r.error[0] ? ": " : "", r.error);
    j->fn(j->ctx, &r);
    http_job_free(j);
    if (is_silent) {
        http_fail_waiting(h, key, &r);
    }
}

/* Tells the owners of all that has ended; curl is not on the stack. */
static void http_collect(struct http *h)
{
    CURLMsg *m;
    int left = 0;
    while (!h->is_closed && (m = curl_multi_info_read(h->multi, &left))) {
        struct http_job *j = NULL;
        CURLcode rc = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &j);
        if (m->msg == CURLMSG_DONE && j) {
            http_job_finish(j, rc);
        }
    }
    http_start_waiting(h);
}

/* --- the face
 * ------------------------------------------------------------------ */

/* Nothing under way. */
struct http *http_new(struct loop *l, const struct http_options *o)
{
    struct http *h = mem_zalloc(sizeof(*h));
    CURLcode rc = curl_global_init(CURL_GLOBAL_DEFAULT); /* counts */
    BTC_ASSERT(rc == CURLE_OK);
    h->loop = l;
    h->options = *o;
    TAILQ_INIT(&h->jobs);
    h->queue = host_queue_new(HTTP_PARALLEL, HTTP_PER_HOST);
    (void)uv_timer_init(loop_uv(l), &h->timer);
    h->timer.data = h;
    h->multi = curl_multi_init();
    BTC_ASSERT(h->multi != NULL);
    CURLMcode mc =
        curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, http_on_socket);
    mc |= curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    mc |=
        curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, http_on_set_timer);
    mc |= curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    mc |=
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_IDLE_MAX);
    BTC_ASSERT(mc == CURLM_OK);
    return h;
}

/* The timer has closed: the last of it. */
static void http_on_closed(uv_handle_t *handle)
{
    struct http *h = handle->data;
    host_queue_free(h->queue);
    free(h);
}

/* Cancels all; also inside a callback. */
void http_free(struct http *h)
{
    if (!h) {
        return;
    }
    h->is_closed = true;
    while (!TAILQ_EMPTY(&h->jobs)) {
        /* The analyser loses sight of the list.
         * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        http_cancel(TAILQ_FIRST(&h->jobs));
    }
    (void)curl_multi_cleanup(h->multi); /* closes the kept connections */
    curl_global_cleanup();
    uv_close((uv_handle_t *)&h->timer, http_on_closed);
}

/* Starts or queues a request. */
struct http_job *http_get(struct http *h, const struct http_request *r,
                          http_fn *fn, void *ctx)
{
    struct http_job *j = mem_zalloc(sizeof(*j));
    char key[HOST_QUEUE_KEY_MAX];
    http_easy_host_key(r->url, key);
    j->http = h;
    j->url = mem_strdup(r->url);
    if (r->total_ms) {
        j->total_ms = r->total_ms;
    } else {
        j->total_ms = HTTP_TOTAL_MS;
    }
    j->guard = r->guard && !http_easy_has_proxy() && !http_easy_is_local(key);
    j->fn = fn;
    j->ctx = ctx;
    buf_init(&j->body, r->max_body);
    j->state = HTTP_WAITING;
    j->turn.owner = j;
    TAILQ_INSERT_TAIL(&h->jobs, j, link);
    host_queue_add(h->queue, &j->turn, key);
    http_start_waiting(h);
    return j;
}

/* Nothing for one whose owner is being told. */
void http_cancel(struct http_job *j)
{
    if (!j || j->state == HTTP_DONE) {
        return;
    }
    struct http *h = j->http;
    http_job_unlink(j);
    http_job_free(j);
    http_start_waiting(h);
}
