/* When a tracker is scraped (BEP 48): for the numbers that its answer to an
 * announce did not have.
 *
 * Only a tracker that works is asked, a moment after its announce, then once an
 * hour at most. One that cannot be scraped is left alone for longer each time,
 * and its announces do not suffer.
 */
#include "core/swarm/announce/internal.h"

void announce_scrape_plan(struct announce_entry *e,
                          const struct tracker_reply *r, uint64_t now_ms)
{
    bool lacks = r->seeders < 0 || r->leechers < 0 || r->downloaded < 0;
    if (lacks && e->scrape.at_ms == 0) {
        e->scrape.at_ms = now_ms + ANNOUNCE_SCRAPE_MS;
    }
}

/* Whether a scrape of it is planned and may go. */
static bool announce_scrape_is_open(const struct announce *a,
                                    const struct announce_entry *e)
{
    return a->running && e->t.state == ANNOUNCE_WORKING &&
           e->scrape.at_ms != 0 && !e->scrape.is_out;
}

bool announce_scrape_next(struct announce *a, uint64_t now_ms,
                          uint32_t *tracker)
{
    for (uint32_t i = 0; i < a->n; i++) {
        struct announce_entry *e = &a->entry[i];
        if (announce_scrape_is_open(a, e) && e->scrape.at_ms <= now_ms) {
            e->scrape.is_out = true;
            *tracker = i;
            return true;
        }
    }
    return false;
}

uint64_t announce_scrape_deadline(const struct announce *a)
{
    uint64_t at = UINT64_MAX;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct announce_entry *e = &a->entry[i];
        if (announce_scrape_is_open(a, e) && e->scrape.at_ms < at) {
            at = e->scrape.at_ms;
        }
    }
    return at;
}

/* The wait doubles with each failure in a row. */
static uint64_t announce_scrape_pause(const struct announce_entry *e)
{
    uint64_t ms = ANNOUNCE_SCRAPE_AGAIN_MS;
    for (uint32_t i = 0; i < e->scrape.failures && ms < ANNOUNCE_SCRAPE_MAX_MS;
         i++) {
        ms *= 2;
    }
    return ms;
}

/* Takes a number that was said. */
static void announce_scrape_take(int64_t *to, int64_t said)
{
    if (said >= 0) {
        *to = said;
    }
}

void announce_on_scrape(struct announce *a, uint32_t tracker,
                        const struct tracker_reply *r, uint64_t now_ms)
{
    if (tracker >= a->n || !a->entry[tracker].scrape.is_out) {
        return;
    }
    struct announce_entry *e = &a->entry[tracker];
    e->scrape.is_out = false;
    if (r == NULL || r->failure[0] != '\0') {
        e->scrape.failures++;
    } else {
        e->scrape.failures = 0;
        announce_scrape_take(&e->t.seeders, r->seeders);
        announce_scrape_take(&e->t.leechers, r->leechers);
        announce_scrape_take(&e->t.downloaded, r->downloaded);
    }
    e->scrape.at_ms = now_ms + announce_scrape_pause(e);
}
