/* What the files of the public interface (include/btc/btc.h) share.
 *
 *   open.c         open, close, texts, log, numbers
 *   source.c  what may be downloaded: files, URLs, magnets
 *   peer.c    HOST:PORT to addresses
 *   add.c     a source becomes rows, magnet.c: a magnet; place.c: where its
 *             files go; add_options.c: what is wished of it
 *   set.c     wishes; remove.c the one that takes things away
 *   move.c    the data goes to another folder; move_files.c: its files
 *   query.c   the views; care.c: check, backup, restore, salvage
 *   run.c     the engine, and following another one's (follow.c); hook.c:
 *             commands that a front runs beside it; look.c: what became of
 *             complete torrents while none ran
 *   create.c  new torrents; check.c: data against a torrent
 *   keep.c    what is known as a .torrent again; scratch.c: a folder for once
 *
 * Inside, functions give 0 or enum btc_err and fill a struct err, as everywhere
 * else; the functions of btc.h turn that into a status on their last line
 * (api_status). They work on struct btc and give back plain values, so a front
 * needs nothing else.
 */
#ifndef BTC_API_API_H
#define BTC_API_API_H

#include "engine/engine.h"
#include "engine/place.h"
#include "journal/views.h"
#include "model/names.h"
#include "proto/magnet.h"
#include "proto/metainfo/choose.h"
#include "proto/metainfo/metainfo.h"

/* Most addresses taken of one host name. */
#define API_PEER_ADDRS 8

struct btc {
    char *path; /* owns */
    unsigned flags;
    struct journal *db; /* owns; an engine that runs has it; NULL: its drive
                         * does not answer, and it was left alone */
    struct engine *run; /* while btc_run is on the stack */
    struct engine_signals signals;
    struct journal *side; /* owns; for calls made while an engine has `db` */
    char *scratch;        /* owns; the folder that goes with it, or NULL */
};

struct btc_source {
    struct btc_source_info info;   /* points into the rest */
    char *label;                   /* owns; names the source in texts */
    struct metainfo *meta;         /* owns; NULL for a magnet */
    struct magnet *magnet;         /* owns; NULL for a torrent */
    struct buf text;               /* as it was read, when that is kept */
    struct btc_file_info *files;   /* owns */
    struct btc_url *trackers;      /* owns */
    struct btc_left_out *left_out; /* owns; the texts are borrowed */
    char v1[DIGEST_HEX_MAX + 1];
    char v2[DIGEST_HEX_MAX + 1];
};

/* --- add_options.c --- */
/* Its wishes of a whole torrent, into the row; BTC_E_USAGE. */
int api_add_options(const struct btc_add_options *o, struct journal_torrent *t,
                    struct err *e);
/* A limit that fits a column. */
int64_t api_limit(uint64_t v);

/* --- open.c --- */
/* The last line of each function of btc.h: the status, `out` filled. */
int api_status(struct btc_error *out, int code, const struct err *e);
/* The connection for a call: b's own, or while an engine has that one, another.
 */
int api_db(struct btc *b, struct journal **out, struct err *e);

/* --- query.c --- */
/* A row function of the front behind one of the database. */
struct api_rows {
    btc_row_fn *fn;
    void *ctx;
    int stop; /* what the front ended the query with */
};
/* Hands a row on; `ctx` is a struct api_rows. */
int api_row(void *ctx, const struct journal_value *v, size_t n);

/* --- hook.c --- */
/* A command is owed once the torrent is done. */
int api_hook_owe(struct journal *db, int64_t id, struct err *e);

/* --- source.c --- */
/* The source of what was parsed, which it takes over. */
struct btc_source *api_source_new(struct metainfo *meta);

/* --- scratch.c --- */
/* A new folder below $TMPDIR; NULL when it cannot be made. */
char *api_scratch_make(struct err *e);
/* It goes with the files in it, and the text is freed. NULL allowed. */
void api_scratch_fini(char *folder);

/* --- peer.c --- */
struct api_peers {
    struct journal_peer *p; /* owns */
    uint32_t n;
};
/* Adds the addresses of "HOST:PORT"; a name is asked of the resolver. */
int api_peers_add(struct api_peers *list, const char *text, struct err *e);

/* --- move.c, move_files.c --- */
struct journal_move;
struct journal_move_file;
/* A move that is under way. */
struct api_move {
    struct journal *db;
    const struct btc_move_options *o; /* NULL: what another one left */
    struct journal_move *row;         /* owns its strings */
    struct journal_move_file *files;  /* owns */
    size_t n;
    uint64_t done, total; /* bytes to copy */
    struct btc_moved *out;
};
/* Which files are to get a new place; none is touched. */
int api_move_find(struct api_move *m, struct err *e);
/* Makes the new files, durable. */
int api_move_make(struct api_move *m, struct err *e);
/* Takes the new files away again. */
void api_move_undo(struct api_move *m);
/* Takes the old names away, and the folders that become empty if that is asked
 * for; the fingerprints are as they are then. */
void api_move_drop_old(struct api_move *m, bool folders);
/* Undoes or finishes the moves of programs that were killed. */
int api_move_recover(struct journal *db, struct err *e);

/* --- place.c --- */
/* What all sources of one call have in common; looked at once. */
struct api_place {
    char *save_path; /* owns; as it will be journaled */
    size_t name_max; /* bytes of the longest name that it can hold */
    bool is_ready;   /* it is there and can be written, `device` is known */
    bool is_made;    /* api_place_check has made it */
    uint64_t device; /* the filesystem, when somebody has mounted it; 0 for that
                        of /, which is always there and may be numbered anew
                        with each boot */
    const char *named_by;   /* borrows; how it is named, NULL: " with --dir" */
    struct api_peers peers; /* by hand */
    struct store_own *own;  /* owns; what no torrent may have */
};
/* Looks at the folder and asks for the peers' addresses; fini it either way.
 * The journal's own files (`own`) are the caller's matter. */
int api_place_init(struct api_place *p, const struct btc_add_options *o,
                   struct err *e);
void api_place_fini(struct api_place *p);
/* The folder can be written, or everything is there already (a seed may live
 * on a medium that cannot). It is made when it is missing. */
int api_place_check(struct api_place *p, const struct journal_file *files,
                    size_t n, struct err *e);

/* --- magnet.c --- */
struct api_magnet;
/* Everything of a magnet that does not need the database. `m`, `o` and `place`
 * live as long as it does. */
int api_magnet_new(const struct magnet *m, const struct btc_add_options *o,
                   const struct api_place *place, struct api_magnet **out,
                   struct err *e);
/* And what does. */
int api_magnet_store(struct api_magnet *x, struct journal *db, int64_t *id,
                     bool *known, struct err *e);
void api_magnet_free(struct api_magnet *x); /* NULL allowed */

#endif
