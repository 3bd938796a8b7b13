/* What session_action.c and session_listen.c share beside session.h. */
#ifndef BTC_APP_SESSION_INT_H
#define BTC_APP_SESSION_INT_H

#include "app/session.h"

/* An accepted connection becomes the torrent's. */
void session_link_accepted(struct session_torrent *st, uint32_t id,
                           struct conn *c);
/* Requests to trackers that are out are given up. */
void session_announces_cancel(struct session_torrent *st);
/* Frees all but the row and the journal's batches. */
void session_torrent_unload(struct session_torrent *st);
/* --min-free with its default; 0 = no floor. */
uint64_t session_min_free(const struct session *s);
/* No payload moves. */
bool session_is_idle(const struct session_torrent *st);

#endif
