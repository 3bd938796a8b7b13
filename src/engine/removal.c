/* A torrent that is wished away: it stops, its files go if that is wished, then
 * its rows, and with them the object.
 *
 * Wishes change while it winds down and while files are deleted. So each step
 * is asked of the database (db_remove_torrent), which looks at the wish as it
 * stands and takes the rows away in the same transaction. What comes in by
 * session_wish.c meanwhile only makes it ask.
 */
#include "base/mem.h"
#include "engine/delete.h"
#include "engine/internal.h"
#include <stdlib.h>

/* A step that is under way. */
struct removing {
    struct session_torrent *st; /* borrows; counts in its n_jobs */
    struct db_removal r;
    struct disk_store *own; /* owns; NULL: the torrent's store was used */
    struct bits select;     /* the files to delete */
    int code;
    struct err e;
};

/* The step has ended. */
static void removing_free(struct removing *m)
{
    if (m->own != NULL) {
        disk_store_free(m->own);
    }
    bits_fini(&m->select);
    db_removal_fini(&m->r);
    free(m);
}

/* What remains of it is a row in somebody's snapshot: see session_is_removed.
 */
static void remove_remember(struct session *s, int64_t id)
{
    if (s->n_removed == s->removed_cap) {
        s->removed_cap = s->removed_cap > 0 ? s->removed_cap * 2 : 16;
        s->removed = mem_resize(s->removed, s->removed_cap, sizeof *s->removed);
    }
    s->removed[s->n_removed++] = id;
}

/* See session_int.h. */
bool session_is_removed(const struct session *s, int64_t id)
{
    for (size_t i = 0; i < s->n_removed; i++) {
        if (s->removed[i] == id) {
            return true;
        }
    }
    return false;
}

/* The rows have gone, and so does the object. */
static void remove_forget(struct session_torrent *st)
{
    struct session *s = st->s;
    remove_remember(s, st->id);
    session_torrent_free(st);
}

/* Something of it stays, so the rows stay: nobody would find it again. It is
 * tried again after a while, unless something else is wished by now. */
static void remove_failed(struct session_torrent *st, const struct err *e)
{
    bool back =
        st->row.wanted == DB_WANTED_RUN || st->row.wanted == DB_WANTED_PAUSE;
    st->remove = false;
    if (back && !st->data_gone) {
        session_wish_wanted(st);
    } else {
        session_torrent_fail(st, e->code, e->msg);
    }
}

/* Wished back. When its files are gone the database has dropped its claims, and
 * what is known of it here is no longer so. */
static void remove_keep(struct session_torrent *st, enum db_wanted wanted)
{
    st->row.wanted = wanted;
    st->remove = false;
    if (st->data_gone) {
        st->data_gone = st->stat_known = st->stat_dirty = false;
        st->status = 0;
        st->error[0] = '\0';
        session_torrent_reload(st);
    } else {
        session_wish_wanted(st);
    }
}

/* The files are gone, or not all of them. The next step follows from the wish
 * as it stands then. */
static void remove_deleted(struct disk_job *job)
{
    struct removing *m = job->ctx;
    struct session_torrent *st = m->st;
    session_job_done(st);
    st->deleting = false;
    if (removal_judge(&m->r, job, &m->e) == 0) {
        st->data_gone = true;
        session_journal_forget(st);
    } else if (st->row.wanted != DB_WANTED_REMOVE) { /* else just its rows go */
        remove_failed(st, &m->e);
    }
    session_job_free(job);
    removing_free(m);
    session_wake(st->s);
}

/* The files; they lie where the store has them, or where the rows say. */
static void remove_data(struct removing *m)
{
    struct session_torrent *st = m->st;
    bool own = st->store == NULL || st->geom.n_files != m->r.n_files;
    if (own) {
        m->own = removal_store(st->s->disk, &m->r, &m->e);
    }
    if ((own && m->own == NULL) ||
        removal_select(&m->r, &m->select, &m->e) != 0) {
        st->deleting = false;
        remove_failed(st, &m->e);
        removing_free(m);
        return;
    }
    struct disk_job *job = session_job(st, DISK_DELETE, remove_deleted);
    job->store = own ? m->own : st->store;
    job->select = &m->select;
    job->ctx = m;
    disk_submit(st->s->disk, job);
}

/* On the database thread. */
static void remove_ask(void *ctx, struct db *db)
{
    struct removing *m = ctx;
    m->code = db_remove_torrent(db, m->st->id, m->st->data_gone, &m->r, &m->e);
}

/* The next step. */
static void remove_told(void *ctx)
{
    struct removing *m = ctx;
    struct session_torrent *st = m->st;
    struct session *s = st->s;
    session_job_done(st);
    if (m->code == 0 && m->r.step == DB_REMOVAL_DELETE) {
        remove_data(m);
        session_wake(s);
        return;
    }
    st->deleting = false;
    if (m->code != 0) {
        remove_failed(st, &m->e);
    } else if (m->r.step == DB_REMOVAL_KEEP) {
        remove_keep(st, m->r.wanted);
    } else {
        remove_forget(st);
    }
    removing_free(m);
    session_wake(s);
}

/* See session.h. */
void session_torrent_delete(struct session_torrent *st)
{
    if (st->s->journal != JOURNAL_IDLE) {
        return; /* its rows are on their way */
    }
    struct removing *m = mem_zalloc(sizeof *m);
    m->st = st;
    st->deleting = true;
    st->n_jobs++;
    db_thread_call(st->s->db_thread, remove_ask, remove_told, m);
}
