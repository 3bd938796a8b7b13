/* A validated .torrent (BEP 3, 12, 19, 27, 47; hybrids of BEP 52 through their
 * v1 side).
 *
 * metainfo_parse checks everything that later code relies on: lengths add up
 * without overflow, the piece count fits the total, every path is one that may
 * be created below a save path (see "Paths"), limits hold. What it gives is
 * immutable.
 *
 * Paths. Each path is a relative path with '/' between elements, never empty,
 * no element empty, "." or "..", no byte below 0x20 or 0x7f, no '/' or '\0'
 * inside an element, valid UTF-8 (bad bytes are mended to U+FFFD), each element
 * at most 255 bytes (cut at a character, keeping the extension), the whole at
 * most METAINFO_MAX_PATH. Names that collide (equal, or a file where another
 * file's folder must be) get a suffix " (2)" before the extension; names that
 * differ in case stay as they are, as every client on this system writes them.
 * A name that mending leaves empty becomes
 * "_". For a single-file torrent the path is the sanitised name; for a
 * multi-file torrent, every path starts with the sanitised name as a folder.
 */
#ifndef BTC_PROTO_METAINFO_METAINFO_H
#define BTC_PROTO_METAINFO_METAINFO_H

#include "base/buf.h"
#include "base/err.h"
#include "model/digest.h"
#include "proto/url.h"

#define METAINFO_MAX_BYTES     (100u << 20) /* of a .torrent */
#define METAINFO_MAX_PIECES    (8u << 20)
#define METAINFO_MIN_PIECE_LEN 1u
#define METAINFO_MAX_PIECE_LEN (256u << 20)
#define METAINFO_MAX_FILES     (1u << 20)
#define METAINFO_MAX_DEPTH     64 /* folders in a path */
#define METAINFO_MAX_PATH      3000
#define METAINFO_MAX_TRACKERS  256
#define METAINFO_MAX_WEB_SEEDS 256

struct metainfo_file {
    char *path;      /* owns; sanitised, relative to the save path */
    uint64_t offset; /* in the torrent's byte stream */
    uint64_t length;
    char *link; /* owns; BEP 47 attr l: the text of the symbolic link that is
                 * made here; leads to a file or folder of the torrent */
    bool pad;   /* BEP 47: zeros, never on disk; also a link left out */
    bool executable; /* BEP 47 attr x */
    bool is_link;    /* with `link` NULL: it would lead out of the torrent */
};

struct metainfo_url {
    char *url; /* owns */
    uint32_t tier;
};

/* What the torrent names and btc does not take. */
struct metainfo_left_out {
    uint32_t n_links;         /* symbolic links that lead out of the torrent */
    struct url_left_out urls; /* trackers and web seeds */
};

struct metainfo {
    struct digest v1; /* of the info dictionary; none: a pure v2 torrent */
    struct digest v2; /* BEP 52; none: a v1 torrent */
    bool is_private;  /* BEP 27 */
    bool multi_file;
    char *name; /* owns; sanitised: also the folder of a multi-file torrent */
    char *comment;         /* owns; mended UTF-8, or NULL */
    char *created_by;      /* owns; mended UTF-8, or NULL */
    int64_t creation_date; /* unix seconds, 0 when absent */
    uint64_t total_size;   /* with pads */
    uint32_t piece_length;
    uint32_t n_pieces;
    uint32_t n_files;
    struct metainfo_file *files; /* owns n_files, in torrent order; NULL after
                                  * metainfo_drop_files */
    const uint8_t *piece_hashes; /* n_pieces * 20 bytes, inside info */
    size_t hashes_at;            /* there */
    uint8_t *info; /* owns: the exact info dictionary; NULL, as piece_hashes,
                    * after metainfo_drop_info */
    size_t info_len;
    struct metainfo_url *trackers; /* owns; announce-list, else announce */
    uint32_t n_trackers;
    char **web_seeds; /* owns; url-list, http and https only */
    uint32_t n_web_seeds;
    char **nodes; /* owns; "host:port" DHT nodes (BEP 5) */
    uint32_t n_nodes;
    struct metainfo_left_out left_out;
};

/* Parses a whole .torrent. 0, or BTC_E_METAINFO / BTC_E_UNSUPPORTED (a pure v2
 * torrent: v2 without v1) with the text in `e`. The result must be
 * freed with metainfo_free (NULL allowed). With `accept_v2` a pure v2 torrent
 * gives 0 too, without v1 and no pieces (for `btc info`); its files come
 * from the file tree. */
int metainfo_parse(struct slice in, bool accept_v2, struct metainfo **out,
                   struct err *e);
/* The same from a bare info dictionary (magnets, the journal's copy). */
int metainfo_parse_info(struct slice info, struct metainfo **out,
                        struct err *e);
void metainfo_free(struct metainfo *m);
/* Frees what it says of the files but how many there are: for one who has taken
 * over what is needed. */
void metainfo_drop_files(struct metainfo *m);

/* Frees the info dictionary, for one who can bring it back. */
void metainfo_drop_info(struct metainfo *m);
/* Takes it back, with its memory: an exact copy of what was dropped. */
void metainfo_take_info(struct metainfo *m, uint8_t *info);

/* One sanitised path element into `out` (cleared first): the rules above. */
void metainfo_sanitize(struct slice element, struct buf *out);

/* A sanitised element of at most `max` bytes (at least 32), into `out` (cleared
 * first): cut before its extension and marked with a part of its hash, so that
 * names that differ behind the cut stay apart. */
void metainfo_shorten(struct slice element, size_t max, struct buf *out);

/* Writing (btc create). Fields that are NULL or 0 are left out. */
struct metainfo_spec {
    const char *name;
    const struct metainfo_file *files; /* path without the name folder */
    const uint8_t *piece_hashes;
    const struct metainfo_url *trackers; /* sorted by tier */
    char *const *web_seeds;
    const char *comment;
    const char *created_by;
    int64_t creation_date;
    uint32_t piece_length;
    uint32_t n_files;
    uint32_t n_pieces;
    uint32_t n_trackers;
    uint32_t n_web_seeds;
    bool multi_file;
    bool is_private;
};
/* Appends the .torrent; BTC_E_LIMIT when `out` is too small, BTC_E_RANGE when
 * the numbers do not fit each other. */
int metainfo_write(const struct metainfo_spec *spec, struct buf *out);

/* A .torrent around an info dictionary that is there already, which is kept
 * byte for byte: of `spec` only trackers, web seeds, comment, created_by and
 * creation_date count. Errors as above. */
int metainfo_wrap(struct slice info, const struct metainfo_spec *spec,
                  struct buf *out);

#endif
