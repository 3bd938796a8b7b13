/* The core's actions carried out with io; results of io as events of the core.
 *
 * An object that an asynchronous job names lives until the job is back:
 * torrents count their jobs, links their references. Conn ids have a
 * generation, so a result for a connection that is gone is dropped by the core.
 */
#include "base/log.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "engine/trackers.h"
#include "model/block.h"
#include "model/span.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An event of the core; what it causes is drained by whoever drains now. */
static void engine_input(struct engine_torrent *st, const struct event *ev)
{
    torrent_input(st->t, ev, loop_now_ms(st->s->loop), loop_unix_now());
}

/* --- jobs --- */

/* A job of the torrent; freed with engine_job_free. */
struct store_job *engine_job(struct engine_torrent *st, enum store_op op,
                             store_done_fn *done)
{
    struct store_job *job = mem_zalloc(sizeof *job);
    job->op = op;
    job->store = st->store;
    job->done = done;
    job->ctx = st;
    job->fail_file = -1;
    st->n_jobs++;
    return job;
}

void engine_job_done(struct engine_torrent *st)
{
    st->n_jobs--;
    engine_touch(st);
}

void engine_job_free(struct store_job *job)
{
    free(job->spans);
    free(job->block_hashes);
    free(job->fds);
    free(job->prints);
    bits_fini(&job->scan);
    free(job);
}

/* Spans of a range of a piece. */
void engine_job_piece(struct engine_torrent *st, struct store_job *job,
                      uint32_t piece, uint32_t begin, uint32_t len)
{
    struct layout_spans it;
    struct span s;
    uint32_t cap = 0;
    layout_spans_init(&it, &st->geom,
                      layout_piece_offset(&st->geom, piece) + begin, len);
    while (layout_spans_next(&it, &s)) {
        if (job->n_spans == cap) {
            cap = cap > 0 ? cap * 2 : 4;
            job->spans = mem_resize(job->spans, cap, sizeof *job->spans);
        }
        job->spans[job->n_spans++] = (struct span){
            .file = s.file, .pad = s.pad, .offset = s.offset, .len = s.len};
    }
    job->tag = piece;
}

/* Why a disk job failed, where people look: what the torrent goes on from is
 * no error of it. */
static void engine_job_failed(struct engine_torrent *st,
                              const struct store_job *job)
{
    if (job->result == 0 || job->result == BTC_E_HASH ||
        job->result == BTC_E_CANCELLED) {
        return;
    }
    bool mends = job->op == STORE_PREFETCH || job->result == BTC_E_SHORT;
    if (!mends && job->error[0] != '\0' && st->error[0] == '\0') {
        (void)snprintf(st->error, sizeof st->error, "%s", job->error);
    }
    log_write(LOG_INFO, "disk", "%s: %s", err_name(job->result), job->error);
}

/* Answer to FINISH. */
static void engine_on_finished(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct event ev = {.type = EVENT_FINISHED,
                       .piece = (uint32_t)job->tag,
                       .result = job->result};
    ev.finished.block_hashes = (const uint8_t(*)[SHA1_LEN])job->block_hashes;
    engine_job_done(st);
    engine_job_failed(st, job);
    engine_event(st, &ev);
    engine_job_free(job);
}

/* Answer to WRITE. */
static void engine_on_written(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct event ev = {.type = EVENT_WRITTEN,
                       .piece = (uint32_t)job->tag,
                       .result = job->result};
    ev.finished.block_hashes = (const uint8_t(*)[SHA1_LEN])job->block_hashes;
    engine_job_done(st);
    st->s->n_writes[job->tag >> 32]--;
    engine_job_failed(st, job);
    engine_event(st, &ev);
    engine_job_free(job);
    engine_commit_written(st->s);
}

/* Answer to HASH. Data kept from an earlier run may not be durable yet. */
static void engine_on_hashed(struct store_job *job)
{
    struct engine_torrent *st = job->ctx;
    struct event ev = {.type = EVENT_HASHED,
                       .piece = (uint32_t)job->tag,
                       .result = job->result};
    engine_job_done(st);
    for (uint32_t i = 0; job->result == 0 && i < job->n_spans; i++) {
        if (!job->spans[i].pad) {
            store_mark_dirty(st->store, job->spans[i].file);
        }
    }
    engine_event(st, &ev);
    engine_job_free(job);
    st->s->hash_free |=
        st->s->shared.content.hash_busy < st->s->shared.content.hash_jobs;
}

/* FINISH, WRITE, HASH. */
static void engine_do_disk(struct engine_torrent *st, const struct action *a)
{
    enum store_op op = a->type == ACTION_FINISH  ? STORE_FINISH
                       : a->type == ACTION_WRITE ? STORE_WRITE
                                                 : STORE_HASH;
    store_done_fn *done = a->type == ACTION_FINISH  ? engine_on_finished
                          : a->type == ACTION_WRITE ? engine_on_written
                                                    : engine_on_hashed;
    struct store_job *job = engine_job(st, op, done);
    engine_job_piece(st, job, a->piece, 0,
                     layout_piece_size(&st->geom, a->piece));
    memcpy(job->expected, st->meta->piece_hashes + (size_t)a->piece * SHA1_LEN,
           SHA1_LEN);
    if (a->type == ACTION_WRITE) {
        job->tag |= (uint64_t)st->s->write_turn << 32;
        st->s->n_writes[st->s->write_turn]++;
    }
    if (a->type == ACTION_HASH) {
        job->low = true;
    } else {
        job->blocks = a->write.blocks;
        job->n_blocks = a->write.n_blocks;
        job->want_block_hashes = a->write.want_block_hashes;
    }
    store_submit(st->s->disk, job);
}

/* --- links --- */

/* The last reference goes with the memory. */
static void link_unref(struct link *l)
{
    if (--l->refs == 0) {
        free(l);
    }
}

/* Out of the tables; uploads under way keep the memory. */
static void link_drop(struct link *l)
{
    struct engine_torrent *st = l->st;
    uint32_t slot = l->id & 0xffffu;
    if (st->links[slot] != l) {
        return;
    }
    st->links[slot] = NULL;
    if (l->next != NULL) {
        l->next->prev = l->prev;
    }
    if (l->prev != NULL) {
        l->prev->next = l->next;
    } else {
        st->s->links = l->next;
    }
    l->conn = NULL;
    link_unref(l);
}

static void link_on_open(void *ctx)
{
    struct link *l = ctx;
    struct event ev = {.type = EVENT_CONNECTED, .conn = l->id};
    engine_event(l->st, &ev);
}

static void link_on_data(void *ctx, struct slice data)
{
    struct link *l = ctx;
    struct engine *s = l->st->s;
    bucket_take(&s->down_bucket, data.len);
    bucket_take(&l->st->down_bucket, data.len);
    s->journal_bytes += data.len;
    struct event ev = {.type = EVENT_DATA, .conn = l->id, .data = data};
    engine_event(l->st, &ev);
}

static void link_on_close(void *ctx, int err)
{
    struct link *l = ctx;
    struct engine_torrent *st = l->st;
    struct event ev = {.type = EVENT_CLOSED, .conn = l->id, .result = err};
    link_drop(l);
    engine_event(st, &ev);
}

static const struct tcp_callbacks link_callbacks = {.on_open = link_on_open,
                                                    .on_data = link_on_data,
                                                    .on_close = link_on_close};

/* A link for a conn id. */
static struct link *link_new(struct engine_torrent *st, uint32_t id)
{
    uint32_t slot = id & 0xffffu;
    if (slot >= st->n_links) {
        uint32_t n = st->n_links > 0 ? st->n_links : 16;
        while (n <= slot) {
            n *= 2;
        }
        st->links = mem_resize(st->links, n, sizeof(struct link *));
        for (uint32_t i = st->n_links; i < n; i++) {
            st->links[i] = NULL;
        }
        st->n_links = n;
    }
    BTC_ASSERT(st->links[slot] == NULL);
    struct link *l = mem_zalloc(sizeof *l);
    l->st = st;
    l->id = id;
    l->refs = 1;
    l->next = st->s->links;
    if (l->next != NULL) {
        l->next->prev = l;
    }
    st->s->links = l;
    st->links[slot] = l;
    return l;
}

/* The link of a conn id; NULL when it is gone. */
static struct link *link_find(struct engine_torrent *st, uint32_t id)
{
    uint32_t slot = id & 0xffffu;
    if (slot >= st->n_links || st->links[slot] == NULL ||
        st->links[slot]->id != id) {
        return NULL;
    }
    return st->links[slot];
}

/* The limits of a new connection. Besides the usual messages we have a bitfield
 * to send. Of a limited torrent it waits for its share; until the next grants
 * it may just say who it is. */
static void link_limit(const struct link *l)
{
    tcp_set_write_max(l->conn, TCP_WRITE_MAX + l->st->geom.n_pieces / 8);
    if (l->st->s->down_bucket.rate > 0 || l->st->down_bucket.rate > 0) {
        tcp_grant_read(l->conn, ENGINE_LIMIT_FIRST);
    }
}

void engine_link_accepted(struct engine_torrent *st, uint32_t id,
                          struct tcp_conn *c)
{
    struct link *l = link_new(st, id);
    l->conn = c;
    tcp_set_callbacks(c, &link_callbacks, l);
    link_limit(l);
}

void engine_close_links(struct engine_torrent *st)
{
    for (uint32_t i = 0; i < st->n_links; i++) {
        struct link *l = st->links[i];
        if (l != NULL) {
            struct tcp_conn *c = l->conn;
            link_drop(l);
            tcp_close(c);
        }
    }
    trackers_cancel(st);
}

/* ACTION_CONNECT. */
static void engine_do_connect(struct engine_torrent *st, const struct action *a)
{
    int code = BTC_E_NETWORK;
    struct link *l = link_new(st, a->conn);
    l->conn = tcp_connect(st->s->host, &a->addr, &link_callbacks, l, &code);
    if (l->conn == NULL) {
        struct event ev = {
            .type = EVENT_CLOSED, .conn = a->conn, .result = code};
        link_drop(l);
        engine_input(st, &ev);
        return;
    }
    link_limit(l);
}

/* ACTION_CLOSE. */
static void engine_do_close(struct engine_torrent *st, uint32_t id)
{
    struct link *l = link_find(st, id);
    if (l != NULL) {
        struct tcp_conn *c = l->conn;
        link_drop(l);
        tcp_close(c);
    }
}

/* --- uploads --- */

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
    engine_job_done(st);
    link_unref(l);
    engine_job_free(&u->job);
    engine_event(st, &ev);
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
            uint32_t n = s->len - off < len ? s->len - off : len;
            if (s->pad) {
                n = n < sizeof zeros ? n : (uint32_t)sizeof zeros;
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
    engine_job_failed(u->link->st, job);
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

/* ACTION_UPLOAD. */
static void engine_do_upload(struct engine_torrent *st, const struct action *a)
{
    struct link *l = link_find(st, a->conn);
    if (l == NULL) {
        struct event ev = {.type = EVENT_UPLOADED,
                           .conn = a->conn,
                           .piece = a->piece,
                           .result = BTC_E_CLOSED};
        ev.uploaded.len = a->upload.range.len;
        engine_input(st, &ev);
        return;
    }
    struct upload *u = mem_zalloc(sizeof *u);
    u->job = (struct store_job){.op = STORE_PREFETCH,
                                .store = st->store,
                                .done = upload_on_read,
                                .ctx = st,
                                .fail_file = -1};
    st->n_jobs++;
    u->link = l;
    l->refs++;
    u->range = a->upload.range;
    u->chunk = a->upload.chunk;
    engine_job_piece(st, &u->job, u->range.piece, u->range.begin, u->range.len);
    if (store_warm(&u->job)) {
        upload_on_read(&u->job);
    } else {
        store_submit(st->s->disk, &u->job);
    }
}

/* --- notifications --- */

/* Remembers an index until the commit that makes it true. */
static void engine_remember(uint32_t **list, size_t *n, size_t *cap,
                            uint32_t index)
{
    if (*n == *cap) {
        *cap = *cap > 0 ? *cap * 2 : 16;
        *list = mem_resize(*list, *cap, sizeof **list);
    }
    (*list)[(*n)++] = index;
}

/* ACTION_NOTIFY. */
static void engine_do_notify(struct engine_torrent *st, const struct action *a)
{
    st->stat_dirty = true;
    switch (a->notify.type) {
    case NOTIFY_STATE:
        if (torrent_is_stopped(st->t)) {
            engine_torrent_stopped(st);
        } else {
            engine_tell_state(st);
        }
        break;
    case NOTIFY_PIECE:
        if (st->tainted) {
            break;
        }
        engine_remember(&st->fresh_pieces, &st->n_fresh, &st->fresh_cap,
                        a->piece);
        break;
    case NOTIFY_FILE:
        if (st->tainted) {
            break;
        }
        engine_remember(&st->fresh_files, &st->n_fresh_files,
                        &st->fresh_files_cap, a->notify.file);
        break;
    case NOTIFY_COMPLETE:
        st->done_pending = true;
        st->s->journal_now = true;
        break;
    case NOTIFY_CHECKED:
        engine_torrent_checked(st);
        break;
    case NOTIFY_ERROR:
        engine_torrent_fail(st, a->notify.result,
                            st->error[0] != '\0' ? st->error : a->notify.text);
        break;
    }
}

/* --- the drain --- */

/* One action. */
static void engine_do(struct engine_torrent *st, const struct action *a)
{
    struct link *l;
    switch (a->type) {
    case ACTION_CONNECT:
        engine_do_connect(st, a);
        break;
    case ACTION_CLOSE:
        engine_do_close(st, a->conn);
        break;
    case ACTION_SEND:
        l = link_find(st, a->conn);
        if (l != NULL) {
            tcp_send(l->conn, a->data);
        }
        break;
    case ACTION_UPLOAD:
        engine_do_upload(st, a);
        break;
    case ACTION_FINISH:
    case ACTION_WRITE:
    case ACTION_HASH:
        engine_do_disk(st, a);
        break;
    case ACTION_ANNOUNCE:
        trackers_announce(st, a, engine_event);
        break;
    case ACTION_PERSIST:
        engine_fact(st, a);
        break;
    case ACTION_NOTIFY:
        engine_do_notify(st, a);
        break;
    }
}

/* Until the core wants nothing more. Events that an action causes come back in
 * here and are drained by the outer loop. */
void engine_drain(struct engine_torrent *st)
{
    struct action a;
    if (st->draining) {
        return;
    }
    st->draining = true;
    while (torrent_next_action(st->t, &a)) {
        engine_do(st, &a);
    }
    st->draining = false;
}

void engine_event(struct engine_torrent *st, const struct event *ev)
{
    if (st->t == NULL) {
        return;
    }
    engine_touch(st);
    engine_input(st, ev);
    engine_drain(st);
}
