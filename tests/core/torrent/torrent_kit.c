/* See torrent_kit.h. */
#include "core/torrent/torrent_kit.h"

#include "wire_names.h"

/* Any of them. */
static struct kit *kit_make(uint32_t n_pieces, uint64_t first, bool magnet)
{
    struct kit *k = mem_zalloc(sizeof *k);
    uint64_t total = KIT_TOTAL_OF(n_pieces);
    BTC_ASSERT(n_pieces <= KIT_MAX_PIECES);
    rng_init(&k->rng, 1);
    pool_init(&k->pool, 0);
    k->shared = (struct torrent_shared){
        .content = {.rng = &k->rng, .pool = &k->pool, .hash_jobs = 2},
        .swarm = {.rng = &k->rng, .pool = &k->pool, .client = "kit"}};
    memset(k->shared.swarm.peer_id, 'U', sizeof k->shared.swarm.peer_id);
    k->files[0].length = first > 0 ? first : total;
    k->files[1] =
        (struct layout_file){.offset = first, .length = total - first};
    k->geom = (struct layout){.total = total,
                              .piece_length = KIT_PIECE,
                              .n_pieces = n_pieces,
                              .n_files = first > 0 ? 2 : 1,
                              .files = k->files};
    k->data = mem_alloc(total);
    rng_bytes(&k->rng, k->data, total);
    for (uint32_t i = 0; i < n_pieces; i++) {
        hash_sha1(slice_of(k->data + (size_t)i * KIT_PIECE,
                           layout_piece_size(&k->geom, i)),
                  k->hashes[i]);
    }
    memset(k->info_hash, 'H', sizeof k->info_hash);
    struct torrent_config c = {.shared = &k->shared,
                               .geom = magnet ? NULL : &k->geom,
                               .info_hash = k->info_hash};
    k->now_ms = 1000;
    k->t = torrent_new(&c, k->now_ms);
    buf_init(&k->log, 1u << 20);
    return k;
}

struct kit *kit_new_split(uint64_t first)
{
    return kit_make(KIT_PIECES, first, false);
}

struct kit *kit_new(void)
{
    return kit_make(KIT_PIECES, 0, false);
}

struct kit *kit_new_pieces(uint32_t n_pieces)
{
    return kit_make(n_pieces, 0, false);
}

struct kit *kit_new_magnet(void)
{
    return kit_make(KIT_PIECES, 0, true);
}

void kit_learn(struct kit *k, bool is_private)
{
    struct torrent_config c = {.shared = &k->shared,
                               .geom = &k->geom,
                               .info_hash = k->info_hash,
                               .info = slice_str("the info dictionary"),
                               .is_private = is_private};
    torrent_learn(k->t, &c);
    kit_drain(k);
}

/* A message of ours as words. */
static void kit_log_message(struct kit *k, const struct wire_msg *m)
{
    if (m->type == WIRE_REQUEST || m->type == WIRE_CANCEL ||
        m->type == WIRE_REJECT) {
        (void)buf_printf(&k->log, " %s %u/%u+%u", wire_type_name(m->type),
                         m->block.piece, m->block.begin, m->block.len);
    } else if (m->type == WIRE_HAVE || m->type == WIRE_ALLOWED_FAST) {
        (void)buf_printf(&k->log, " %s %u", wire_type_name(m->type), m->piece);
    } else if (m->type == WIRE_BITFIELD) {
        (void)buf_printf(&k->log, " bitfield %02x", m->bitfield.p[0]);
    } else {
        (void)buf_printf(&k->log, " %s", wire_type_name(m->type));
    }
}

static void kit_log_send(struct kit *k, const struct action *a)
{
    struct wire_decoder d;
    struct slice in = a->data;
    wire_decoder_init(&d);
    d.handshaken = in.len == 0 || in.p[0] != 0x13;
    (void)buf_printf(&k->log, "%u:", (a->conn & 0xffffu) + 1);
    while (in.len > 0) {
        struct wire_msg m;
        ptrdiff_t n = wire_decode(&d, in, &m);
        assert_true(n > 0);
        kit_log_message(k, &m);
        in = slice_sub(in, (size_t)n, in.len - (size_t)n);
    }
    (void)buf_append_str(&k->log, "\n");
}

static void kit_log_fact(struct kit *k, const struct action *a)
{
    switch (a->fact.type) {
    case FACT_PIECE:
        (void)buf_printf(&k->log, "fact piece %u\n", a->piece);
        break;
    case FACT_PIECE_LOST:
        (void)buf_printf(&k->log, "fact piece-lost %u\n", a->piece);
        break;
    case FACT_BLOCK:
        (void)buf_printf(&k->log, "fact block %u/%u\n", a->piece,
                         a->fact.block);
        break;
    case FACT_BLOCKS_LOST:
        (void)buf_printf(&k->log, "fact blocks-lost %u\n", a->piece);
        break;
    case FACT_EVENT:
        (void)buf_printf(&k->log, "event %s\n", a->fact.kind);
        break;
    case FACT_PEER:
    case FACT_METADATA:
    case FACT_METADATA_LOST:
    case FACT_TRACKER:
        break;
    }
}

static void kit_log_notify(struct kit *k, const struct action *a)
{
    static const char *const names[] = {
        [NOTIFY_STATE] = "state",     [NOTIFY_PIECE] = "piece",
        [NOTIFY_FILE] = "file",       [NOTIFY_COMPLETE] = "complete",
        [NOTIFY_CHECKED] = "checked", [NOTIFY_METADATA] = "metadata",
        [NOTIFY_ERROR] = "error"};
    (void)buf_printf(&k->log, "notify %s", names[a->notify.type]);
    if (a->notify.type == NOTIFY_STATE) {
        (void)buf_printf(&k->log, " %d", (int)torrent_state(k->t));
    } else if (a->notify.type == NOTIFY_ERROR) {
        (void)buf_printf(&k->log, " %s", err_name(a->notify.result));
    }
    (void)buf_append_str(&k->log, "\n");
}

/* A job that goes out. */
static void kit_log_job(struct kit *k, const struct action *a)
{
    const char *name = a->type == ACTION_FINISH  ? "finish"
                       : a->type == ACTION_WRITE ? "write"
                                                 : "hash";
    assert_false(k->jobs[a->piece]);
    k->jobs[a->piece] = true;
    (void)buf_printf(&k->log, "%s %u", name, a->piece);
    if (a->type != ACTION_HASH) {
        k->blocks[a->piece] = a->write.blocks;
        for (uint32_t i = 0; i < a->write.n_blocks; i++) {
            (void)buf_append_str(&k->log,
                                 a->write.blocks[i] != NULL ? " x" : " -");
        }
    }
    (void)buf_append_str(&k->log, "\n");
}

static void kit_log_action(struct kit *k, const struct action *a)
{
    uint32_t conn = (a->conn & 0xffffu) + 1;
    switch (a->type) {
    case ACTION_CONNECT:
        (void)buf_printf(&k->log, "%u: connect\n", conn);
        break;
    case ACTION_CLOSE:
        (void)buf_printf(&k->log, "%u: close\n", conn);
        break;
    case ACTION_SEND:
        kit_log_send(k, a);
        break;
    case ACTION_UPLOAD:
        (void)buf_printf(&k->log, "%u: upload %u/%u+%u by %u\n", conn, a->piece,
                         a->upload.range.begin, a->upload.range.len,
                         a->upload.chunk);
        break;
    case ACTION_FINISH:
    case ACTION_WRITE:
    case ACTION_HASH:
        kit_log_job(k, a);
        break;
    case ACTION_ANNOUNCE:
        (void)buf_append_str(&k->log, "announce\n");
        k->announced = *a->announce.request;
        break;
    case ACTION_INFO:
        (void)buf_append_str(&k->log, "info\n");
        break;
    case ACTION_NODE:
    case ACTION_SCRAPE:
        break;
    case ACTION_PERSIST:
        kit_log_fact(k, a);
        break;
    case ACTION_NOTIFY:
        kit_log_notify(k, a);
        break;
    }
}

void kit_drain(struct kit *k)
{
    struct action a;
    while (torrent_next_action(k->t, &a)) {
        kit_log_action(k, &a);
    }
}

void kit_input(struct kit *k, const struct event *ev)
{
    torrent_input(k->t, ev, k->now_ms, KIT_UNIX);
    kit_drain(k);
}

void kit_event(struct kit *k, enum event_type type)
{
    struct event ev = {.type = type};
    kit_input(k, &ev);
}

void kit_wait(struct kit *k, uint64_t ms)
{
    for (uint64_t end = k->now_ms + ms; k->now_ms < end;) {
        k->now_ms += TORRENT_TICK_MS;
        kit_event(k, EVENT_TICK);
    }
}

void kit_expect_at(struct kit *k, const char *want, int line)
{
    const char *got = buf_cstr(&k->log);
    if (strcmp(got, want) != 0) {
        fail_msg("line %d: got\n%s---- want\n%s", line, got, want);
    }
    buf_clear(&k->log);
}

void kit_forget(struct kit *k)
{
    buf_clear(&k->log);
}

uint32_t kit_peer(struct kit *k, bool fast)
{
    struct event ev = {.type = EVENT_ACCEPTED};
    struct addr a = {.family = ADDR_V4, .port = 7000};
    a.ip[0] = 10;
    a.ip[3] = ++k->n_peers;
    ev.conn = torrent_new_conn(k->t, &a, k->now_ms);
    assert_int_not_equal(ev.conn, 0);
    ev.accepted.addr = a;
    memcpy(ev.accepted.handshake.info_hash, k->info_hash, SHA1_LEN);
    memset(ev.accepted.handshake.peer_id, 'A' + k->n_peers, 20);
    ev.accepted.handshake.reserved[7] = fast ? 4 : 0;
    kit_input(k, &ev);
    return ev.conn;
}

void kit_bytes(struct kit *k, uint32_t conn, const void *p, size_t len)
{
    struct event ev = {.type = EVENT_DATA, .conn = conn};
    ev.data = slice_of(p, len);
    kit_input(k, &ev);
}

void kit_simple(struct kit *k, uint32_t conn, enum wire_type type)
{
    uint8_t m[WIRE_HEADER_MAX];
    kit_bytes(k, conn, m, wire_encode_simple(type, m));
}

void kit_range(struct kit *k, uint32_t conn, enum wire_type type,
               struct wire_block b)
{
    uint8_t m[WIRE_HEADER_MAX];
    kit_bytes(k, conn, m, wire_encode_block(type, &b, m));
}

void kit_bitfield(struct kit *k, uint32_t conn, uint8_t bits)
{
    const uint8_t m[] = {0, 0, 0, 2, WIRE_BITFIELD, bits};
    kit_bytes(k, conn, m, sizeof m);
}

void kit_block(struct kit *k, uint32_t conn, uint32_t piece, uint32_t block,
               bool good)
{
    struct wire_block b = {.piece = piece,
                           .begin = block * KIT_BLOCK,
                           .len = layout_block_size(&k->geom, piece, block)};
    uint8_t *m = mem_alloc(WIRE_PIECE_HEADER + (size_t)b.len);
    size_t n = wire_encode_block(WIRE_PIECE, &b, m);
    memcpy(m + n, k->data + (size_t)piece * KIT_PIECE + b.begin, b.len);
    m[n] ^= good ? 0 : 1;
    kit_bytes(k, conn, m, n + b.len);
    free(m);
}

void kit_answer(struct kit *k, enum event_type type, uint32_t piece, int result)
{
    struct event ev = {.type = type, .piece = piece, .result = result};
    uint8_t hashes[2][SHA1_LEN];
    assert_true(k->jobs[piece]);
    k->jobs[piece] = false;
    memcpy(hashes, k->on_disk[piece], sizeof hashes);
    for (uint32_t i = 0;
         type != EVENT_HASHED && i < layout_n_blocks(&k->geom, piece); i++) {
        const uint8_t *block = k->blocks[piece][i];
        if (block != NULL) {
            hash_sha1(slice_of(block, layout_block_size(&k->geom, piece, i)),
                      hashes[i]);
        }
    }
    memcpy(k->on_disk[piece], hashes, sizeof hashes);
    if (type != EVENT_HASHED) {
        ev.finished.block_hashes = (const uint8_t(*)[SHA1_LEN])hashes;
        ev.finished.unwritten = k->unwritten && type == EVENT_FINISHED;
    }
    kit_input(k, &ev);
}

void kit_free(struct kit *k)
{
    for (uint32_t i = 0; i < k->geom.n_pieces; i++) {
        assert_false(k->jobs[i]);
    }
    torrent_free(k->t);
    assert_int_equal(k->pool.in_use + k->pool.reserved, 0);
    pool_fini(&k->pool);
    buf_fini(&k->log);
    free(k->data);
    free(k);
}
