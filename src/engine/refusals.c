/* What the journal would not hold; see refusals.h. */
#include "engine/refusals.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct torrent_refusals {
    struct bits pieces; /* owns; empty while none was refused */
    char reason[JOURNAL_REASON_MAX];
    char text[JOURNAL_REASON_MAX + 100];
};

bool refusals_note(struct engine_torrent *st, const struct journal_refused *r)
{
    struct torrent_refusals *f = st->ledger.refusals;
    if (f == NULL) {
        f = st->ledger.refusals = mem_zalloc(sizeof(*f));
    }
    if (r->is_piece && r->piece < st->geom.n_pieces) {
        if (f->pieces.n == 0 && bits_init(&f->pieces, st->geom.n_pieces) != 0) {
            return false;
        }
        (void)bits_set(&f->pieces, r->piece);
    }
    bool news = strcmp(f->reason, r->reason) != 0;
    (void)snprintf(f->reason, sizeof(f->reason), "%s", r->reason);
    (void)snprintf(f->text, sizeof(f->text), "%s: %s", r->row, r->reason);
    return news;
}

void refusals_forget(struct engine_torrent *st)
{
    if (st->ledger.refusals != NULL) {
        bits_fini(&st->ledger.refusals->pieces);
        free(st->ledger.refusals);
        st->ledger.refusals = NULL;
    }
}

/* The pieces, NULL when all is journaled. */
static struct bits *refusals_pieces(const struct engine_torrent *st)
{
    struct torrent_refusals *f = st->ledger.refusals;
    if (f == NULL || f->pieces.count == 0) {
        return NULL;
    }
    return &f->pieces;
}

void refusals_retry(struct engine_torrent *st, uint32_t piece)
{
    struct bits *pieces = refusals_pieces(st);
    if (pieces != NULL) {
        (void)bits_clear(pieces, piece);
    }
}

bool refusals_has_piece(const struct engine_torrent *st, uint32_t piece)
{
    const struct bits *pieces = refusals_pieces(st);
    return pieces != NULL && bits_get(pieces, piece);
}

bool refusals_has_any(const struct engine_torrent *st)
{
    return refusals_pieces(st) != NULL;
}

const char *refusals_text(const struct engine_torrent *st)
{
    if (st->ledger.refusals == NULL) {
        return "";
    }
    return st->ledger.refusals->text;
}

uint32_t refusals_n_pieces(const struct engine_torrent *st)
{
    const struct bits *pieces = refusals_pieces(st);
    if (pieces == NULL) {
        return 0;
    }
    return pieces->count;
}

uint64_t refusals_bytes(const struct engine_torrent *st)
{
    const struct bits *pieces = refusals_pieces(st);
    uint64_t n = 0;
    if (pieces != NULL) {
        BITS_EACH (i, pieces) {
            n += layout_piece_size(&st->geom, i);
        }
    }
    return n;
}

/* Of one piece. */
static uint64_t refusals_overlap(const struct engine_torrent *st,
                                 uint32_t piece, uint32_t file)
{
    struct layout_spans it;
    struct span s;
    uint64_t n = 0;
    layout_spans_init(&it, &st->geom, layout_piece_offset(&st->geom, piece),
                      layout_piece_size(&st->geom, piece));
    while (layout_spans_next(&it, &s)) {
        if (s.file == file && !s.pad) {
            n += s.len;
        }
    }
    return n;
}

uint64_t refusals_file_bytes(const struct engine_torrent *st, uint32_t file)
{
    const struct bits *pieces = refusals_pieces(st);
    uint64_t n = 0;
    if (pieces != NULL) {
        BITS_EACH (i, pieces) {
            n += refusals_overlap(st, i, file);
        }
    }
    return n;
}
