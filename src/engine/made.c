/* See made.h. */
#include "engine/made.h"

#include "base/mem.h"
#include "base/vec.h"
#include "engine/facts.h"
#include "engine/others.h"
#include "journal/owner.h"
#include "journal/writer.h"
#include "store/home.h"
#include "store/made.h"

#include <stdio.h>
#include <stdlib.h>

/* --- what is there before --- */

struct made_there {
    struct bits files;
    struct journal_owned *used; /* owns; those with bytes in them that may be
                                 * written, as they are */
    size_t n_used;
    uint32_t cap_used;
    struct journal_owned *left; /* owns; a killed CREATE has made them, and they
                                 * may not be wanted any more */
    size_t n_left;
    uint32_t cap_left;
    int64_t since_ns; /* later than any that is nobody's yet */
    bool is_first; /* a CREATE was announced, and none was killed before it */
};

void made_forget(struct engine_torrent *st)
{
    struct made_there *t = st->startup.adopt.there;
    if (t) {
        bits_fini(&t->files);
        free(t->used);
        free(t->left);
        free(t);
        st->startup.adopt.there = NULL;
    }
}

void made_see(struct engine_torrent *st, const struct fingerprint *prints)
{
    struct made_there *t = mem_zalloc(sizeof(*t));
    made_forget(st);
    st->startup.adopt.there = t;
    int err = bits_init(&t->files, st->geom.n_files);
    BTC_ASSERT(err == 0);
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        const struct fingerprint *p = &prints[i];
        if (p->exists) {
            (void)bits_set(&t->files, i);
        }
        if (!st->rows.state[i].has_print && store_tree_is_made(st->store, i)) {
            t->left =
                vec_room(t->left, t->n_left, &t->cap_left, sizeof(*t->left));
            t->left[t->n_left++] =
                (struct journal_owned){.file = i, .print = *p};
        }
        if (p->exists && !st->rows.state[i].has_print &&
            t->since_ns < store_made_since(p->ctime_ns)) {
            t->since_ns = store_made_since(p->ctime_ns);
        }
        if (!st->geom.files[i].pad && p->exists && p->is_file &&
            p->blocks > 0 && others_may_write(st, i)) {
            t->used =
                vec_room(t->used, t->n_used, &t->cap_used, sizeof(*t->used));
            t->used[t->n_used++] =
                (struct journal_owned){.file = i, .print = *p};
        }
    }
}

void made_forget_writes(struct engine_torrent *st)
{
    bits_fini(&st->startup.adopt.writes);
    free(st->startup.adopt.label);
    st->startup.adopt.label = NULL;
}

void made_find_writes(struct engine_torrent *st)
{
    made_forget_writes(st);
    int err = bits_init(&st->startup.adopt.writes, st->geom.n_files);
    BTC_ASSERT(err == 0);
    st->startup.adopt.label =
        mem_printf("torrent %lld (%.40s)", (long long)st->id, st->row.name);
    BITS_EACH (i, &st->startup.select) {
        uint32_t piece, end;
        layout_file_pieces(&st->geom, i, &piece, &end);
        while (piece < end && (bits_get(&st->startup.claimed, piece) ||
                               bits_get(&st->startup.to_check, piece))) {
            piece++;
        }
        if (piece < end) {
            (void)bits_set(&st->startup.adopt.writes, i);
        }
    }
}

/* --- rows on their way into the journal --- */

struct made_rows {
    struct engine_torrent *st;  /* borrows; counts in its n_jobs */
    struct journal_batch *b;    /* owns */
    struct fingerprint *writes; /* owns; files that may be written over */
    uint32_t n_writes;
    made_done_fn *done;
    int code;
    struct err e;
};

static struct made_rows *made_rows_new(struct engine_torrent *st,
                                       made_done_fn *done)
{
    struct made_rows *r = mem_zalloc(sizeof(*r));
    *r = (struct made_rows){.st = st, .b = journal_batch_new(), .done = done};
    return r;
}

/* On the database thread. */
static void made_write(void *ctx, struct journal *db)
{
    struct made_rows *r = ctx;
    r->code = journal_apply(db, r->b, &r->e);
    for (uint32_t i = 0; r->code == 0 && i < r->n_writes; i++) {
        r->code = journal_owner_unclaim(db, r->st->id, &r->writes[i], &r->e);
    }
}

/* They are there. */
static void made_written(void *ctx)
{
    struct made_rows *r = ctx;
    r->done(r->st, r->code, r->e.msg);
    journal_batch_free(r->b);
    free(r->writes);
    free(r);
}

static void made_submit(struct made_rows *r)
{
    r->st->n_jobs++;
    if (journal_batch_is_empty(r->b) && r->n_writes == 0) {
        made_written(r);
    } else {
        journal_thread_call(r->st->s->journal_thread, made_write, made_written,
                            r);
    }
}

/* Where a file out of sight lies stands in its row. */
static void made_put_part(struct engine_torrent *st, struct journal_batch *b,
                          uint32_t file)
{
    if (st->rows.parked && st->rows.parked[file].part) {
        journal_put_part(b, st->id, file, st->rows.parked[file].part);
    }
}

/* The file may be written over: `all` says that somebody insists. One that is
 * known as its own was looked at before (others.h). */
static bool made_writes(const struct engine_torrent *st, uint32_t file,
                        bool all)
{
    if (!bits_get(&st->startup.select, file)) {
        return false;
    }
    if (st->rows.state[file].has_print) {
        return all && others_may_write(st, file);
    }
    return all || bits_get(&st->startup.adopt.writes, file);
}

/* CREATE will make it. */
static bool made_is_new(const struct engine_torrent *st, uint32_t file)
{
    return !st->rows.state[file].has_print &&
           !bits_get(&st->startup.adopt.there->files, file);
}

void made_announce(struct engine_torrent *st, bool all, made_done_fn *done)
{
    struct made_there *t = st->startup.adopt.there;
    struct made_rows *r = made_rows_new(st, done);
    bool any = false;
    r->writes = mem_array(t->n_used + 1, sizeof(*r->writes));
    for (size_t i = 0; i < t->n_used; i++) {
        if (made_writes(st, t->used[i].file, all)) {
            r->writes[r->n_writes++] = t->used[i].print;
        }
    }
    BITS_EACH (i, &st->startup.select) {
        if (made_is_new(st, i)) {
            made_put_part(st, r->b, i);
            any = true;
        }
    }
    t->is_first = any && st->stat.making_ns == 0;
    if (t->is_first) {
        st->stat.making_ns = loop_unix_ns();
        if (st->stat.making_ns < t->since_ns) {
            st->stat.making_ns = t->since_ns;
        }
        journal_put_making(r->b, st->id, st->stat.making_ns);
    }
    made_submit(r);
}

/* A file in which there was something once is made anew: the fingerprint must
 * not be journaled before the claims have gone, or it would speak for them. */
static void made_disown(struct engine_torrent *st, struct journal_batch *b,
                        uint32_t file)
{
    uint32_t first, end;
    layout_file_pieces(&st->geom, file, &first, &end);
    for (uint32_t i = first; st->rows.state[file].bytes_done > 0 && i < end;
         i++) {
        if (!bits_get(&st->startup.claimed, i)) {
            journal_del_piece(b, st->id, i);
            journal_del_blocks(b, st->id, i);
        }
    }
}

/* A file that is there and not known. */
static void made_own_one(struct engine_torrent *st, struct journal_batch *b,
                         uint32_t file, const struct fingerprint *print)
{
    struct journal_file_state *f = &st->rows.state[file];
    if (!print->exists || f->has_print) {
        return;
    }
    made_disown(st, b, file);
    facts_print(f, print);
    journal_put_file(b, st->id, file, f);
    made_put_part(st, b, file);
    struct journal_batch *next = commit_facts(&st->ledger.member);
    if (!journal_batch_is_empty(next)) { /* a doubt of the file before it? */
        journal_put_file(next, st->id, file, f);
    }
}

/* No row is owed any more. */
static void made_put_end(struct engine_torrent *st, struct journal_batch *b)
{
    if (st->stat.making_ns != 0) {
        st->stat.making_ns = 0;
        journal_put_making(b, st->id, 0);
    }
}

void made_own(struct engine_torrent *st, const struct fingerprint *prints,
              made_done_fn *done)
{
    const struct made_there *t = st->startup.adopt.there;
    struct made_rows *r = made_rows_new(st, done);
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        made_own_one(st, r->b, i, &prints[i]);
    }
    for (size_t i = 0; i < t->n_left; i++) {
        made_own_one(st, r->b, t->left[i].file, &t->left[i].print);
    }
    made_put_end(st, r->b);
    made_forget_writes(st); /* what follows may be the next CREATE */
    made_submit(r);
}

void made_none(struct engine_torrent *st)
{
    made_forget_writes(st);
    if (st->startup.adopt.there->is_first) {
        made_put_end(st, commit_facts(&st->ledger.member));
    }
}
