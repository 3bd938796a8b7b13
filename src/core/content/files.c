/* What is done of each file, and how much each piece is wanted for its files.
 */
#include "base/mem.h"
#include "core/content/internal.h"
#include <stdlib.h>
#include <string.h>

void files_init(struct content *c)
{
    const struct layout *g = c->layout;
    size_t n = 1;
    if (g->n_files > 0) {
        n = g->n_files;
    }
    c->files.prio = mem_alloc(n);
    memset(c->files.prio, PICKER_PRIO_NORMAL, n);
    c->files.done = mem_calloc(n, sizeof *c->files.done);
    for (uint32_t i = 0; i < g->n_files; i++) {
        if (!g->files[i].pad) {
            c->files.wanted_bytes += g->files[i].length;
        }
    }
}

void files_fini(struct content *c)
{
    free(c->files.prio);
    free(c->files.done);
}

void files_count(struct content *c, uint32_t piece, bool have, bool tell)
{
    struct layout_spans it;
    struct span s;
    layout_spans_init(&it, c->layout, layout_piece_offset(c->layout, piece),
                      layout_piece_size(c->layout, piece));
    while (layout_spans_next(&it, &s)) {
        uint64_t more = s.len;
        if (!have) {
            more = 0 - (uint64_t)s.len;
        }
        c->files.done[s.file] += more;
        if (!s.pad && c->files.prio[s.file] != PICKER_PRIO_OFF) {
            c->files.wanted_done += more;
        }
        if (tell && have && !s.pad &&
            c->files.done[s.file] == c->layout->files[s.file].length) {
            actions_notify(c->actions, NOTIFY_FILE, piece, s.file);
        }
    }
}

/* A piece is as wanted as the most wanted file in it. */
static uint8_t files_piece_prio(const struct content *c, uint32_t piece)
{
    struct layout_spans it;
    struct span s;
    uint8_t prio = PICKER_PRIO_OFF;
    bool pad = true;
    layout_spans_init(&it, c->layout, layout_piece_offset(c->layout, piece),
                      layout_piece_size(c->layout, piece));
    while (layout_spans_next(&it, &s)) {
        pad &= s.pad;
        if (!s.pad && c->files.prio[s.file] > prio) {
            prio = c->files.prio[s.file];
        }
    }
    if (pad) {
        return PICKER_PRIO_NORMAL;
    }
    return prio; /* zeros cost nothing */
}

/* The file's own number and what hangs on it, but not its pieces; false when
 * nothing has changed. */
static bool files_take_priority(struct content *c, uint32_t file, uint8_t prio)
{
    struct content_files *f = &c->files;
    const struct layout_file *l = &c->layout->files[file];
    uint8_t before = f->prio[file];
    if (before == prio || prio > PICKER_PRIO_MAX) {
        return false;
    }
    f->prio[file] = prio;
    if (!l->pad && before == PICKER_PRIO_OFF) {
        f->wanted_bytes += l->length;
        f->wanted_done += f->done[file];
    } else if (!l->pad && prio == PICKER_PRIO_OFF) {
        f->wanted_bytes -= l->length;
        f->wanted_done -= f->done[file];
    }
    return true;
}

bool files_set_priorities(struct content *c, const uint8_t *prio)
{
    uint32_t from = c->layout->n_pieces; /* pieces of what changed */
    uint32_t to = 0;
    bool changed = false;
    for (uint32_t i = 0; i < c->layout->n_files; i++) {
        if (!c->layout->files[i].pad && files_take_priority(c, i, prio[i])) {
            uint32_t first, end;
            layout_file_pieces(c->layout, i, &first, &end);
            if (first < from) {
                from = first;
            }
            if (end > to) {
                to = end;
            }
            changed = true;
        }
    }
    for (uint32_t i = from; i < to; i++) {
        picker_set_priority(c->picker, i, files_piece_prio(c, i));
    }
    return changed;
}

uint64_t files_left(const struct content *c)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < c->layout->n_files; i++) {
        const struct layout_file *f = &c->layout->files[i];
        if (!f->pad) {
            left += f->length - c->files.done[i];
        }
    }
    return left;
}

bool files_is_needed(const struct content *c, uint32_t file)
{
    if (c->files.prio[file] != PICKER_PRIO_OFF) {
        return true;
    }
    uint32_t first, end;
    layout_file_pieces(c->layout, file, &first, &end);
    return first < end &&
           (picker_priority(c->picker, first) != PICKER_PRIO_OFF ||
            picker_priority(c->picker, end - 1) != PICKER_PRIO_OFF);
}
