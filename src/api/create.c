/* New torrents; see btc_create in btc.h and create.h, which does it. */
#include "create/create.h"
#include "api/api.h"

int btc_create(const struct btc_create_options *o, struct btc_create_result *r,
               struct btc_error *e)
{
    struct err err = {0};
    struct create_result made = {0};
    struct create_options options = {.path = o->path,
                                     .output = o->output,
                                     .trackers = o->trackers,
                                     .n_trackers = o->n_trackers,
                                     .web_seeds = o->web_seeds,
                                     .n_web_seeds = o->n_web_seeds,
                                     .comment = o->comment,
                                     .on_progress = o->on_progress,
                                     .ctx = o->ctx,
                                     .piece_length = o->piece_length,
                                     .is_private = o->is_private,
                                     .force = o->force};
    int code = create_torrent(&options, &made, &err);
    if (code == 0 && r) {
        *r = (struct btc_create_result){.total_size = made.total_size,
                                        .piece_length = made.piece_length,
                                        .piece_count = made.n_pieces,
                                        .n_files = made.n_files,
                                        .n_left_out = made.n_left_out};
        bytes_to_hex(made.info_hash, sizeof(made.info_hash), r->info_hash);
    }
    return api_status(e, code, &err);
}
