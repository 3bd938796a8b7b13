/* What the files of create share; nobody else includes this.
 *
 *   create.c       options, the torrent's content, what is compared with what
 *   walk.c  the list of files
 *   hash.c  the pieces' hashes
 *   save.c  around the output file
 */
#ifndef BTC_CREATE_INTERNAL_H
#define BTC_CREATE_INTERNAL_H

#include "create/create.h"

#include <sys/stat.h>

/* One file to be shared, as it was when it was found. */
struct create_file {
    char *path; /* owns; below the root, '/' between; "" for a single file */
    uint64_t length;
    int64_t mtime_ns;
};

struct create_list {
    struct create_file *files; /* owns; in torrent order */
    uint32_t n_files;
    uint32_t cap;
    uint32_t n_left_out; /* links, pipes, devices, sockets */
    uint64_t total_size;
    bool multi_file; /* the root is a folder */
};

/* Fills `list` from the file or folder `root`. The regular file that `skip`
 * (NULL allowed) describes is left out. */
int create_walk(const char *root, const struct stat *skip,
                struct create_list *list, struct err *e);
void create_list_fini(struct create_list *list);
/* Where a file of the list is; free(). */
char *create_file_path(const char *root, const struct create_file *file);
/* Of struct stat, in nanoseconds. */
int64_t create_mtime_ns(const struct stat *st);

struct create_job {
    const char *root;               /* borrows */
    const struct create_list *list; /* borrows */
    uint8_t *hashes;                /* borrows; SHA1_LEN for each piece */
    uint32_t n_pieces;
    uint32_t piece_length;
    uint32_t threads; /* at least 1 */
    create_progress_fn *on_progress;
    void *ctx;
    const atomic_bool *cancel;
};

/* Hashes all pieces. */
int create_hash(const struct create_job *job, struct err *e);

/* Reads a whole file of at most METAINFO_MAX_BYTES into `out`. */
int create_load(const char *path, struct buf *out, struct err *e);
/* 0 when a file may be made in the folder of `path`. */
int create_check_folder(const char *path, struct err *e);
/* Writes to something that is open: standard output. */
int create_send(int fd, struct slice content, struct err *e);

#endif
