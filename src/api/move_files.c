/* The files of a move: found, given a new place, and taken away at the old one
 * or, when it fails, at the new one.
 *
 * On one filesystem a file gets a second name, elsewhere it is copied under a
 * name of ours, `.btc-move-ID-N` in its own folder (which may lie on a drive of
 * its own), and named when it is whole and durable. What
 * is taken away is known by device and inode as they were journaled before, and
 * a file's only name is never taken away.
 */
#include "api/api.h"
#include "journal/batch.h"
#include "journal/load.h"
#include "journal/move.h"
#include "store/made.h"
#include "store/relocate.h"
#include "store/store.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Bytes of a folder before the paths below it begin. */
static size_t api_move_root(const char *folder)
{
    if (strcmp(folder, "/") == 0) {
        return 0;
    }
    return strlen(folder);
}

static char *api_move_old(const struct api_move *m, size_t i)
{
    return file_join(m->row->from_path, m->files[i].path);
}

static char *api_move_new(const struct api_move *m, size_t i)
{
    return file_join(m->row->to_path, m->files[i].path);
}

/* The name of a copy until it is whole. */
static char *api_move_temporary(const struct api_move *m, size_t i)
{
    char name[64];
    (void)snprintf(name, sizeof(name), ".btc-move-%lld-%u",
                   (long long)m->row->id, m->files[i].file);
    char *to = api_move_new(m, i);
    char *folder = file_folder_of(to);
    char *path = file_join(folder, name);
    free(folder);
    free(to);
    return path;
}

/* --- finding --- */

/* The file is as the journal has it. A drive that was numbered anew changes
 * nothing, where the time of the inode is known (core/durable/trust.c). */
static bool api_move_is_as_known(const struct journal_file_state *f,
                                 const struct fingerprint *p)
{
    return f->has_print && (f->ctime_ns != 0 || f->dev == p->dev) &&
           f->ino == p->ino && f->size == p->size &&
           f->mtime_ns == p->mtime_ns && f->ctime_ns == p->ctime_ns;
}

/* What it takes to copy it, holes left out. */
static uint64_t api_move_bytes(const struct fingerprint *p)
{
    uint64_t blocks = p->blocks * 512;
    return num_min_u64(blocks, p->size);
}

/* Something is in the new place. The same file there by another name needs
 * nothing, and its old name stays. */
static int api_move_in_the_way(const struct fingerprint *old,
                               const struct fingerprint *there,
                               const char *path, struct err *e)
{
    if (there->dev == old->dev && there->ino == old->ino) {
        return 0;
    }
    return err_set(e, BTC_E_EXISTS,
                   "%.300s exists already: move that away, or choose another "
                   "folder; if it is the torrent's data, `btc move` with "
                   "--here takes it",
                   path);
}

/* What is in the old place must be what the journal has seen there: a file that
 * somebody has put in its place is his, and stays where he has put it. */
static int api_move_is_ours(const struct api_move *m,
                            const struct journal_file *f,
                            const struct fingerprint *now, const char *path,
                            struct err *e)
{
    const struct fingerprint own = journal_file_print(&f->state);
    if (store_is_owned(&own, now)) {
        return 0;
    }
    return err_set(e, BTC_E_EXISTS,
                   "%.300s is not the file that btc has made or taken over: "
                   "somebody has put it there. Move it away; or if it is the "
                   "torrent's data, `btc verify %lld` takes it over",
                   path, (long long)m->row->id);
}

/* A run that was killed had taken it from out of sight to its place, or made it
 * there (`made_ns`), and not journaled that: the row is put right. */
static int api_move_look_home(struct api_move *m, struct journal_file *f,
                              int64_t made_ns, struct err *e)
{
    struct fingerprint there = {0};
    const struct fingerprint own = journal_file_print(&f->state);
    if (f->part == NULL) {
        return 0;
    }
    char *part = file_join(m->row->from_path, f->part);
    char *home = file_join(m->row->from_path, f->path);
    bool is_home = relocate_look(part, &there) == -ENOENT &&
                   relocate_look(home, &there) == 0 &&
                   (f->state.has_print
                        ? store_is_owned(&own, &there)
                        : store_is_made(AT_FDCWD, home, f->length, made_ns));
    if (is_home) {
        relocate_drop_dirs(part, api_move_root(m->row->from_path));
    }
    free(part);
    free(home);
    if (!is_home) {
        return 0;
    }
    struct journal_batch *b = journal_batch_new();
    journal_put_part(b, m->row->id, f->file, NULL);
    int code = journal_apply(m->db, b, e);
    journal_batch_free(b);
    free(f->part);
    f->part = NULL;
    return code;
}

/* A file that the journal knows is not there, or cannot be looked at: its drive
 * may be away, and moved without it, it would be lost. Of one without bytes
 * nothing is. */
static int api_move_lacks(const struct api_move *m,
                          const struct journal_file *f, const char *path,
                          int rc, struct err *e)
{
    bool gone = rc == -ENOENT || rc == -ENOTDIR;
    if (!f->state.has_print || (gone && f->length == 0)) {
        return 0;
    }
    if (!gone) {
        return err_set_errno(e, -rc, "%.300s", path);
    }
    return err_set(e, BTC_E_STORAGE,
                   "%.300s is absent: bring its storage back, then move. Was "
                   "it moved? `btc move %lld DIR --here`. Is it gone? `btc "
                   "verify %lld`",
                   path, (long long)m->row->id, (long long)m->row->id);
}

/* One file that the journal knows, or that a run made which was killed before
 * it could tell (`made_ns`), if it is there. */
static int api_move_consider(struct api_move *m, const struct journal_file *f,
                             int64_t made_ns, struct err *e)
{
    struct fingerprint old, there;
    struct journal_move_file file = {.file = f->file};
    file.path = mem_strdup(journal_file_place(f));
    m->files[m->n] = file;
    char *from = api_move_old(m, m->n);
    char *to = api_move_new(m, m->n);
    int code = 0;
    int rc = relocate_look(from, &old);
    bool made = !f->state.has_print &&
                store_is_made(AT_FDCWD, from, f->length, made_ns);
    bool known = (made || f->state.has_print) && rc == 0;
    if (known && !made) {
        code = api_move_is_ours(m, f, &old, from, e);
    } else if (rc != 0) {
        code = api_move_lacks(m, f, from, rc, e);
    }
    known &= code == 0;
    bool free_place = known && relocate_look(to, &there) != 0;
    if (known && !free_place) {
        code = api_move_in_the_way(&old, &there, to, e);
    }
    if (free_place) {
        struct journal_move_file *out = &m->files[m->n++];
        out->old = old;
        out->old_dev = old.dev;
        out->old_ino = old.ino;
        out->trusted = api_move_is_as_known(&f->state, &old);
    } else {
        free(file.path);
    }
    free(from);
    free(to);
    return code;
}

int api_move_find(struct api_move *m, struct err *e)
{
    struct journal_file *files = NULL;
    struct journal_stat stat;
    size_t n = 0;
    int code = journal_load_stat(m->db, m->row->id, &stat, e);
    if (code == 0) {
        code = journal_load_files(m->db, m->row->id, &files, &n, e);
    }
    m->files = mem_calloc(n + 1, sizeof(*m->files));
    for (size_t i = 0; code == 0 && i < n; i++) {
        if (!files[i].pad) {
            code = api_move_look_home(m, &files[i], stat.making_ns, e);
        }
        if (code == 0 && !files[i].pad) {
            code = api_move_consider(m, &files[i], stat.making_ns, e);
        }
    }
    journal_files_free(files, n);
    return code;
}

/* --- making --- */

/* The copy goes on. */
static bool api_move_go_on(void *ctx, uint64_t bytes)
{
    struct api_move *m = ctx;
    m->done += bytes;
    return m->o->on_progress == NULL ||
           m->o->on_progress(m->o->ctx, m->done, m->total);
}

/* The file system does not take the name. So exFAT by FUSE means ENOENT in a
 * folder that is there. */
static bool api_move_is_name(const char *path, int rc)
{
    char *folder = file_folder_of(path);
    bool is_there = access(folder, W_OK) == 0;
    free(folder);
    return rc == -EINVAL || rc == -ENAMETOOLONG || (rc == -ENOENT && is_there);
}

/* Why a file has no new place. */
static int api_move_fail(const char *path, int rc, struct err *e)
{
    if (rc == -ECANCELED) {
        return err_set(e, BTC_E_INTERRUPTED,
                       "interrupted; the data stays where it was");
    }
    if (rc == -EEXIST) {
        return err_set(e, BTC_E_EXISTS,
                       "%.300s: somebody has put a file there, or its name is "
                       "the same as another's on that file system",
                       path);
    }
    if (api_move_is_name(path, rc)) {
        return err_set(e, BTC_E_IO,
                       "%.300s: that file system takes no such name or length; "
                       "choose another folder",
                       path);
    }
    return err_set_errno(e, -rc, "%.300s", path);
}

/* Nobody has written to the old file since it was looked at, nor done anything
 * that a write could hide behind. */
static bool api_move_is_untouched(const struct fingerprint *before,
                                  const char *path)
{
    struct fingerprint now;
    return relocate_look(path, &now) == 0 && now.ino == before->ino &&
           now.dev == before->dev && now.size == before->size &&
           now.mtime_ns == before->mtime_ns && now.ctime_ns == before->ctime_ns;
}

/* A copy under a name of ours, then its own. */
static int api_move_copy(struct api_move *m, size_t i, const char *from,
                         const char *to, struct err *e)
{
    const struct relocate_watch watch = {.go_on = api_move_go_on, .ctx = m};
    struct journal_move_file *f = &m->files[i];
    struct fingerprint made;
    char *temporary = api_move_temporary(m, i);
    (void)unlink(temporary);
    int rc = relocate_copy(from, temporary, &watch);
    int code = 0;
    if (rc != 0) {
        code = api_move_fail(to, rc, e);
    }
    if (code == 0 && !api_move_is_untouched(&f->old, from)) {
        code =
            err_set(e, BTC_E_STORAGE,
                    "%.300s: somebody wrote to it while it was copied", from);
    }
    if (code == 0 && relocate_look(temporary, &made) == 0) {
        f->new_dev = made.dev;
        f->new_ino = made.ino;
        f->made = true;
        code = journal_move_made(m->db, m->row->id, f, e);
    }
    if (code == 0) {
        rc = file_rename_new(temporary, to);
        if (rc == 0) {
            code = 0;
        } else {
            code = api_move_fail(to, rc, e);
        }
    }
    if (code != 0) {
        (void)unlink(temporary);
    } else {
        m->out->n_copied++;
    }
    free(temporary);
    return code;
}

/* One file. */
static int api_move_make_one(struct api_move *m, size_t i, struct err *e)
{
    struct journal_move_file *f = &m->files[i];
    char *from = api_move_old(m, i);
    char *to = api_move_new(m, i);
    size_t root = api_move_root(m->row->to_path);
    int rc = relocate_make_dirs(to, root);
    int code = 0;
    if (rc != 0) {
        code = api_move_fail(to, rc, e);
    }
    if (code == 0) {
        if (f->made) {
            f->trusted &= api_move_is_untouched(&f->old, from);
            rc = relocate_link(from, to);
        } else {
            rc = -EXDEV;
        }
        code = 0;
        if (rc != 0 && relocate_wants_copy(rc)) {
            f->made = false;
            code = api_move_copy(m, i, from, to, e);
        } else if (rc != 0) {
            code = api_move_fail(to, rc, e);
        }
    }
    if (code == 0 && relocate_look(to, &f->now) != 0) {
        code = api_move_fail(to, -errno, e);
    }
    if (code == 0) {
        rc = relocate_sync_dirs(to, root);
        if (rc == 0) {
            code = 0;
        } else {
            code = api_move_fail(to, rc, e);
        }
    }
    free(from);
    free(to);
    return code;
}

/* Those on the filesystem of the new folder get another name; the journal
 * knows which file that is before it is there. */
static void api_move_plan(struct api_move *m)
{
    struct fingerprint folder;
    bool known = relocate_look(m->row->to_path, &folder) == 0;
    for (size_t i = 0; i < m->n; i++) {
        struct journal_move_file *f = &m->files[i];
        f->made = known && f->old.dev == folder.dev;
        f->new_dev = f->old_dev;
        f->new_ino = f->old_ino;
        if (!f->made) {
            m->total += api_move_bytes(&f->old);
        }
    }
}

/* What is to be copied has room. */
static int api_move_has_room(const struct api_move *m, struct err *e)
{
    struct statvfs v;
    if (m->total == 0 || statvfs(m->row->to_path, &v) != 0) {
        return 0;
    }
    uint64_t room = (uint64_t)v.f_bavail * v.f_frsize;
    if (room >= m->total) {
        return 0;
    }
    return err_set(e, BTC_E_NOSPACE,
                   "%.300s: %llu MiB are to be copied, %llu MiB are free",
                   m->row->to_path, (unsigned long long)(m->total >> 20) + 1,
                   (unsigned long long)(room >> 20));
}

int api_move_make(struct api_move *m, struct err *e)
{
    api_move_plan(m);
    int code = api_move_has_room(m, e);
    if (code == 0) {
        code = journal_move_put_files(m->db, m->row->id, m->files, m->n, e);
    }
    for (size_t i = 0; code == 0 && i < m->n; i++) {
        code = api_move_make_one(m, i, e);
        if (code == 0 && !api_move_go_on(m, 0)) {
            code = api_move_fail("", -ECANCELED, e);
        }
    }
    return code;
}

/* --- taking away --- */

/* Which file it was when it was seen last: device and number, and the rest when
 * this very program has seen it. */
struct api_move_known {
    uint64_t dev, ino;
    const struct fingerprint *print; /* or NULL */
};

/* Some file systems in user space number a file anew at each look. What has
 * kept its size and all its times is the same: no copy keeps the last. */
static bool api_move_is_file(const struct api_move_known *known,
                             const struct fingerprint *now)
{
    const struct fingerprint *p = known->print;
    return now->dev == known->dev &&
           (now->ino == known->ino ||
            (p != NULL && p->exists && p->size == now->size &&
             p->mtime_ns == now->mtime_ns && p->ctime_ns == now->ctime_ns));
}

/* Takes a name away from the file that it is known to be. One that has no other
 * name must have been copied, and its copy is another file. */
static bool api_move_unlink(const char *path,
                            const struct api_move_known *known, bool is_copy)
{
    struct fingerprint now;
    int rc = relocate_look(path, &now);
    if (rc != 0) {
        return rc == -ENOENT || rc == -ENOTDIR;
    }
    if (!api_move_is_file(known, &now) ||
        (!is_copy && relocate_names(path) < 2)) {
        return false;
    }
    return unlink(path) == 0;
}

/* The new file is another one than the old. */
static bool api_move_is_copy(const struct journal_move_file *f)
{
    return f->new_dev != f->old_dev || f->new_ino != f->old_ino;
}

/* The old file. A link has changed the time of its inode. */
static struct api_move_known
api_move_known_old(const struct journal_move_file *f)
{
    struct api_move_known known = {.dev = f->old_dev, .ino = f->old_ino};
    if (api_move_is_copy(f)) {
        known.print = &f->old;
    }
    return known;
}

/* The new one, as this program has made it. */
static struct api_move_known
api_move_known_new(const struct journal_move_file *f)
{
    struct api_move_known known = {.dev = f->new_dev, .ino = f->new_ino};
    if (f->old.exists) {
        known.print = &f->now;
    }
    return known;
}

/* The file is still there under its old name: the new one is not the only one.
 */
static bool api_move_has_old(const struct api_move *m, size_t i)
{
    const struct journal_move_file *f = &m->files[i];
    struct fingerprint old;
    char *from = api_move_old(m, i);
    const struct api_move_known known = api_move_known_old(f);
    bool there =
        relocate_look(from, &old) == 0 && api_move_is_file(&known, &old);
    free(from);
    return there;
}

void api_move_undo(struct api_move *m)
{
    size_t root = api_move_root(m->row->to_path);
    for (size_t i = m->n; i > 0; i--) {
        const struct journal_move_file *f = &m->files[i - 1];
        char *to = api_move_new(m, i - 1);
        char *temporary = api_move_temporary(m, i - 1);
        (void)unlink(temporary);
        if (f->made && api_move_has_old(m, i - 1)) {
            const struct api_move_known known = api_move_known_new(f);
            (void)api_move_unlink(to, &known, api_move_is_copy(f));
        }
        relocate_drop_dirs(to, root);
        free(to);
        free(temporary);
    }
}

/* The time as another file system keeps it: NTFS in tenths of a microsecond,
 * exFAT in hundredths of a second, ext3 in seconds, FAT in two. */
static bool api_move_is_time(int64_t ns, int64_t original)
{
    static const int64_t grains[] = {1,        100,        1000,
                                     10000000, 1000000000, 2000000000};
    for (size_t i = 0; i < sizeof(grains) / sizeof(grains[0]); i++) {
        if (ns == original - original % grains[i]) {
            return true;
        }
    }
    return false;
}

/* A copy has the length and the time of its original, unless somebody has
 * written to one of the two since. Then both stay. */
static bool api_move_is_like(const char *from, const struct fingerprint *copy)
{
    struct fingerprint old;
    return relocate_look(from, &old) != 0 ||
           (old.size == copy->size &&
            api_move_is_time(copy->mtime_ns, old.mtime_ns));
}

/* Folders that have become empty, also those of files that a run was killed
 * before it had made them. */
static void api_move_drop_folders(const struct api_move *m)
{
    size_t root = api_move_root(m->row->from_path);
    struct journal_file *files = NULL;
    size_t n = 0;
    (void)journal_load_files(m->db, m->row->id, &files, &n, NULL);
    for (size_t i = 0; i < n; i++) {
        const char *const places[] = {files[i].path, files[i].part};
        for (size_t k = 0; k < 2 && !files[i].pad; k++) {
            if (places[k] != NULL) {
                char *from = file_join(m->row->from_path, places[k]);
                relocate_drop_dirs(from, root);
                free(from);
            }
        }
    }
    journal_files_free(files, n);
}

void api_move_drop_old(struct api_move *m, bool folders)
{
    size_t root = api_move_root(m->row->from_path);
    for (size_t i = 0; i < m->n; i++) {
        struct journal_move_file *f = &m->files[i];
        char *from = api_move_old(m, i);
        char *to = api_move_new(m, i);
        struct fingerprint now;
        const struct api_move_known old = api_move_known_old(f);
        const struct api_move_known new = api_move_known_new(f);
        bool there = relocate_look(to, &now) == 0 &&
                     api_move_is_file(&new, &now) &&
                     (!api_move_is_copy(f) || api_move_is_like(from, &now));
        f->trusted &= now.ctime_ns == f->now.ctime_ns;
        if (!there || !api_move_unlink(from, &old, api_move_is_copy(f))) {
            m->out->n_left++;
        }
        (void)relocate_sync_dirs(from, root);
        f->trusted &= there && relocate_look(to, &now) == 0 &&
                      now.size == f->now.size &&
                      now.mtime_ns == f->now.mtime_ns;
        f->now = now;
        free(from);
        free(to);
    }
    if (folders) {
        api_move_drop_folders(m);
    }
}
