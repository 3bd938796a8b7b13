/* A torrent that is wished away: it stops, its files go if that is wished, then
 * its rows, and with them the object.
 *
 * Wishes change while it winds down and while files are deleted. So each step
 * is asked of the database (journal_remove_torrent), which looks at the wish as
 * it stands and takes the rows away in the same transaction. What comes in by
 * wishes.c meanwhile only makes it ask.
 */
#include "base/mem.h"
#include "engine/delete.h"
#include "engine/internal.h"
#include "model/names.h"
#include <stdlib.h>

/* A step that is under way. */
struct removing {
    struct engine_torrent *st; /* borrows; counts in its n_jobs */
    struct journal_removal r;
    struct store_tree *own;    /* owns; NULL: the torrent's store was used */
    struct bits select;        /* the files to delete */
    struct fingerprint *owned; /* owns; which they are */
    int code;
    struct err e;
};

/* The step has ended. */
static void removing_free(struct removing *m)
{
    if (m->own != NULL) {
        store_tree_free(m->own);
    }
    bits_fini(&m->select);
    free(m->owned);
    journal_removal_fini(&m->r);
    free(m);
}

/* What remains of it is a row in somebody's snapshot: see engine_is_removed.
 */
static void remove_remember(struct engine *s, int64_t id)
{
    if (s->n_removed == s->removed_cap) {
        s->removed_cap = s->removed_cap > 0 ? s->removed_cap * 2 : 16;
        s->removed = mem_resize(s->removed, s->removed_cap, sizeof *s->removed);
    }
    s->removed[s->n_removed++] = id;
}

bool engine_is_removed(const struct engine *s, int64_t id)
{
    for (size_t i = 0; i < s->n_removed; i++) {
        if (s->removed[i] == id) {
            return true;
        }
    }
    return false;
}

/* The rows have gone, and so does the object. */
static void remove_forget(struct engine_torrent *st)
{
    struct engine *s = st->s;
    remove_remember(s, st->id);
    engine_torrent_free(st);
}

/* Something of it stays, so the rows stay: nobody would find it again. It is
 * tried again after a while, unless something else is wished by now. */
static void remove_failed(struct engine_torrent *st, const struct err *e)
{
    bool back = st->row.wanted == WANTED_RUN || st->row.wanted == WANTED_PAUSE;
    st->remove = false;
    if (back && !st->data_gone) {
        engine_wish_wanted(st);
    } else {
        engine_torrent_fail(st, e->code, e->msg);
    }
}

/* Wished back. When its files are gone the database has dropped its claims, and
 * what is known of it here is no longer so. */
static void remove_keep(struct engine_torrent *st, enum wanted wanted)
{
    st->row.wanted = wanted;
    st->remove = false;
    if (st->data_gone) {
        st->data_gone = st->stat_known = st->stat_dirty = false;
        st->status = 0;
        st->error[0] = '\0';
        engine_torrent_reload(st);
    } else {
        engine_wish_wanted(st);
    }
}

/* The files are gone, or not all of them. The next step follows from the wish
 * as it stands then. */
static void remove_deleted(struct store_job *job)
{
    struct removing *m = job->ctx;
    struct engine_torrent *st = m->st;
    engine_job_done(st);
    st->deleting = false;
    if (delete_judge(&m->r, job, &m->e) == 0) {
        st->data_gone = true;
        engine_commit_forget(st);
    } else if (st->row.wanted != WANTED_REMOVE) { /* else just its rows go */
        remove_failed(st, &m->e);
    }
    engine_job_free(job);
    removing_free(m);
    engine_wake(st->s);
}

/* The files; they lie where the store has them, or where the rows say. */
static void remove_data(struct removing *m)
{
    struct engine_torrent *st = m->st;
    bool own = st->store == NULL || st->geom.n_files != m->r.n_files;
    if (own) {
        m->own = delete_store(st->s->disk, &m->r, &m->e);
    }
    if ((own && m->own == NULL) ||
        delete_select(&m->r, &m->select, &m->e) != 0) {
        st->deleting = false;
        remove_failed(st, &m->e);
        removing_free(m);
        return;
    }
    struct store_job *job = engine_job(st, STORE_DELETE, remove_deleted);
    job->store = own ? m->own : st->store;
    m->owned = delete_owned(&m->r);
    job->select = &m->select;
    job->owned = m->owned;
    job->ctx = m;
    store_submit(st->s->disk, job);
}

/* On the database thread. */
static void remove_ask(void *ctx, struct journal *db)
{
    struct removing *m = ctx;
    m->code =
        journal_remove_torrent(db, m->st->id, m->st->data_gone, &m->r, &m->e);
}

/* The next step. */
static void remove_told(void *ctx)
{
    struct removing *m = ctx;
    struct engine_torrent *st = m->st;
    struct engine *s = st->s;
    engine_job_done(st);
    if (m->code == 0 && m->r.step == JOURNAL_REMOVAL_DELETE) {
        remove_data(m);
        engine_wake(s);
        return;
    }
    st->deleting = false;
    if (m->code != 0) {
        remove_failed(st, &m->e);
    } else if (m->r.step == JOURNAL_REMOVAL_KEEP) {
        remove_keep(st, m->r.wanted);
    } else {
        remove_forget(st);
    }
    removing_free(m);
    engine_wake(s);
}

void engine_torrent_delete(struct engine_torrent *st)
{
    if (st->s->journal != COMMIT_IDLE) {
        return; /* its rows are on their way */
    }
    struct removing *m = mem_zalloc(sizeof *m);
    m->st = st;
    st->deleting = true;
    st->n_jobs++;
    journal_thread_call(st->s->journal_thread, remove_ask, remove_told, m);
}
