/* Ranges of pieces on their way to a socket; see uploads.h. An upload holds its
 * job, which keeps the torrent in memory, and a reference to its link. */
#include "engine/uploads.h"

#include "base/mem.h"
#include "engine/jobs.h"
#include "engine/judge.h"
#include "engine/links.h"
#include "engine/turn.h"
#include "model/block.h"
#include "model/span.h"

/* A range on its way from the page cache to a socket. */
struct upload {
    struct store_job job; /* first: freed as the job */
    struct link *link;    /* a reference */
    struct wire_block range;
    uint32_t chunk;
    uint32_t pending; /* file ranges queued + 1 while they are being queued */
    bool failed;
};

/* Everything of it has left, or never will. */
static void upload_unref(struct upload *u)
{
    if (--u->pending > 0) {
        return;
    }
    struct link *l = u->link;
    struct engine_torrent *st = l->st;
    struct event ev = {.type = EVENT_UPLOADED,
                       .conn = l->id,
                       .piece = u->range.piece,
                       .result = u->failed ? BTC_E_CLOSED : u->job.result};
    ev.uploaded.len = u->range.len;
    for (uint32_t i = 0; u->job.fds != NULL && i < u->job.n_spans; i++) {
        if (u->job.fds[i] >= 0) {
            store_fd_release(u->job.store, u->job.spans[i].file, u->job.fds[i]);
        }
    }
    jobs_done(st);
    links_unref(l);
    jobs_free(&u->job);
    turn_input(st, &ev);
}

/* A file range has been sent, or its connection is gone. */
static void upload_on_release(void *ctx, void *arg)
{
    struct upload *u = ctx;
    struct tcp_conn *c = arg;
    u->failed |= u->link->conn != c || !tcp_is_open(c);
    upload_unref(u);
}

/* One message's payload out of the spans, from byte `at` of the range. */
static void upload_send_payload(struct upload *u, uint32_t at, uint32_t len)
{
    static const uint8_t zeros[BLOCK_LEN];
    struct tcp_conn *c = u->link->conn;
    uint32_t start = 0; /* of the span, in the range */
    for (uint32_t i = 0; i < u->job.n_spans && len > 0; i++) {
        const struct span *s = &u->job.spans[i];
        while (len > 0 && at >= start && at < start + s->len) {
            uint32_t off = at - start;
            uint32_t n = len;
            if (s->len - off < len) {
                n = s->len - off;
            }
            if (s->pad) {
                if (n >= sizeof(zeros)) {
                    n = (uint32_t)sizeof(zeros);
                }
                tcp_send_const(c, slice_of(zeros, n));
            } else {
                struct tcp_file f = {.fd = u->job.fds[i],
                                     .offset = (off_t)(s->offset + off),
                                     .len = n,
                                     .release = upload_on_release,
                                     .ctx = u,
                                     .arg = c};
                u->pending++;
                tcp_send_file(c, &f);
            }
            at += n;
            len -= n;
        }
        start += s->len;
    }
}

/* Answer to PREFETCH: the data is in the page cache, so sendfile will not wait
 * for the disk. */
static void upload_on_read(struct store_job *job)
{
    struct upload *u = (struct upload *)job;
    u->pending = 1;
    jobs_note_failure(u->link->st, job);
    if (job->fail.touched && u->link->st->life.state == LIFE_RUNNING) {
        judge_touched(u->link->st, (uint32_t)job->fail.file);
    }
    for (uint32_t at = 0; job->result == 0 && at < u->range.len;) {
        if (u->link->conn == NULL) {
            u->failed = true;
            break;
        }
        uint32_t left = u->range.len - at;
        struct wire_block b = {.piece = u->range.piece,
                               .begin = u->range.begin + at,
                               .len = left < u->chunk ? left : u->chunk};
        uint8_t header[WIRE_HEADER_MAX];
        size_t n = wire_encode_block(WIRE_PIECE, &b, header);
        tcp_send(u->link->conn, slice_of(header, n));
        upload_send_payload(u, at, b.len);
        at += b.len;
    }
    upload_unref(u);
}

void uploads_start(struct engine_torrent *st, const struct action *a)
{
    struct link *l = links_find(st, a->conn);
    if (l == NULL) {
        struct event ev = {.type = EVENT_UPLOADED,
                           .conn = a->conn,
                           .piece = a->piece,
                           .result = BTC_E_CLOSED};
        ev.uploaded.len = a->upload.range.len;
        turn_input(st, &ev);
        return;
    }
    struct upload *u = mem_zalloc(sizeof(*u));
    u->job = (struct store_job){.op = STORE_PREFETCH,
                                .store = st->store,
                                .done = upload_on_read,
                                .ctx = st,
                                .fail.file = -1};
    st->n_jobs++;
    u->link = links_ref(l);
    u->range = a->upload.range;
    u->chunk = a->upload.chunk;
    jobs_set_range(st, &u->job, u->range.piece, u->range.begin, u->range.len);
    if (store_warm(&u->job)) {
        upload_on_read(&u->job);
    } else {
        store_submit(st->s->disk, &u->job);
    }
}
