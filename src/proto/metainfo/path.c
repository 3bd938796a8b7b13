/* Paths of a torrent: built from sanitised elements, then made distinct.
 *
 * Two files collide when their paths are equal, or when one is a folder of
 * another. Names that differ in case do not: other clients keep them apart, and
 * data that they have fetched is to be found under the same names. Folders are
 * never renamed: all of them are entered first, then the files in torrent
 * order, and a file whose place is taken gets " (2)", " (3)", ... before its
 * extension. Pad files are never on disk, take no part, and may share a path.
 *
 * Names stand in one hash table under (id of the folder, name). Whoever
 * wrote the torrent chose the names, so the table's hash is keyed (SipHash-1-3)
 * with the info hash, which depends on all the names and cannot be aimed at.
 * The next number to try is kept per name, so a million equal names cost a
 * million steps and not the square.
 */
#include "proto/metainfo/internal.h"

#include "base/map.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a key stands for. */
enum metainfo_name_kind {
    METAINFO_NAME_ENTRY,  /* a file or a folder */
    METAINFO_NAME_COUNTER /* the next number for a name that is taken */
};

#define METAINFO_KEY_HEAD 5 /* folder id, kind */
#define METAINFO_KEY_MAX  (METAINFO_KEY_HEAD + METAINFO_MAX_ELEMENT)

struct metainfo_name {
    UT_hash_handle hh;
    uint32_t value; /* folder: its id; file: 0; counter: next number */
    uint8_t key[];
};

struct metainfo_names {
    struct metainfo_name *table; /* owns */
    uint32_t n_folders;          /* ids given out; 0 is the root */
    uint64_t key[2];             /* of the hash */
};

static uint64_t metainfo_rotl(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

/* SipRound of Aumasson and Bernstein's SipHash. */
static void metainfo_sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = metainfo_rotl(v[1], 13) ^ v[0];
    v[0] = metainfo_rotl(v[0], 32);
    v[2] += v[3];
    v[3] = metainfo_rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = metainfo_rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = metainfo_rotl(v[1], 17) ^ v[2];
    v[2] = metainfo_rotl(v[2], 32);
}

/* SipHash-1-3; words are taken big-endian, which is as good here. */
static uint64_t metainfo_sip(const uint64_t key[2], struct slice in)
{
    uint64_t v[4] = {
        key[0] ^ UINT64_C(0x736f6d6570736575),
        key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261),
        key[1] ^ UINT64_C(0x7465646279746573),
    };
    uint64_t last = (uint64_t)in.len;
    size_t i = 0;

    for (; in.len - i >= 8; i += 8) {
        uint64_t word = bytes_get_be64(in.p + i);
        v[3] ^= word;
        metainfo_sip_round(v);
        v[0] ^= word;
    }
    for (; i < in.len; i++) {
        last = last << 8 | in.p[i];
    }
    v[3] ^= last;
    metainfo_sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int round = 0; round < 3; round++) {
        metainfo_sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The macros of uthash count as code of the function that uses them: two
 * functions that do nothing else hold them. */
/* NOLINTBEGIN(readability-function-*) */

/* The entry of a key, or NULL. */
static struct metainfo_name *
metainfo_names_find(struct metainfo_names *set, struct slice key, unsigned hash)
{
    struct metainfo_name *name = NULL;

    HASH_FIND_BYHASHVALUE(hh, set->table, key.p, key.len, hash, name);
    return name;
}

/* A new entry with a copy of the key. */
static struct metainfo_name *metainfo_names_add(struct metainfo_names *set,
                                                struct slice key, unsigned hash)
{
    struct metainfo_name *name = mem_zalloc(sizeof(*name) + key.len);

    memcpy(name->key, key.p, key.len);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, set->table, name->key, key.len, hash, name);
    return name;
}

/* NOLINTEND(readability-function-*) */

/* The entry of a name in a folder, made when it is new. */
static struct metainfo_name *metainfo_names_put(struct metainfo_names *set,
                                                uint32_t folder,
                                                enum metainfo_name_kind kind,
                                                struct slice element,
                                                bool *is_new)
{
    uint8_t text[METAINFO_KEY_MAX];
    uint8_t *end = bytes_put_u8(bytes_put_be32(text, folder), (uint8_t)kind);
    struct metainfo_name *name;
    struct slice key;
    unsigned hash;

    BTC_ASSERT(element.len <= METAINFO_MAX_ELEMENT);
    end = bytes_put(end, element.p, element.len);
    key = slice_of(text, (size_t)(end - text));
    hash = (unsigned)metainfo_sip(set->key, key);
    name = metainfo_names_find(set, key, hash);
    *is_new = name == NULL;
    if (name == NULL) {
        return metainfo_names_add(set, key, hash);
    }
    return name;
}

static void metainfo_names_fini(struct metainfo_names *set)
{
    struct metainfo_name *name = set->table;

    HASH_CLEAR(hh, set->table);
    while (name != NULL) {
        struct metainfo_name *next = name->hh.next;
        free(name);
        name = next;
    }
}

/* Bytes of a path's folders, without the last '/'; 0 when it has none. */
static size_t metainfo_folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        return 0;
    }
    return (size_t)(slash - path);
}

/* Enters each folder on the way; the id of the last one. */
static uint32_t metainfo_names_folder(struct metainfo_names *set,
                                      struct slice folders)
{
    uint32_t id = 0;
    size_t off = 0;
    bool is_new;

    while (off < folders.len) {
        const uint8_t *p = folders.p + off;
        const uint8_t *slash = memchr(p, '/', folders.len - off);
        size_t len = slash == NULL ? folders.len - off : (size_t)(slash - p);
        struct metainfo_name *name = metainfo_names_put(
            set, id, METAINFO_NAME_ENTRY, slice_of(p, len), &is_new);
        if (is_new) {
            name->value = ++set->n_folders;
        }
        id = name->value;
        off += len + 1;
    }
    return id;
}

/* Enters the folders of all files; gives each file's folder id. */
static uint32_t *metainfo_names_folders(struct metainfo_names *set,
                                        const struct metainfo_file *files,
                                        uint32_t n)
{
    uint32_t *ids = mem_calloc(n, sizeof(*ids));
    struct slice last = slice_of(NULL, 0);
    uint32_t last_id = 0;

    for (uint32_t i = 0; i < n; i++) {
        const char *path = files[i].path;
        struct slice folders = slice_of(path, metainfo_folder_len(path));
        if (files[i].pad) {
            continue;
        }
        /* Neighbours mostly share their folder. */
        if (!slice_eq(folders, last)) {
            last_id = metainfo_names_folder(set, folders);
            last = folders;
        }
        ids[i] = last_id;
    }
    return ids;
}

/* Gives a file whose name is taken the first free number. */
static void metainfo_names_rename(struct metainfo_names *set,
                                  struct metainfo_file *file, uint32_t folder)
{
    size_t folder_len = metainfo_folder_len(file->path);
    size_t leaf_at = 0;
    if (folder_len != 0) {
        leaf_at = folder_len + 1;
    }
    struct slice leaf = slice_str(file->path + leaf_at);
    size_t ext = metainfo_ext_len(leaf);
    size_t room = METAINFO_MAX_ELEMENT - METAINFO_SUFFIX_MAX - ext;
    size_t stem = metainfo_cut(slice_sub(leaf, 0, leaf.len - ext), room);
    struct metainfo_name *counter;
    char *path;
    bool is_new;

    /* Counted under the name as it was cut: long names that differ only behind
     * the cut try the same numbers. */
    path = mem_printf("%.*s%s", (int)stem, (const char *)leaf.p,
                      (const char *)leaf.p + leaf.len - ext);
    counter = metainfo_names_put(set, folder, METAINFO_NAME_COUNTER,
                                 slice_str(path), &is_new);
    if (is_new) {
        counter->value = 2;
    }
    do {
        free(path);
        path = mem_printf("%.*s (%" PRIu32 ")%s", (int)(leaf_at + stem),
                          file->path, counter->value++,
                          (const char *)leaf.p + leaf.len - ext);
        (void)metainfo_names_put(set, folder, METAINFO_NAME_ENTRY,
                                 slice_str(path + leaf_at), &is_new);
    } while (!is_new);
    free(file->path);
    file->path = path;
}

/* Gives colliding paths their suffixes. */
void metainfo_path_resolve(struct metainfo_file *files, uint32_t n,
                           const uint8_t seed[SHA1_LEN])
{
    struct metainfo_names set = {.table = NULL, .n_folders = 0};
    uint32_t *folders;
    bool is_new;

    set.key[0] = bytes_get_be64(seed);
    set.key[1] = bytes_get_be64(seed + 8);
    folders = metainfo_names_folders(&set, files, n);
    for (uint32_t i = 0; i < n; i++) {
        size_t len = metainfo_folder_len(files[i].path);
        const char *leaf = files[i].path + (len == 0 ? 0 : len + 1);
        if (files[i].pad) {
            continue;
        }
        (void)metainfo_names_put(&set, folders[i], METAINFO_NAME_ENTRY,
                                 slice_str(leaf), &is_new);
        if (!is_new) {
            metainfo_names_rename(&set, &files[i], folders[i]);
        }
    }
    free(folders);
    metainfo_names_fini(&set);
}

void metainfo_path_reset(struct metainfo_path *path)
{
    metainfo_path_truncate(path, 0);
}

void metainfo_path_truncate(struct metainfo_path *path, size_t len)
{
    BTC_ASSERT(len < sizeof(path->text));
    path->len = len;
    path->text[len] = '\0';
}

/* Adds one element as it is. */
static int metainfo_path_append(struct metainfo_path *path,
                                struct slice element)
{
    size_t max = METAINFO_MAX_PATH - METAINFO_SUFFIX_MAX;
    size_t slash = path->len > 0;

    if (element.len + slash > max - path->len) {
        return BTC_E_LIMIT;
    }
    if (slash != 0) {
        path->text[path->len] = '/';
    }
    memcpy(path->text + path->len + slash, element.p, element.len);
    metainfo_path_truncate(path, path->len + slash + element.len);
    return 0;
}

/* Adds one element, sanitised. */
int metainfo_path_push(struct metainfo_path *path, struct slice element)
{
    struct buf b;
    int rc;

    if (metainfo_is_plain(element)) {
        return metainfo_path_append(path, element);
    }
    buf_init(&b, METAINFO_MAX_ELEMENT);
    metainfo_sanitize(element, &b);
    rc = metainfo_path_append(path, buf_slice(&b));
    buf_fini(&b);
    return rc;
}
