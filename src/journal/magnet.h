/* Rows of a torrent whose info dictionary has not come yet (a magnet). */
#ifndef BTC_JOURNAL_MAGNET_H
#define BTC_JOURNAL_MAGNET_H

#include "journal/add.h"

struct journal_metadata {
    uint32_t piece;
    uint8_t *data; /* owns */
    size_t len;
};

struct journal_magnet_file {
    uint32_t file; /* may be beyond those that there are */
    uint8_t priority;
};

/* What is wished for the time when the files are known, and what of the info
 * dictionary is here. */
struct journal_magnet {
    char *given_name;          /* owns; what it is called until then */
    char *selected, *excluded; /* own; NULL = all, none */
    char *link_selected;       /* owns; the link's choice, NULL = none */
    char *out_name;            /* owns; NULL = the torrent's own */
    char *torrent_file;        /* owns; to be kept there, NULL = nowhere */
    uint32_t size;             /* of the info dictionary, 0 = not known */
    struct journal_metadata *pieces; /* owns; unverified */
    size_t n_pieces;
    struct journal_magnet_file *files; /* owns; their priorities */
    size_t n_files;
};

/* Where the .torrent of what was a magnet is still to be kept; NULL: nowhere,
 * or that cannot be read. free(). */
char *journal_load_keep(struct journal *db, int64_t id);
void journal_magnet_fini(struct journal_magnet *m);
/* NOTFOUND when there is no row. */
int journal_load_magnet(struct journal *db, int64_t id,
                        struct journal_magnet *out, struct err *e);
/* Wishes of a magnet: "selected", "excluded", "torrent_file"; NULL = none.
 * NOTFOUND when the torrent is none (any more). */
int journal_set_magnet(struct journal *db, int64_t id, const char *column,
                       const char *value, struct err *e);
int journal_set_magnet_priority(struct journal *db, int64_t id, uint32_t file,
                                uint8_t priority, struct err *e);
/* A piece of an info dictionary of `size` bytes; pieces of another size go. */
int journal_put_metadata(struct journal *db, int64_t id, uint32_t size,
                         uint32_t piece, struct slice data, struct err *e);
int journal_drop_metadata(struct journal *db, int64_t id, struct err *e);
/* The info dictionary is known: identity, metainfo and files in one
 * transaction; the rows of the magnet go. Of a->torrent only the identity and
 * the name count. */
int journal_learn(struct journal *db, int64_t id, const struct journal_add *a,
                  struct err *e);

#endif
