/* The medium below a simulated disk; see sim_platter.h. */
#include "sim/sim_platter.h"

#include "model/block.h"
#include "model/span.h"

#define NS               1000000000
#define SIM_PLATTER_DEVS 3

void sim_platter_init(struct sim_platter *p, struct sim_disk *d)
{
    const struct layout *g = &d->c->geom;
    *p = (struct sim_platter){.d = d, .next_ino = 100};
    p->data = mem_zalloc(g->total);
    p->written = mem_calloc(g->n_pieces, sizeof(*p->written));
    p->dirty = mem_calloc(g->n_pieces, sizeof(*p->dirty));
    p->spoilt = mem_calloc(g->n_pieces, sizeof(*p->spoilt));
    p->root = sim_below(d->s, SIM_PLATTER_DEVS);
    for (uint32_t i = 0; i < g->n_files; i++) {
        p->where[i] = p->root;
        if (sim_chance(d->s, 3)) {
            p->where[i] = sim_below(d->s, SIM_PLATTER_DEVS);
        }
    }
    for (uint32_t i = 0; i < g->n_pieces; i++) {
        (void)bits_init(&p->written[i], layout_n_blocks(g, i));
        (void)bits_init(&p->dirty[i], layout_n_blocks(g, i));
    }
    d->platter = p;
}

void sim_platter_fini(struct sim_platter *p)
{
    for (uint32_t i = 0; i < p->d->c->geom.n_pieces; i++) {
        bits_fini(&p->written[i]);
        bits_fini(&p->dirty[i]);
    }
    free(p->spoilt);
    free(p->written);
    free(p->dirty);
    free(p->data);
    p->d->platter = NULL;
}

/* --- files --- */

static bool platter_is_file(const struct sim_platter *p, uint32_t file)
{
    const struct layout_file *f = &p->d->c->files[file];
    return !f->pad && f->length > 0;
}

static uint64_t platter_dev(const struct sim_platter *p, uint32_t file)
{
    return p->dev_base + 1 + p->where[file];
}

uint64_t sim_platter_root(const struct sim_platter *p)
{
    return p->dev_base + 1 + p->root;
}

void sim_platter_number(struct sim_platter *p, uint64_t dev_base)
{
    p->dev_base = dev_base;
}

void sim_platter_put(struct sim_platter *p, uint32_t where)
{
    p->root = where;
    for (uint32_t i = 0; i < SIM_MAX_FILES; i++) {
        p->where[i] = where;
    }
}

struct fingerprint sim_platter_print(const struct sim_platter *p, uint32_t file)
{
    struct fingerprint f = p->now[file];
    f.dev = platter_dev(p, file);
    return f;
}

void sim_platter_clock(struct sim_platter *p)
{
    int64_t now = SIM_UNIX * 1000000000LL + (int64_t)p->d->s->now_ms * 1000000;
    p->unix_ns = now > p->unix_ns ? now : p->unix_ns;
}

/* Two changes never have the same time. */
static int64_t platter_tick(struct sim_platter *p)
{
    return ++p->unix_ns;
}

/* --- what we have left of it --- */

void sim_platter_learn(struct sim_platter *p)
{
    memcpy(p->left, p->now, sizeof p->left);
}

bool sim_platter_is_touched(const struct sim_platter *p, uint32_t file)
{
    const struct fingerprint *left = &p->left[file], *now = &p->now[file];
    return left->exists && now->exists && left->ino == now->ino &&
           (left->size != now->size || left->mtime_ns != now->mtime_ns);
}

bool sim_platter_refuses(const struct sim_platter *p, uint32_t piece)
{
    const struct layout *g = &p->d->c->geom;
    struct layout_spans it;
    struct span span;
    bool refuses = false;
    layout_spans_init(&it, g, layout_piece_offset(g, piece),
                      layout_piece_size(g, piece));
    while (layout_spans_next(&it, &span)) {
        refuses |= !span.pad && sim_platter_is_touched(p, span.file);
    }
    return refuses;
}

/* --- files --- */

void sim_platter_create(struct sim_platter *p)
{
    for (uint32_t i = 0; i < p->d->c->geom.n_files; i++) {
        if (p->now[i].exists || !platter_is_file(p, i)) {
            continue;
        }
        p->now[i] = (struct fingerprint){.exists = true,
                                         .is_file = true,
                                         .ino = p->next_ino++,
                                         .size = p->d->c->files[i].length,
                                         .mtime_ns = platter_tick(p)};
        p->now[i].ctime_ns = p->now[i].mtime_ns;
        p->kept[i] = p->left[i] = p->now[i];
    }
}

/* Both times of every file that the range touches. */
static void platter_touch(struct sim_platter *p, uint64_t at, uint32_t len)
{
    for (uint32_t i = 0; i < p->d->c->geom.n_files; i++) {
        const struct layout_file *f = &p->d->c->files[i];
        if (platter_is_file(p, i) && f->offset < at + len &&
            at < f->offset + f->length) {
            p->now[i].mtime_ns = p->now[i].ctime_ns = platter_tick(p);
            p->now[i].size = f->length;
            p->now[i].blocks = 8;
            p->left[i] = p->now[i];
        }
    }
}

void sim_platter_wrote(struct sim_platter *p, uint32_t piece, uint32_t block)
{
    const struct layout *g = &p->d->c->geom;
    (void)bits_set(&p->dirty[piece], block);
    platter_touch(p,
                  layout_piece_offset(g, piece) + (uint64_t)block * BLOCK_LEN,
                  layout_block_size(g, piece, block));
}

/* --- the way down, and back --- */

/* A block, or its first part. */
static void platter_keep(struct sim_platter *p, uint32_t piece, uint32_t block,
                         uint32_t len)
{
    const struct layout *g = &p->d->c->geom;
    uint64_t at = layout_piece_offset(g, piece) + (uint64_t)block * BLOCK_LEN;
    memcpy(p->data + at, p->d->data + at, len);
    if (bits_get(&p->d->written[piece], block)) {
        (void)bits_set(&p->written[piece], block);
    }
}

/* A reader finds what the medium has. */
static void platter_reread(struct sim_platter *p)
{
    const struct layout *g = &p->d->c->geom;
    memcpy(p->d->data, p->data, g->total);
    for (uint32_t i = 0; i < g->n_pieces; i++) {
        bits_copy(&p->d->written[i], &p->written[i]);
        bits_zero(&p->dirty[i]);
    }
}

/* What of a block lies on the device. True: all of it. */
static bool platter_keep_on(struct sim_platter *p, uint64_t dev, uint32_t piece,
                            uint32_t block)
{
    const struct layout *g = &p->d->c->geom;
    uint64_t at = layout_piece_offset(g, piece) + (uint64_t)block * BLOCK_LEN;
    struct layout_spans it;
    struct span span;
    bool all = true;
    layout_spans_init(&it, g, at, layout_block_size(g, piece, block));
    while (layout_spans_next(&it, &span)) {
        if (platter_dev(p, span.file) == dev) {
            memcpy(p->data + at, p->d->data + at, span.len);
        } else {
            all = false;
        }
        at += span.len;
    }
    return all;
}

/* One block. What was not kept whole is still to come to the medium. */
static void platter_sync_block(struct sim_platter *p, uint64_t dev,
                               uint32_t piece, uint32_t block)
{
    if (dev == 0 || platter_keep_on(p, dev, piece, block)) {
        platter_keep(p, piece, block,
                     layout_block_size(&p->d->c->geom, piece, block));
        (void)bits_clear(&p->dirty[piece], block);
    }
}

/* fdatasync does not keep the times. */
static void platter_sync_inodes(struct sim_platter *p)
{
    for (uint32_t i = 0; i < p->d->c->geom.n_files; i++) {
        if (sim_chance(p->d->s, 3)) {
            p->kept[i] = p->now[i];
        }
        p->kept[i].size = p->now[i].size;
    }
}

void sim_platter_sync(struct sim_platter *p, uint64_t dev, bool fails)
{
    for (uint32_t i = 0; i < p->d->c->geom.n_pieces; i++) {
        BITS_EACH (b, &p->dirty[i]) {
            if (!fails || sim_chance(p->d->s, 2)) {
                platter_sync_block(p, dev, i, b);
            }
        }
    }
    platter_sync_inodes(p);
    if (fails) {
        platter_reread(p);
    }
}

void sim_platter_cut(struct sim_platter *p)
{
    struct sim *s = p->d->s;
    for (uint32_t i = 0; i < p->d->c->geom.n_pieces; i++) {
        BITS_EACH (b, &p->dirty[i]) {
            uint32_t len = layout_block_size(&p->d->c->geom, i, b);
            if (sim_chance(s, 3)) {
                platter_keep(p, i, b, len);
            } else if (sim_chance(s, 2)) {
                platter_keep(p, i, b, 1 + sim_below(s, len));
            }
        }
    }
    platter_reread(p);
    for (uint32_t i = 0; i < p->d->c->geom.n_files; i++) {
        if (sim_chance(s, 2)) {
            uint64_t blocks = p->now[i].blocks;
            p->now[i] = p->kept[i];
            p->now[i].blocks = blocks;
        }
        p->kept[i] = p->now[i];
    }
}

/* --- strangers --- */

/* Other bytes in every third block or so, in the cache and below. */
static void platter_spoil(struct sim_platter *p, uint32_t file, bool all,
                          bool gone)
{
    const struct layout *g = &p->d->c->geom;
    const struct layout_file *f = &p->d->c->files[file];
    uint32_t first, end;
    layout_file_pieces(g, file, &first, &end);
    for (uint32_t i = first; i < end; i++) {
        p->spoilt[i] = p->n_spoilt;
        for (uint32_t b = 0; b < layout_n_blocks(g, i); b++) {
            uint64_t at = layout_piece_offset(g, i) + (uint64_t)b * BLOCK_LEN;
            uint64_t end_at = at + layout_block_size(g, i, b);
            at = at < f->offset ? f->offset : at;
            if (at >= end_at || at >= f->offset + f->length ||
                (!all && !sim_chance(p->d->s, 3))) {
                continue;
            }
            p->d->data[at] = p->data[at] = p->d->data[at] ^ 0x55;
            if (gone) {
                (void)bits_clear(&p->d->written[i], b);
                (void)bits_clear(&p->written[i], b);
            }
        }
    }
}

/* What cp -p, rsync -t (in place or not), dd, truncate, rm and touch leave. */
void sim_platter_stranger(struct sim_platter *p, uint32_t file)
{
    struct fingerprint *f = &p->now[file];
    struct sim *s = p->d->s;
    if (!f->exists || !platter_is_file(p, file)) {
        return;
    }
    uint32_t what = sim_below(s, 7);
    int64_t old = f->mtime_ns - (int64_t)sim_below(s, 100000) * NS;
    p->n_spoilt++;
    f->ctime_ns = platter_tick(p);
    switch (what) {
    case 0: /* an older copy, in place, with its times */
    case 1:
        f->mtime_ns = old;
        platter_spoil(p, file, false, false);
        break;
    case 2: /* an older copy, renamed into place */
        f->mtime_ns = old;
        f->ino = p->next_ino++;
        platter_spoil(p, file, false, false);
        break;
    case 3: /* dd conv=notrunc */
        f->mtime_ns = f->ctime_ns;
        platter_spoil(p, file, false, false);
        break;
    case 4: /* cut short */
        f->mtime_ns = f->ctime_ns;
        f->size /= 2;
        platter_spoil(p, file, true, true);
        break;
    case 5:
        *f = (struct fingerprint){0};
        platter_spoil(p, file, true, true);
        break;
    default: /* touched only */
        f->mtime_ns = old;
        break;
    }
    p->kept[file] = *f;
}

void sim_platter_scribble(struct sim_platter *p, uint32_t file)
{
    struct fingerprint *f = &p->now[file];
    if (!f->exists || !platter_is_file(p, file)) {
        return;
    }
    bool cut = sim_chance(p->d->s, 3);
    p->n_spoilt++;
    f->mtime_ns = f->ctime_ns = platter_tick(p);
    if (cut) {
        f->size /= 2;
    }
    platter_spoil(p, file, cut, cut);
    p->kept[file] = *f;
}

void sim_platter_move(struct sim_platter *p, uint32_t file)
{
    struct fingerprint *f = &p->now[file];
    const struct layout_file *l = &p->d->c->files[file];
    uint32_t to = sim_below(p->d->s, SIM_PLATTER_DEVS);
    if (to == p->where[file] || !f->exists || !platter_is_file(p, file)) {
        return;
    }
    p->where[file] = to;
    f->ino = p->next_ino++;
    f->ctime_ns = platter_tick(p);
    p->kept[file] = *f;
    memcpy(p->data + l->offset, p->d->data + l->offset, l->length);
}

bool sim_platter_is_forgiven(const struct sim_platter *p, uint32_t piece)
{
    return p->spoilt[piece] != 0;
}

void sim_platter_blame(struct sim_platter *p, uint32_t piece, uint32_t seen)
{
    if (p->spoilt[piece] <= seen) {
        p->spoilt[piece] = 0;
    }
}

/* --- what is true --- */

/* Pads are zeros, wherever. */
static bool platter_is_true(const struct sim_platter *p, const uint8_t *data,
                            uint32_t piece)
{
    const struct sim_content *c = p->d->c;
    struct layout_spans it;
    struct span span;
    uint64_t at = layout_piece_offset(&c->geom, piece);
    layout_spans_init(&it, &c->geom, at, layout_piece_size(&c->geom, piece));
    while (layout_spans_next(&it, &span)) {
        if (!span.pad && memcmp(data + at, c->data + at, span.len) != 0) {
            return false;
        }
        at += span.len;
    }
    return true;
}

bool sim_platter_has(const struct sim_platter *p, uint32_t piece)
{
    return platter_is_true(p, p->data, piece);
}

bool sim_platter_reads(const struct sim_platter *p, uint32_t piece)
{
    return platter_is_true(p, p->d->data, piece);
}

bool sim_platter_has_block(const struct sim_platter *p, uint32_t piece,
                           uint32_t block)
{
    const struct layout *g = &p->d->c->geom;
    uint64_t at = layout_piece_offset(g, piece) + (uint64_t)block * BLOCK_LEN;
    return memcmp(p->data + at, p->d->c->data + at,
                  layout_block_size(g, piece, block)) == 0;
}
