/* Whom to upload to (BEP 3, "Choking"); see the header.
 *
 * Of the slots some are earned and some are turns. Earned ones go to the
 * interested peers with the best rate; who has a slot keeps it unless another
 * one is a quarter faster, so that equals do not take turns every ten seconds.
 * Turns go to peers that have no slot and last CHOKER_OPTIMISTIC_MS; then it is
 * somebody else's turn. Seeding, whoever has waited longest is next; else, and
 * among equals, the lot decides, young peers three times as likely.
 * Downloading, one slot is a turn (the optimistic unchoke); seeding, where
 * nobody earns anything for us, half of them are.
 *
 * Slots bound how many draw from us at once. Who is unchoked and draws hardly
 * anything takes none: else a few that ask for nothing, or read a byte now and
 * then, would keep out those that wait. And a host that has CHOKER_HOST_SLOTS
 * comes behind all others: more connections are not more slots.
 */
#include "core/swarm/choker.h"

#include "base/mem.h"
#include "base/num.h"
#include <stdint.h>
#include <stdlib.h>

#define CHOKER_NONE         UINT32_MAX
#define CHOKER_HOLD_DIVISOR 4 /* a slot's holder counts a quarter faster */
#define CHOKER_YOUNG_WEIGHT 3

/* An interested peer on its way to a slot. */
struct choker_rank {
    struct choker_peer *peer; /* borrows */
    uint64_t score;
    uint64_t lot;  /* random, for what is equal */
    bool was;      /* had a slot before this run */
    bool holds;    /* and had earned it */
    bool unchoked; /* has one now */
};

/* Nobody is optimistic yet. */
void choker_init(struct choker *c)
{
    c->optimistic = CHOKER_NONE;
    c->optimistic_ms = 0;
}

/* Time since `then`; 0 when that is in the future. */
static uint64_t choker_since(uint64_t then, uint64_t now_ms)
{
    return num_sub_u64(now_ms, then);
}

/* One call of choker_run. */
struct choker_job {
    struct choker *c;          /* borrows */
    struct choker_rank *ranks; /* owns; of the interested peers, best first */
    size_t n;
    bool seeding;
    uint64_t now_ms;
    struct rng *rng; /* borrows */
    uint64_t *hosts; /* owns; of those that have a slot now */
    size_t n_hosts;
    bool is_strict; /* a host has its slots, not more */
    bool has_turn;  /* the optimistic one still has its turn, or is new */
};

/* The peer has a slot that it has earned; while it has its turn, it must be
 * clearly better than those to get theirs. */
static bool choker_holds(const struct choker_job *j,
                         const struct choker_peer *p)
{
    if (!p->unchoked) {
        return false;
    }
    if (j->seeding) {
        return choker_since(p->unchoked_ms, j->now_ms) >= CHOKER_OPTIMISTIC_MS;
    }
    return p->id != j->c->optimistic;
}

/* What the peer's rate is worth. */
static uint64_t choker_score(const struct choker_job *j,
                             const struct choker_peer *p)
{
    uint64_t rate = j->seeding ? p->up_rate : p->down_rate;
    uint64_t bonus = 0;
    if (choker_holds(j, p)) {
        bonus = rate / CHOKER_HOLD_DIVISOR;
    }

    if (!j->seeding && p->snubbed) {
        return 0;
    }
    if (rate > UINT64_MAX - bonus) {
        rate = UINT64_MAX;
    } else {
        rate = rate + bonus;
    }
    /* One more than what a snubbed peer has. */
    if (rate == UINT64_MAX) {
        return rate;
    }
    return rate + 1;
}

/* Best first: score, then who holds a slot, for the longest time, then by lot.
 */
static int choker_compare(const void *va, const void *vb)
{
    const struct choker_rank *a = va;
    const struct choker_rank *b = vb;

    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    if (a->holds != b->holds) {
        return a->holds ? -1 : 1;
    }
    if (a->holds && a->peer->unchoked_ms != b->peer->unchoked_ms) {
        return a->peer->unchoked_ms < b->peer->unchoked_ms ? -1 : 1;
    }
    return (a->lot > b->lot) - (a->lot < b->lot);
}

/* Chokes all but the light ones and ranks those that are interested. */
static void choker_job_rank(struct choker_job *j, struct choker_peer *peers,
                            size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct choker_peer *p = &peers[i];

        if (p->interested && p->light) {
            continue;
        }
        if (p->interested) {
            j->ranks[j->n++] =
                (struct choker_rank){.peer = p,
                                     .score = choker_score(j, p),
                                     .lot = rng_u64(j->rng),
                                     .was = p->unchoked,
                                     .holds = choker_holds(j, p)};
        }
        p->unchoked = false;
    }
    if (j->n > 1) {
        qsort(j->ranks, j->n, sizeof(j->ranks[0]), choker_compare);
    }
}

/* Gives the peer a slot. */
static void choker_unchoke(struct choker_job *j, struct choker_rank *r)
{
    r->unchoked = true;
    r->peer->unchoked = true;
    j->hosts[j->n_hosts++] = r->peer->host;
}

/* It may have a slot: it has none, and its host has not too many. */
static bool choker_may_have(const struct choker_job *j,
                            const struct choker_rank *r)
{
    uint32_t n = 0;

    for (size_t i = 0; j->is_strict && i < j->n_hosts; i++) {
        n += j->hosts[i] == r->peer->host;
    }
    return !r->unchoked && (n < CHOKER_HOST_SLOTS || r->peer->host == 0);
}

/* The slots that are earned: the best get them. */
static size_t choker_job_earned(struct choker_job *j, size_t slots)
{
    for (size_t i = 0; i < j->n && slots > 0; i++) {
        if (choker_may_have(j, &j->ranks[i])) {
            choker_unchoke(j, &j->ranks[i]);
            slots--;
        }
    }
    return slots;
}

/* The peer has a turn that is not over. */
static bool choker_has_turn(const struct choker_job *j,
                            const struct choker_rank *r)
{
    if (!r->was) {
        return false;
    }
    if (j->seeding) {
        return choker_since(r->peer->unchoked_ms, j->now_ms) <
               CHOKER_OPTIMISTIC_MS;
    }
    return r->peer->id == j->c->optimistic &&
           choker_since(j->c->optimistic_ms, j->now_ms) < CHOKER_OPTIMISTIC_MS;
}

/* Since when those wait that are to have their turn next: seeding, whoever has
 * waited longest; downloading, anybody. */
static uint64_t choker_longest(const struct choker_job *j, bool again)
{
    uint64_t first = UINT64_MAX;

    for (size_t i = 0; j->seeding && i < j->n; i++) {
        const struct choker_rank *r = &j->ranks[i];

        if (choker_may_have(j, r) && r->was == again &&
            r->peer->waiting_ms < first) {
            first = r->peer->waiting_ms;
        }
    }
    return first;
}

/* The chance of a peer in the lot for a turn: none with a slot, and a round is
 * among those that had none before, or (again) those that had one. */
static uint32_t choker_weight(const struct choker_job *j,
                              const struct choker_rank *r, bool again,
                              uint64_t longest)
{
    if (!choker_may_have(j, r) || r->was != again ||
        r->peer->waiting_ms > longest) {
        return 0;
    }
    if (choker_since(r->peer->connected_ms, j->now_ms) < CHOKER_NEW_PEER_MS) {
        return CHOKER_YOUNG_WEIGHT;
    }
    return 1;
}

/* Draws a peer for a turn; NULL when there is none in this round. */
static struct choker_rank *choker_draw(const struct choker_job *j, bool again)
{
    uint64_t longest = choker_longest(j, again);
    uint32_t sum = 0;

    for (size_t i = 0; i < j->n; i++) {
        sum += choker_weight(j, &j->ranks[i], again, longest);
    }
    if (sum == 0) {
        return NULL;
    }
    uint32_t lot = rng_below(j->rng, sum);
    for (size_t i = 0; i < j->n; i++) {
        uint32_t weight = choker_weight(j, &j->ranks[i], again, longest);

        if (lot < weight) {
            return &j->ranks[i];
        }
        lot -= weight;
    }
    return NULL;
}

/* The slots of turns: who has a turn keeps it, the others are drawn. Returns
 * how many are left. */
static size_t choker_job_turns(struct choker_job *j, size_t turns)
{
    for (size_t i = 0; i < j->n && turns > 0; i++) {
        struct choker_rank *r = &j->ranks[i];

        if (choker_may_have(j, r) && choker_has_turn(j, r)) {
            choker_unchoke(j, r);
            j->has_turn = j->has_turn || r->peer->id == j->c->optimistic;
            turns--;
        }
    }
    while (turns > 0) {
        struct choker_rank *r = choker_draw(j, false);

        if (!r) {
            r = choker_draw(j, true);
        }
        if (!r) {
            break;
        }
        choker_unchoke(j, r);
        j->has_turn = true;
        j->c->optimistic = r->peer->id;
        j->c->optimistic_ms = j->now_ms;
        turns--;
    }
    return turns;
}

/* Decides who is unchoked from now on. */
/* NOLINTNEXTLINE(readability-function-size): seven are what it takes */
void choker_run(struct choker *c, struct choker_peer *peers, size_t n,
                uint32_t slots, bool seeding, uint64_t now_ms, struct rng *rng)
{
    struct choker_job j = {.c = c,
                           .ranks = mem_array(n, sizeof(*j.ranks)),
                           .seeding = seeding,
                           .now_ms = now_ms,
                           .rng = rng,
                           .hosts = mem_array(slots, sizeof(*j.hosts)),
                           .is_strict = true};
    size_t turns = 1;
    if (seeding && slots > 1) {
        turns = slots / 2;
    }

    if (turns > slots) {
        turns = slots;
    }
    choker_job_rank(&j, peers, n);
    size_t earned = choker_job_earned(&j, slots - turns);
    j.is_strict = false;
    (void)choker_job_earned(&j, earned);
    j.is_strict = true;
    turns = choker_job_turns(&j, turns);
    j.is_strict = false;
    (void)choker_job_turns(&j, turns);
    if (!j.has_turn) {
        choker_init(c);
    }
    free(j.hosts);
    free(j.ranks);
}
