/* Making torrents. Part of btc.h. */
#ifndef BTC_BTC_CREATE_H
#define BTC_BTC_CREATE_H

#include <btc/status.h>
#include <stddef.h>
#include <stdint.h>

struct btc_create_options {
    const char *path;            /* file or folder */
    const char *output;          /* the .torrent; "-" is standard output */
    const char *const *trackers; /* each a tier; "a,b" = both in one tier */
    size_t n_trackers;
    const char *const *web_seeds;
    size_t n_web_seeds;
    uint64_t piece_length; /* 0 = chosen by size */
    bool is_private;
    bool force; /* overwrite an existing output */
    const char *comment;
    void (*on_progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
};
struct btc_create_result {
    char info_hash[41];
    uint64_t total_size;
    uint32_t piece_length;
    uint32_t piece_count;
    uint32_t n_files;
    uint32_t n_left_out; /* links, pipes, devices: only files are shared */
};
BTC_API int btc_create(const struct btc_create_options *o,
                       struct btc_create_result *r, struct btc_error *e);

#endif
