/* Bencoding (BEP 3): a validator, a cursor over validated bytes, a writer.
 *
 * Nothing here recurses or allocates. bencode_check walks the input once with a
 * depth counter and a bitmap of container kinds; after it succeeded, the value
 * functions below may be used on the same bytes without further error checks
 * (they still never read outside the slice). A value is the slice of its own
 * encoding, so the exact span of a dictionary (what an info hash is taken of)
 * is simply the value.
 */
#ifndef BTC_PROTO_BENCODE_H
#define BTC_PROTO_BENCODE_H

#include "base/buf.h"

/* Deepest nesting accepted: real torrents need 6, v2 file trees one per folder.
 */
#define BENCODE_MAX_DEPTH 100
/* Most values in one document: bounds the time of everything behind it. */
#define BENCODE_MAX_VALUES (8u << 20)

enum bencode_type {
    BENCODE_NONE, /* no such value */
    BENCODE_INT,
    BENCODE_STR,
    BENCODE_LIST,
    BENCODE_DICT
};

/* Where and why the check failed. */
struct bencode_fault {
    size_t offset;    /* of the byte that is wrong; input length if it ends */
    const char *what; /* a literal: "truncated string", "nested too deep" ... */
};

/* Checks one whole value. Gives its length (> 0), or BTC_E_SYNTAX /
 * BTC_E_LIMIT with `fault` filled (NULL allowed). Bytes behind the value are
 * the caller's matter. Keys must be strings; unsorted or doubled keys are
 * accepted (real trackers send them), the first of a name wins. */
ptrdiff_t bencode_check(struct slice in, struct bencode_fault *fault);

/* All of the following take values inside checked input. */
enum bencode_type bencode_type(struct slice value);
/* The value when it is of the type, else an empty slice. */
struct slice bencode_of(struct slice value, enum bencode_type type);
bool bencode_int(struct slice value, int64_t *out);      /* false: no int */
bool bencode_str(struct slice value, struct slice *out); /* the content */

/* Iterates a list or dict; `it` starts with bencode_iter(value). For a list,
 * `key` is left empty. False at the end. */
struct bencode_iter {
    struct slice rest;
    bool dict;
};
struct bencode_iter bencode_iter(struct slice value);
bool bencode_next(struct bencode_iter *it, struct slice *key,
                  struct slice *value);

/* First value of the key in a dict; an empty slice when there is none. */
struct slice bencode_get(struct slice dict, const char *key);
/* By type; false when absent or of another type. */
bool bencode_get_int(struct slice dict, const char *key, int64_t *out);
bool bencode_get_str(struct slice dict, const char *key, struct slice *out);
struct slice bencode_get_list(struct slice dict, const char *key);
struct slice bencode_get_dict(struct slice dict, const char *key);

/* A dictionary that is asked for many keys: whatever lies between them is
 * walked over once. `known` holds what was walked over so far; keys beyond its
 * end are looked for each time. */
#define BENCODE_DICT_KNOWN 24
struct bencode_dict {
    struct slice value; /* the dictionary itself */
    struct bencode_iter rest;
    size_t n_known;
    struct {
        struct slice key, value;
    } known[BENCODE_DICT_KNOWN];
};
void bencode_dict_open(struct bencode_dict *d, struct slice value);
/* As bencode_get. */
struct slice bencode_dict_get(struct bencode_dict *d, const char *key);

/* Writer: appends to a buf; errors are the buf's (BTC_E_LIMIT). The caller
 * writes dict keys in order. */
int bencode_put_int(struct buf *b, int64_t v);
int bencode_put_str(struct buf *b, struct slice s);
int bencode_put_cstr(struct buf *b, const char *s);
int bencode_put_raw(struct buf *b, char c); /* 'd', 'l' or 'e' */

#endif
