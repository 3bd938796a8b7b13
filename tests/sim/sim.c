/* The world: events in the order of their time, contents, the run; see sim.h.
 */
#include "sim/sim_fake.h"
#include "sim/sim_node.h"

#include <signal.h>
#include <unistd.h>

/* What a person needs to repeat a run that aborted anywhere. */
static char sim_epitaph[128];

/* An assertion of the core failed: which seed was it? */
static void sim_on_abort(int sig)
{
    (void)sig;
    ssize_t n = write(2, sim_epitaph, strlen(sim_epitaph));
    (void)n;
}

/* See sim.h. */
void sim_failed(const struct sim *s, const char *what, const char *file,
                int line)
{
    (void)fprintf(stderr, "%s:%d: %s (at %" PRIu64 " ms, step %" PRIu64 ")\n",
                  file, line, what, s->now_ms, s->steps);
    int left = 3; /* of a large swarm a few are enough */
    for (const struct sim_node *n = s->nodes; n != NULL; n = n->next) {
        for (struct sim_torrent *st = n->torrents; st != NULL && left > 0;
             st = st->next) {
            if (st->t != NULL && !sim_is_complete(st)) {
                sim_torrent_dump(st, stderr);
                left--;
            }
        }
    }
    abort();
}

/* See sim.h. */
struct sim *sim_new(uint64_t seed)
{
    struct sim *s = mem_zalloc(sizeof *s);
    s->seed = seed;
    s->now_ms = 5000;
    rng_init(&s->rng, seed);
    (void)snprintf(sim_epitaph, sizeof sim_epitaph,
                   "to repeat: BTC_SIM_SEED=%" PRIu64 "\n", seed);
    (void)signal(SIGABRT, sim_on_abort);
    return s;
}

/* Contents, trackers, links. */
static void sim_free_things(struct sim *s)
{
    while (s->links != NULL) {
        struct sim_link *l = s->links;
        s->links = l->next;
        free(l);
    }
    while (s->contents != NULL) {
        struct sim_content *c = s->contents;
        s->contents = c->next;
        free(c->data);
        free(c->hashes);
        free(c->info);
        free(c);
    }
    while (s->trackers != NULL) {
        struct sim_tracker *k = s->trackers;
        s->trackers = k->next;
        free(k->members);
        free(k);
    }
}

/* All that ran has wound down. */
static bool sim_all_stopped(void *ctx)
{
    const struct sim *s = ctx;
    for (struct sim_node *n = s->nodes; n != NULL; n = n->next) {
        for (struct sim_torrent *st = n->torrents; st != NULL; st = st->next) {
            if (st->started && !sim_is_stopped(st)) {
                return false;
            }
        }
    }
    return true;
}

/* See sim.h. */
void sim_free(struct sim *s)
{
    for (struct sim_node *n = s->nodes; n != NULL; n = n->next) {
        for (struct sim_torrent *st = n->torrents; st != NULL; st = st->next) {
            sim_torrent_check(st);
            sim_stop(st);
        }
    }
    SIM_CHECK(s, sim_run_until(s, sim_all_stopped, s, 60000));
    while (s->nodes != NULL) {
        struct sim_node *n = s->nodes;
        s->nodes = n->next;
        sim_node_free(n);
    }
    while (s->fakes != NULL) {
        struct sim_fake *f = s->fakes;
        s->fakes = f->next;
        sim_fake_free(f);
    }
    for (size_t i = 0; i < s->n_heap; i++) {
        free(s->heap[i]->data);
        free(s->heap[i]);
    }
    free(s->heap);
    sim_free_things(s);
    free(s);
}

/* See sim.h. */
uint32_t sim_below(struct sim *s, uint32_t n)
{
    return rng_below(&s->rng, n);
}

/* See sim.h. */
bool sim_chance(struct sim *s, uint32_t one_in)
{
    return one_in > 0 && rng_below(&s->rng, one_in) == 0;
}

/* --- events --- */

static bool sim_event_before(const struct sim_event *a,
                             const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

/* See sim.h. */
struct sim_event *sim_at(struct sim *s, uint64_t in_ms, sim_fn *fn, void *ctx)
{
    struct sim_event *e = mem_zalloc(sizeof *e);
    e->at = s->now_ms + in_ms;
    e->seq = s->seq++;
    e->fn = fn;
    e->ctx = ctx;
    if (s->n_heap == s->cap_heap) {
        s->cap_heap = s->cap_heap > 0 ? s->cap_heap * 2 : 256;
        s->heap = mem_resize(s->heap, s->cap_heap, sizeof(struct sim_event *));
    }
    size_t i = s->n_heap++;
    for (; i > 0 && sim_event_before(e, s->heap[(i - 1) / 2]);
         i = (i - 1) / 2) {
        s->heap[i] = s->heap[(i - 1) / 2];
    }
    s->heap[i] = e;
    return e;
}

/* Takes the soonest one out. */
static struct sim_event *sim_pop(struct sim *s)
{
    struct sim_event *first = s->heap[0];
    struct sim_event *e = s->heap[--s->n_heap];
    size_t i = 0;
    for (;;) {
        size_t k = 2 * i + 1;
        if (k >= s->n_heap) {
            break;
        }
        if (k + 1 < s->n_heap && sim_event_before(s->heap[k + 1], s->heap[k])) {
            k++;
        }
        if (!sim_event_before(s->heap[k], e)) {
            break;
        }
        s->heap[i] = s->heap[k];
        i = k;
    }
    s->heap[i] = e;
    return first;
}

/* See sim.h. */
bool sim_run_until(struct sim *s, bool (*done)(void *ctx), void *ctx,
                   uint64_t ms)
{
    uint64_t end = s->now_ms + ms;
    while (s->n_heap > 0 && s->heap[0]->at <= end) {
        if (done != NULL && done(ctx)) {
            return true;
        }
        struct sim_event *e = sim_pop(s);
        SIM_CHECK(s, ++s->steps < SIM_STEPS_MAX);
        s->now_ms = e->at;
        e->fn(s, e);
        free(e->data);
        free(e);
    }
    if (done != NULL && done(ctx)) {
        return true;
    }
    s->now_ms = end;
    return false;
}

/* See sim.h. */
void sim_run(struct sim *s, uint64_t ms)
{
    (void)sim_run_until(s, NULL, NULL, ms);
}

/* See sim.h. */
void sim_jump(struct sim *s, uint64_t ms)
{
    for (size_t i = 0; i < s->n_heap; i++) {
        s->heap[i]->at += ms;
    }
    s->now_ms += ms;
    for (struct sim_node *n = s->nodes; n != NULL; n = n->next) {
        for (struct sim_torrent *st = n->torrents; st != NULL; st = st->next) {
            struct event ev = {.type = EVENT_TICK};
            st->timer_ms += st->timer_ms != UINT64_MAX ? ms : 0;
            sim_input(st, &ev);
        }
    }
}

/* A number from the environment, else `def`. */
static uint64_t sim_env(const char *name, uint64_t def)
{
    const char *text = getenv(name);
    uint64_t n = def;
    if (text != NULL && !bytes_parse_u64(slice_str(text), &n)) {
        fail_msg("%s is no number: %s", name, text);
    }
    return n;
}

/* See sim.h. */
void sim_each_seed(uint32_t n, void (*body)(struct sim *s))
{
    uint64_t first = sim_env("BTC_SIM_SEED", 0);
    uint64_t share = sim_env("BTC_SIM_SHARE", 1); /* of the seeds, one in so
                                                     many: with a sanitizer */
    uint64_t runs = sim_env("BTC_SIM_RUNS", first == 0 ? n / share : 1);
    runs = runs == 0 ? 1 : runs;
    first = first == 0 ? 1 : first;
    for (uint64_t i = 0; i < runs; i++) {
        struct sim *s = sim_new(first + i);
        body(s);
        sim_free(s);
    }
}

/* --- contents --- */

/* Files of unequal length, each one behind the pads of the one before. */
static void sim_content_files(struct sim *s, struct sim_content *c,
                              const struct sim_shape *sh)
{
    uint32_t n = sh->n_files > 0 ? sh->n_files : 1;
    uint64_t at = 0;
    for (uint32_t i = 0; i < n && c->geom.n_files < SIM_MAX_FILES - 1; i++) {
        uint64_t left = sh->total - at;
        uint64_t len = i + 1 == n ? left : left / (n - i);
        if (i + 1 < n && len > 2) {
            len -= sim_below(s, (uint32_t)(len / 2));
        }
        c->files[c->geom.n_files++] =
            (struct layout_file){.offset = at, .length = len};
        at += len;
        uint64_t pad =
            (sh->piece_length - at % sh->piece_length) % sh->piece_length;
        if (sh->pads && i + 1 < n && pad > 0 && pad <= sh->total - at) {
            c->files[c->geom.n_files++] =
                (struct layout_file){.offset = at, .length = pad, .pad = true};
            at += pad;
        }
    }
    c->files[c->geom.n_files - 1].length =
        sh->total - c->files[c->geom.n_files - 1].offset;
}

/* See sim.h. */
struct sim_content *sim_content_new(struct sim *s, const struct sim_shape *sh)
{
    struct sim_content *c = mem_zalloc(sizeof *c);
    c->next = s->contents;
    s->contents = c;
    rng_bytes(&s->rng, c->info_hash, sizeof c->info_hash);
    c->geom = (struct layout){
        .total = sh->total,
        .piece_length = sh->piece_length,
        .n_pieces =
            (uint32_t)((sh->total + sh->piece_length - 1) / sh->piece_length),
        .files = c->files};
    sim_content_files(s, c, sh);
    c->data = mem_alloc(sh->total > 0 ? sh->total : 1);
    rng_bytes(&s->rng, c->data, sh->total);
    for (uint32_t i = 0; i < c->geom.n_files; i++) {
        if (c->files[i].pad) {
            memset(c->data + c->files[i].offset, 0, c->files[i].length);
        }
    }
    c->hashes =
        mem_calloc(c->geom.n_pieces > 0 ? c->geom.n_pieces : 1, SHA1_LEN);
    for (uint32_t i = 0; i < c->geom.n_pieces; i++) {
        hash_sha1(sim_content_block(c, i, 0, layout_piece_size(&c->geom, i)),
                  c->hashes + (size_t)i * SHA1_LEN);
    }
    return c;
}

/* See sim.h. */
void sim_content_give_info(struct sim *s, struct sim_content *c, size_t len)
{
    c->info = mem_alloc(len);
    c->info_len = len;
    rng_bytes(&s->rng, c->info, len);
    hash_sha1(slice_of(c->info, len), c->info_hash);
}

/* See sim.h. */
struct slice sim_content_block(const struct sim_content *c, uint32_t piece,
                               uint32_t begin, uint32_t len)
{
    return slice_of(c->data + layout_piece_offset(&c->geom, piece) + begin,
                    len);
}
