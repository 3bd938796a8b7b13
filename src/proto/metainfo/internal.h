/* What the files of metainfo share with each other and with magnet; nobody else
 * includes this.
 *
 * From the top down; a file calls only those below it:
 *   metainfo.c  the document: what is around the info dictionary
 *   info.c      the info dictionary and the v1 file list
 *   tree.c      the v2 file tree (BEP 52), for pure v2 torrents
 *   links.c     symbolic links (BEP 47)
 *   fields.c    what info.c and tree.c do alike: refusals, numbers, attributes
 *   urls.c      trackers, web seeds, DHT nodes
 *   encoding.c  names that are not UTF-8
 *   path.c      paths and their collisions
 *   text.c      mending of names and texts
 * and beside them
 *   write.c     the writer
 *   choose.c    which files are meant, and under which name
 */
#ifndef BTC_PROTO_METAINFO_INTERNAL_H
#define BTC_PROTO_METAINFO_INTERNAL_H

#include "proto/bencode.h"
#include "proto/metainfo/metainfo.h"

/* The largest size that signed file offsets reach. */
#define METAINFO_MAX_SIZE ((uint64_t)INT64_MAX)
/* Longest path element: NAME_MAX of every filesystem that matters. */
#define METAINFO_MAX_ELEMENT 255
/* Room that a path keeps free for a suffix like " (1048577)". */
#define METAINFO_SUFFIX_MAX 12
/* Longest name in another character set that is converted. */
#define METAINFO_NAME_MAX 1024
/* Bytes of a comment that are looked at. */
#define METAINFO_MAX_TEXT 65536u
/* Longest ending that counts as an extension, with its dot. */
#define METAINFO_MAX_EXT 16

/* A path under construction: sanitised elements with '/' between. */
struct metainfo_path {
    size_t len;
    char text[METAINFO_MAX_PATH + 1]; /* NUL ended */
};

struct metainfo_parser {
    struct slice doc;          /* borrows; what offsets in errors count from */
    struct metainfo *m;        /* borrows; being filled */
    struct err *e;             /* borrows; may be NULL */
    struct metainfo_path path; /* scratch */
    void *converter;           /* owns; iconv's, from `encoding` to UTF-8 */
    bool converts;             /* there is one */
};

/* Fills m from a checked info dictionary that lies inside p->doc. */
int metainfo_read_info(struct metainfo_parser *p, struct slice dict,
                       bool accept_v2);
/* Files of a pure v2 torrent from the file tree. */
int metainfo_read_tree(struct metainfo_parser *p, struct slice tree);
/* The character set that `encoding` of the document names, if it is known. */
void metainfo_encoding_open(struct metainfo_parser *p,
                            struct bencode_dict *root);
void metainfo_encoding_close(struct metainfo_parser *p);
/* metainfo_path_push of a name in that character set. */
int metainfo_push(struct metainfo_parser *p, struct slice element);
/* The target of a link, from the value of `symlink path`: as a path in the
 * torrent until metainfo_link_resolve has all the files. */
void metainfo_link_read(struct metainfo_parser *p, struct slice list,
                        struct metainfo_file *file);
/* Gives the links their texts; those that lead out become pads. */
void metainfo_link_resolve(struct metainfo *m);
/* Trackers, web seeds and nodes; what is malformed there is left out. */
void metainfo_read_urls(struct metainfo *m, struct bencode_dict *root);

/* fields.c */
/* BTC_E_METAINFO with the text and the offset of `at` in the document. */
int metainfo_fail(const struct metainfo_parser *p, struct slice at,
                  const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* An integer within [0, max], the value of `key` in `dict`. */
int metainfo_read_int(const struct metainfo_parser *p, struct slice dict,
                      struct slice value, const char *key, uint64_t max,
                      uint64_t *out);
/* The same, looked up. */
int metainfo_need_int(const struct metainfo_parser *p,
                      struct bencode_dict *dict, const char *key, uint64_t max,
                      uint64_t *out);
/* True when the value of an `attr` key (BEP 47) names the flag. */
bool metainfo_has_attr(struct slice value, char flag);
/* Appends a file; `length` is checked against the running total. */
int metainfo_add_file(struct metainfo_parser *p, struct slice at,
                      struct metainfo_file *file, uint64_t length);

/* Without blanks at both ends. */
struct slice metainfo_trim(struct slice s);
/* "host:port" or "[v6]:port" with a sane host and a port of 1 to 65535. */
bool metainfo_is_hostport(struct slice s);
/* Adds a copy of s to a list of at most max strings that has no doubles. */
void metainfo_add_string(char ***list, uint32_t *n, uint32_t max,
                         struct slice s);

/* True when an element needs no mending. */
bool metainfo_is_plain(struct slice element);
/* Bytes of the extension at the end of a name, with its dot; 0 for none. */
size_t metainfo_ext_len(struct slice name);
/* Longest prefix of at most max bytes that ends at a character's border. */
size_t metainfo_cut(struct slice utf8, size_t max);
/* A text for people: valid UTF-8, no control characters but newline and tab. */
char *metainfo_mend_text(struct slice in);

void metainfo_path_reset(struct metainfo_path *path);
void metainfo_path_truncate(struct metainfo_path *path, size_t len);
/* Adds one element, sanitised; BTC_E_LIMIT when the path gets too long. */
int metainfo_path_push(struct metainfo_path *path, struct slice element);
/* Gives colliding paths their suffixes. Linear in the bytes of all paths. The
 * seed makes the hash table's order unknown to who wrote the torrent. */
void metainfo_path_resolve(struct metainfo_file *files, uint32_t n,
                           const uint8_t seed[SHA1_LEN]);

#endif
