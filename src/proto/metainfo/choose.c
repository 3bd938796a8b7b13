/* Which files are meant: "1,3-5,8-" or a glob; and what they are called.
 *
 * A number is the file's place in the torrent, from 1, pads counted: what `btc
 * info` and `btc files` show. A glob is compared without case with the whole
 * path and with each tail of it that begins at a folder or file name; '*' goes
 * across '/', and a folder that fits means everything below it.
 */
#include "proto/metainfo/choose.h"

#include "base/mem.h"
#include "proto/metainfo/metainfo.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define CHOOSE_GLOB_MAX 4096 /* fnmatch takes its time with long patterns */

/* Only numbers, '-', ',' and blanks. */
static bool choose_is_numbers(const char *text)
{
    return text[strspn(text, "0123456789-, ")] == '\0';
}

/* A number or range of the list at *at, which moves behind it. */
static bool choose_next_range(const char **at, uint64_t *from, uint64_t *to)
{
    const char *p = *at + strspn(*at, " ");
    size_t len = strcspn(p, ",");
    *at = p + len + (p[len] == ',' ? 1 : 0);
    while (len > 0 && p[len - 1] == ' ') {
        len--;
    }
    const char *dash = NULL;
    if (len > 0) {
        dash = memchr(p, '-', len);
    }
    size_t head = len;
    if (dash) {
        head = (size_t)(dash - p);
    }
    if (!bytes_parse_u64(slice_of(p, head), from)) {
        return false;
    }
    *to = *from;
    if (dash && head + 1 == len) {
        *to = UINT64_MAX; /* "3-": to the last */
    } else if (dash &&
               !bytes_parse_u64(slice_of(dash + 1, len - head - 1), to)) {
        return false;
    }
    return *from > 0 && *from <= *to;
}

/* Marks the files of "1,3-5". */
static int choose_match_numbers(const char *text, size_t n, bool *hit,
                                struct err *e)
{
    const char *at = text;
    while (*at) {
        uint64_t from, to;
        if (!choose_next_range(&at, &from, &to)) {
            return err_set(e, BTC_E_USAGE,
                           "'%.100s' is no list of file numbers: write it as "
                           "1,3-5",
                           text);
        }
        if (from > n || (to > n && to != UINT64_MAX)) {
            return err_set(e, BTC_E_USAGE,
                           "there is no file %llu, the torrent has %zu: `btc "
                           "info` and `btc files` show their numbers",
                           (unsigned long long)(from > n ? from : to), n);
        }
        for (uint64_t i = from; i <= to && i <= n; i++) {
            hit[i - 1] = true;
        }
    }
    return 0;
}

/* The glob fits the path or one of its tails. */
static bool choose_match_path(const char *glob, const char *path)
{
    while (path) {
        if (fnmatch(glob, path, FNM_CASEFOLD | FNM_LEADING_DIR) == 0) {
            return true;
        }
        path = strchr(path, '/');
        if (path) {
            path = path + 1;
        }
    }
    return false;
}

/* Marks the files that a list or glob means; pads are never meant by a glob. */
static int choose_match(const struct choose_file *files, size_t n,
                        const char *text, bool *hit, struct err *e)
{
    bool any = false;
    if (choose_is_numbers(text)) {
        return choose_match_numbers(text, n, hit, e);
    }
    if (strlen(text) > CHOOSE_GLOB_MAX) {
        return err_set(e, BTC_E_USAGE, "the pattern is too long");
    }
    for (size_t i = 0; i < n; i++) {
        hit[i] = !files[i].pad && choose_match_path(text, files[i].path);
        any = any || hit[i];
    }
    if (any) {
        return 0;
    }
    return err_set(e, BTC_E_USAGE,
                   "no file fits '%.200s': `btc info` and `btc files` "
                   "show their names",
                   text);
}

/* Both lists with the memory for the marks. */
static int choose_both(struct choose_file *files, size_t n, bool *hit,
                       const char *const lists[2], struct err *e)
{
    bool any = false;
    for (int which = 0; which < 2; which++) {
        const char *text = lists[which];
        if (!text || !*text) {
            continue;
        }
        memset(hit, 0, n * sizeof(*hit));
        int code = choose_match(files, n, text, hit, e);
        if (code != 0) {
            return err_prefix(e, which == 0 ? "--select" : "--exclude");
        }
        for (size_t i = 0; i < n; i++) {
            if (which == 0) {
                files[i].wanted = hit[i];
            } else {
                files[i].wanted = files[i].wanted && !hit[i];
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        files[i].wanted = files[i].wanted && !files[i].pad;
        any = any || files[i].wanted;
    }
    if (any || n == 0) {
        return 0;
    }
    return err_set(e, BTC_E_USAGE, "that choice leaves no file to download");
}

int choose_files(struct choose_file *files, size_t n, const char *select,
                 const char *exclude, struct err *e)
{
    const char *const lists[2] = {select, exclude};
    bool *hit = mem_calloc(n > 0 ? n : 1, sizeof(*hit));
    int code = choose_both(files, n, hit, lists, e);
    free(hit);
    return code;
}

int choose_check_name(const char *name, struct err *e)
{
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return err_set(e, BTC_E_USAGE,
                       "--out '%.200s' is no name: give one without '/' (the "
                       "folder is --dir)",
                       name);
    }
    return 0;
}

int choose_rename(const char *path, bool multi_file, const char *name,
                  char **out, struct err *e)
{
    struct buf mended;
    buf_init(&mended, METAINFO_MAX_PATH + 1);
    int code = choose_check_name(name, e);
    *out = NULL;
    if (code == 0) {
        metainfo_sanitize(slice_str(name), &mended);
        const char *top = buf_cstr(&mended);
        const char *rest = NULL;
        if (multi_file) {
            rest = strchr(path, '/');
        }
        *out = mem_printf("%s%s", top ? top : "", rest ? rest : "");
        if (strlen(*out) > METAINFO_MAX_PATH) {
            code = err_set(e, BTC_E_USAGE, "--out makes a path too long");
            free(*out);
            *out = NULL;
        }
    }
    buf_fini(&mended);
    return code;
}
