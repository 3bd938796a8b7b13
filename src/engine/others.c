/* See others.h. The journal is asked, then those that it names are looked at on
 * disk: here (others_who) or, while a torrent begins, by adopt.c. */
#include "engine/others.h"

#include "base/mem.h"
#include "base/vec.h"
#include "engine/jobs.h"

#include <stdio.h>
#include <stdlib.h>

/* A question to the journal that is out. */
struct others_ask {
    struct engine_torrent *st; /* borrows; counts in its n_jobs */
    others_done_fn *done;
    struct journal_owned *files; /* owns */
    size_t n_files;
    struct journal_others found; /* owns */
};

bool others_trust(const struct engine_torrent *st, uint32_t piece)
{
    return bits_get(&st->startup.claimed, piece) &&
           !bits_get(&st->startup.to_check, piece);
}

bool others_may_write(const struct engine_torrent *st, uint32_t file)
{
    uint32_t piece, end;
    layout_file_pieces(&st->geom, file, &piece, &end);
    while (piece < end && others_trust(st, piece)) {
        piece++;
    }
    return piece < end;
}

/* On the database thread. Who cannot be asked has nothing to say: the run ends
 * of that elsewhere. */
static void others_read(void *ctx, struct journal *db)
{
    struct others_ask *a = ctx;
    (void)journal_owner_others(db, a->st->id, a->files, a->n_files, &a->found);
}

static void others_answered(void *ctx)
{
    struct others_ask *a = ctx;
    struct engine_torrent *st = a->st;
    others_done_fn *done = a->done;
    others_forget(st);
    if (a->found.n > 0) {
        st->startup.adopt.others = mem_zalloc(sizeof(a->found));
        *st->startup.adopt.others = a->found;
    }
    free(a->files);
    free(a);
    jobs_done(st);
    done(st);
}

void others_find(struct engine_torrent *st, const struct fingerprint *prints,
                 others_done_fn *done)
{
    struct others_ask *a = mem_zalloc(sizeof(*a));
    uint32_t cap = 0;
    a->st = st;
    a->done = done;
    for (uint32_t i = 0; i < st->geom.n_files; i++) {
        const struct fingerprint *p = &prints[i];
        if (!st->geom.files[i].pad && p->exists && p->is_file && p->size > 0 &&
            torrent_file_needed(st->t, i) && others_may_write(st, i)) {
            a->files = vec_room(a->files, a->n_files, &cap, sizeof(*a->files));
            a->files[a->n_files++] =
                (struct journal_owned){.file = i, .print = *p};
        }
    }
    st->n_jobs++;
    if (a->n_files == 0) {
        others_answered(a);
    } else {
        journal_thread_call(st->s->journal_thread, others_read, others_answered,
                            a);
    }
}

/* Files of which one after the other is looked at. */
struct others_look {
    struct engine_torrent *st; /* borrows; counts in its n_jobs */
    others_who_fn *fn;
    void *ctx;
    struct journal_owned *files; /* owns */
    size_t n_files;
    struct journal_others found;     /* owns */
    size_t next;                     /* of `found`: the first of a file */
    struct store_look_place *places; /* owns */
    struct store_job job;            /* the one that is out */
};

static void others_look_end(struct others_look *l)
{
    others_who_fn *fn = l->fn;
    void *ctx = l->ctx;
    jobs_done(l->st);
    journal_others_fini(&l->found);
    free(l->files);
    free(l->places);
    free(l);
    fn(ctx, NULL);
}

/* How many of `found` are of the file that is looked at. */
static size_t others_look_n(const struct others_look *l)
{
    size_t end = l->next;
    while (end < l->found.n &&
           l->found.list[end].file == l->found.list[l->next].file) {
        end++;
    }
    return end - l->next;
}

static void others_look_next(struct others_look *l);

/* Answer to LOOK. What cannot be looked at may be the other's. */
static void others_looked(struct store_job *job)
{
    struct others_look *l = job->ctx;
    size_t n = others_look_n(l);
    if (job->result != 0) {
        l->fn(l->ctx, &l->found.list[l->next]);
    } else if (job->look.other < n) {
        l->fn(l->ctx, &l->found.list[l->next + job->look.other]);
    }
    l->next += n;
    others_look_next(l);
}

/* The next file that others may have. */
static void others_look_next(struct others_look *l)
{
    size_t n = others_look_n(l);
    if (n == 0) {
        others_look_end(l);
        return;
    }
    free(l->places);
    l->places = others_places(&l->found.list[l->next], n);
    l->job = (struct store_job){.op = STORE_LOOK,
                                .store = l->st->store,
                                .done = others_looked,
                                .ctx = l,
                                .look = {.file = l->found.list[l->next].file,
                                         .others = l->places,
                                         .n_others = (uint32_t)n},
                                .fail.file = -1};
    store_submit(l->st->s->disk, &l->job);
}

/* On the database thread. */
static void others_look_read(void *ctx, struct journal *db)
{
    struct others_look *l = ctx;
    (void)journal_owner_others(db, l->st->id, l->files, l->n_files, &l->found);
}

static void others_look_answered(void *ctx)
{
    others_look_next(ctx);
}

void others_who(struct engine_torrent *st, struct journal_owned *files,
                size_t n, others_who_fn *fn, void *ctx)
{
    struct others_look *l = mem_zalloc(sizeof(*l));
    *l = (struct others_look){
        .st = st, .fn = fn, .ctx = ctx, .files = files, .n_files = n};
    st->n_jobs++;
    if (n == 0) {
        others_look_end(l);
    } else {
        journal_thread_call(st->s->journal_thread, others_look_read,
                            others_look_answered, l);
    }
}

void others_forget(struct engine_torrent *st)
{
    struct journal_others *o = st->startup.adopt.others;
    if (o) {
        journal_others_fini(o);
        free(o);
        st->startup.adopt.others = NULL;
    }
}

void others_mark(const struct engine_torrent *st, struct bits *files)
{
    const struct journal_others *o = st->startup.adopt.others;
    for (size_t i = 0; o && i < o->n; i++) {
        (void)bits_set(files, o->list[i].file);
    }
}

const struct journal_other *others_of(const struct engine_torrent *st,
                                      uint32_t file, size_t *n)
{
    const struct journal_others *o = st->startup.adopt.others;
    size_t first = 0;
    *n = 0;
    while (o && first < o->n && o->list[first].file < file) {
        first++;
    }
    while (o && first + *n < o->n && o->list[first + *n].file == file) {
        (*n)++;
    }
    if (*n == 0) {
        return NULL;
    }
    return &o->list[first];
}

struct store_look_place *others_places(const struct journal_other *list,
                                       size_t n)
{
    struct store_look_place *places = mem_array(n + 1, sizeof(*places));
    for (size_t i = 0; i < n; i++) {
        places[i] = (struct store_look_place){.path = list[i].path,
                                              .likely = list[i].likely};
    }
    return places;
}

void others_forbid(struct engine_torrent *st, const struct journal_other *o)
{
    char text[112];
    others_text(st, o, text, sizeof(text));
    store_tree_forbid(st->store, o->file, text);
}

/* A torrent of one file can be told that it lies elsewhere; one whose other
 * files stay where they are must be added anew. */
void others_text(const struct engine_torrent *st, const struct journal_other *o,
                 char *text, size_t size)
{
    long long id = (long long)st->id;
    if (o->id == st->id) {
        (void)snprintf(text, size,
                       "is one file with another of the same torrent; make a "
                       "copy of it");
    } else if (st->geom.n_files == 1) {
        (void)snprintf(text, size,
                       "torrent %lld has that file, too; go elsewhere: `btc "
                       "move %lld DIR --here`",
                       (long long)o->id, id);
    } else {
        (void)snprintf(text, size,
                       "torrent %lld has that file, too; `btc rm %lld`, then "
                       "add it elsewhere (-d)",
                       (long long)o->id, id);
    }
}
