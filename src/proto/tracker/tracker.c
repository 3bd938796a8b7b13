/* The one thing that a reply owns. */
#include "proto/tracker/tracker.h"

#include <stdlib.h>

void tracker_reply_fini(struct tracker_reply *r)
{
    free(r->peers);
    r->peers = NULL;
    r->n_peers = 0;
}
