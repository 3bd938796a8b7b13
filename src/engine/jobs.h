/* Disk jobs of a torrent: made, counted, freed. A job that is out keeps its
 * torrent in memory. */
#ifndef BTC_ENGINE_JOBS_H
#define BTC_ENGINE_JOBS_H

#include "engine/internal.h"

/* A job of the torrent, for store_submit. In `done`: jobs_done, then
 * jobs_free. */
struct store_job *jobs_new(struct engine_torrent *st, enum store_op op,
                           store_done_fn *done);
/* A job of the torrent came back; also for jobs that are not from jobs_new and
 * were counted with n_jobs. */
void jobs_done(struct engine_torrent *st);
void jobs_free(struct store_job *job);
/* Spans of a range of a piece; the piece is the job's tag. */
void jobs_set_range(struct engine_torrent *st, struct store_job *job,
                    uint32_t piece, uint32_t begin, uint32_t len);
/* Notes why it failed, if it did, for the torrent that fails of it later: the
 * core knows no file and no errno. */
void jobs_note_failure(struct engine_torrent *st, const struct store_job *job);
/* What was noted of the last job that failed with this code; NULL: nothing. */
const char *jobs_failure(const struct engine_torrent *st, int code);
/* The torrent cannot go on with its files as they are. `changed`: somebody has
 * changed, replaced or removed one. */
void jobs_post_failed(struct engine_torrent *st, int code, const char *text,
                      bool changed);

#endif
