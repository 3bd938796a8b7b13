/* A torrent that is wished away: it stops, its files go if that is wished, then
 * its rows, and with them the object.
 *
 * Wishes change while it winds down and while files are deleted. So each step
 * is asked of the database (journal_remove_torrent), which looks at the wish as
 * it stands and takes the rows away in the same transaction. What comes in by
 * wishes.c meanwhile only makes it ask.
 */
#include "engine/removal.h"

#include "base/mem.h"
#include "base/vec.h"
#include "engine/delete.h"
#include "engine/facts.h"
#include "engine/jobs.h"
#include "engine/pipes.h"
#include "engine/turn.h"
#include "journal/removal.h"

#include <stdlib.h>

/* A step that is under way. */
struct removing {
    struct engine_torrent *st; /* borrows; counts in its n_jobs */
    struct journal_removal r;
    struct store_tree *own;    /* owns; NULL: the torrent's store was used */
    struct bits select;        /* the files to delete */
    struct fingerprint *owned; /* owns; which they are */
    bool unclaimed;            /* the journal has no claims any more */
    int code;
    struct err e;
};

/* What remains of it is a row in somebody's snapshot: see removal_is_done.
 */
static void remove_remember(struct engine *s, int64_t id)
{
    s->removed.ids = vec_room(s->removed.ids, s->removed.n, &s->removed.cap,
                              sizeof(*s->removed.ids));
    s->removed.ids[s->removed.n++] = id;
}

bool removal_is_done(const struct engine *s, int64_t id)
{
    for (size_t i = 0; i < s->removed.n; i++) {
        if (s->removed.ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* Something of it stays, so the rows stay: nobody would find it again. */
static void remove_failed(struct engine_torrent *st, const struct err *e)
{
    struct life_event ev = {.type = LIFE_REMOVAL_FAILED, .code = e->code};
    turn_post_event(st, &ev, e->msg);
}

/* Wished back. When its files are gone the database has dropped its claims, and
 * what is known of it here is no longer so. */
static void remove_keep(struct engine_torrent *st, enum wanted wanted)
{
    struct life_event ev = {.type = LIFE_KEPT, .wanted = wanted};
    st->row.wanted = wanted;
    if (st->life.data_gone) {
        st->ledger.stat_known = st->ledger.stat_dirty = false;
    }
    turn_post_event(st, &ev, "");
}

/* The step has ended. */
static void removing_end(struct removing *m)
{
    m->st->removing = NULL;
    if (m->own != NULL) {
        store_tree_free(m->own);
    }
    bits_fini(&m->select);
    free(m->owned);
    journal_removal_fini(&m->r);
    free(m);
}

/* What it knew to be here is not. */
static void remove_doubt(struct engine_torrent *st)
{
    st->ran = false;
    st->stat.bytes_done = 0;
    st->stat.pieces_done = st->stat.checked_to = 0;
    st->stat.completed_at = 0;
    facts_stat(st);
}

/* The files are gone, or not all of them. The next step follows from the wish
 * as it stands then. */
static void remove_deleted(struct store_job *job)
{
    struct removing *m = job->ctx;
    struct engine_torrent *st = m->st;
    jobs_done(st);
    commit_hold(&st->ledger.member, false);
    delete_note(pipes_free_facts(st->s), &job->remove.stays);
    store_stays_fini(&job->remove.stays);
    int code = delete_judge(&m->r, job, &m->e);
    jobs_free(job);
    if (code == 0) {
        facts_forget(st);
        turn_post(st, LIFE_DELETED);
    } else {
        if (m->unclaimed) {
            remove_doubt(st);
        }
        remove_failed(st, &m->e);
    }
    removing_end(m);
}

/* DELETE, or a look at what it would delete. */
static void remove_submit(struct removing *m, bool look, store_done_fn *done)
{
    struct store_job *job = jobs_new(m->st, STORE_DELETE, done);
    if (m->own != NULL) {
        job->store = m->own;
    }
    job->select = &m->select;
    job->remove.owned = m->owned;
    job->remove.made_ns = m->r.made_ns;
    job->remove.look = look;
    job->ctx = m;
    store_submit(m->st->s->disk, job);
}

/* On the database thread. */
static void remove_unclaim(void *ctx, struct journal *db)
{
    struct removing *m = ctx;
    m->code = journal_removal_unclaim(db, m->st->id, &m->e);
}

/* No claim outlives what is deleted, even if this ends in the middle. */
static void remove_unclaimed(void *ctx)
{
    struct removing *m = ctx;
    jobs_done(m->st);
    if (m->code != 0) {
        commit_hold(&m->st->ledger.member, false);
        m->st->ran = false;
        remove_failed(m->st, &m->e);
        removing_end(m);
        return;
    }
    m->unclaimed = true;
    remove_submit(m, false, remove_deleted);
}

/* Whether anything would go. */
static void remove_looked(struct store_job *job)
{
    struct removing *m = job->ctx;
    bool some = job->remove.n_removed > 0;
    jobs_done(m->st);
    jobs_free(job);
    if (some) {
        facts_forget(m->st);
        m->st->n_jobs++;
        journal_thread_call(m->st->s->journal_thread, remove_unclaim,
                            remove_unclaimed, m);
    } else {
        remove_submit(m, false, remove_deleted);
    }
}

/* The files lie where the store has them, or where the rows say. */
void removal_delete(struct engine_torrent *st)
{
    struct removing *m = st->removing;
    bool own = st->store == NULL || st->geom.n_files != m->r.n_files;
    if (own) {
        m->own = delete_store(st->s->disk, &m->r, &m->e);
    }
    if ((own && m->own == NULL) ||
        delete_select(&m->r, &m->select, &m->e) != 0) {
        remove_failed(st, &m->e);
        removing_end(m);
        return;
    }
    commit_hold(&st->ledger.member, true); /* a SYNC would miss the files */
    m->owned = delete_owned(&m->r);
    remove_submit(m, true, remove_looked);
}

/* On the database thread. */
static void remove_ask(void *ctx, struct journal *db)
{
    struct removing *m = ctx;
    m->code = journal_remove_torrent(db, m->st->id, m->st->life.data_gone,
                                     &m->r, &m->e);
}

/* The next step. */
static void remove_told(void *ctx)
{
    struct removing *m = ctx;
    struct engine_torrent *st = m->st;
    jobs_done(st);
    if (m->code != 0) {
        remove_failed(st, &m->e);
    } else if (m->r.step == JOURNAL_REMOVAL_DELETE) {
        turn_post(st, LIFE_DELETE_DUE);
        return;
    } else if (m->r.step == JOURNAL_REMOVAL_KEEP) {
        remove_keep(st, m->r.wanted);
    } else {
        remove_remember(st->s, st->id);
        turn_post(st, LIFE_ROWS_GONE);
    }
    removing_end(m);
}

void removal_ask(struct engine_torrent *st)
{
    struct removing *m = mem_zalloc(sizeof(*m));
    m->st = st;
    st->removing = m;
    st->n_jobs++;
    journal_thread_call(st->s->journal_thread, remove_ask, remove_told, m);
}
