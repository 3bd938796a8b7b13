/* The order of a commit; see commit.h. */
#include "core/durable/commit.h"

#include "base/err.h"
#include "base/num.h"

static void commit_enter(struct commit *c, enum commit_state state,
                         uint64_t now_ms)
{
    c->state = state;
    c->since_ms = now_ms;
    c->cursor = c->chosen;
}

void commit_init(struct commit *c, const struct commit_batch_ops *ops,
                 uint32_t interval_ms, uint64_t now_ms)
{
    *c = (struct commit){.ops = ops,
                         .interval_ms = interval_ms,
                         .since_ms = now_ms,
                         .due_ms = now_ms + interval_ms,
                         .facts = ops->make()};
}

void commit_fini(struct commit *c)
{
    BTC_ASSERT(c->moved == NULL && c->chosen == NULL);
    void *batches[] = {c->facts, c->kept, c->batch};
    for (size_t i = 0; i < 3; i++) {
        if (batches[i] != NULL) {
            c->ops->free(batches[i]);
        }
    }
    *c = (struct commit){0};
}

void commit_join(struct commit *c, struct commit_member *m)
{
    *m = (struct commit_member){
        .c = c, .facts = c->ops->make(), .lot = c->ops->make()};
}

/* --- lists --- */

static void commit_unlink_moved(struct commit_member *m)
{
    struct commit_member **at = &m->c->moved;
    while (m->moved && *at != m) {
        at = &(*at)->next_moved;
    }
    if (m->moved) {
        *at = m->next_moved;
        m->moved = false;
    }
}

static void commit_unlink_chosen(struct commit_member *m)
{
    struct commit *c = m->c;
    struct commit_member **at = &c->chosen;
    while (m->step != COMMIT_OUT && *at != m) {
        at = &(*at)->next_chosen;
    }
    if (m->step != COMMIT_OUT) {
        *at = m->next_chosen;
        if (c->cursor == m) {
            c->cursor = m->next_chosen;
        }
        m->step = COMMIT_OUT;
    }
}

void commit_move(struct commit_member *m)
{
    if (!m->moved) {
        m->moved = true;
        m->next_moved = m->c->moved;
        m->c->moved = m;
    }
}

/* Nobody is to hear of a doubt any more. */
static void commit_hush(struct commit_member *m)
{
    if (m->doubt_is_news) {
        m->doubt_is_news = false;
        m->c->n_doubts--;
    }
}

void commit_leave(struct commit_member *m)
{
    struct commit *c = m->c;
    if (c == NULL) {
        return;
    }
    BTC_ASSERT(m->step != COMMIT_IN_SYNC);
    commit_hush(m);
    commit_unlink_moved(m);
    commit_unlink_chosen(m);
    c->ops->free(m->facts);
    c->ops->free(m->lot);
    *m = (struct commit_member){0};
}

/* Nothing of it is under way: it goes to the other pipeline with all that it
 * has to say. */
static void commit_change_now(struct commit_member *m)
{
    struct commit *to = m->to;
    if (to == NULL || m->step != COMMIT_OUT || m->kept) {
        return;
    }
    bool moved = m->moved;
    commit_unlink_moved(m);
    if (m->doubt_is_news) {
        m->c->n_doubts--;
        to->n_doubts++;
    }
    m->c = to;
    m->to = NULL;
    if (moved) {
        commit_move(m);
    }
}

void commit_change(struct commit_member *m, struct commit *to)
{
    m->to = NULL;
    if (to != m->c) {
        m->to = to;
        commit_change_now(m);
    }
}

/* Who has moved is in this commit; who moves from now on, in the next one. */
static void commit_choose(struct commit *c)
{
    struct commit_member *m = c->moved, *next;
    c->moved = NULL;
    for (; m != NULL; m = next) {
        next = m->next_moved;
        m->moved = false;
        if (m->held) {
            commit_move(m);
            continue;
        }
        m->step = COMMIT_CHOSEN;
        m->next_chosen = c->chosen;
        c->chosen = m;
    }
}

/* --- facts in --- */

void *commit_free_facts(struct commit *c)
{
    return c->facts;
}

void *commit_facts(struct commit_member *m)
{
    commit_move(m);
    return m->facts;
}

void *commit_claims(struct commit_member *m)
{
    m->dirty = true;
    return commit_facts(m);
}

void commit_owe_sync(struct commit_member *m)
{
    BTC_ASSERT(m->step == COMMIT_TAKEN);
    m->dirty |= !m->doubted;
}

void *commit_lot(struct commit_member *m)
{
    BTC_ASSERT(m->step != COMMIT_OUT && m->step != COMMIT_CHOSEN);
    return m->lot;
}

static void commit_empty(struct commit_member *m, void **batch)
{
    m->c->ops->free(*batch);
    *batch = m->c->ops->make();
}

void commit_forget(struct commit_member *m)
{
    commit_empty(m, &m->facts);
    commit_empty(m, &m->lot);
    m->dirty = false;
}

void commit_hold(struct commit_member *m, bool held)
{
    m->held = held;
    commit_move(m);
}

void commit_trust(struct commit_member *m)
{
    if (m->doubted) {
        m->c->ops->drop_claims(m->facts);
        m->dirty = false;
        m->doubted = false;
        commit_hush(m);
    }
}

/* --- what happened --- */

unsigned commit_begin_write(struct commit *c)
{
    c->n_writes[c->turn]++;
    return c->turn;
}

void commit_end_write(struct commit *c, unsigned turn)
{
    BTC_ASSERT(turn < 2 && c->n_writes[turn] > 0);
    c->n_writes[turn]--;
}

/* Nothing that claims data written since the last good SYNC may pass. What else
 * it had to say waits for the next commit. */
static void commit_doubt(struct commit_member *m)
{
    const struct commit_batch_ops *ops = m->c->ops;
    ops->append(m->lot, m->facts);
    ops->drop_claims(m->lot);
    ops->append(m->facts, m->lot);
    m->dirty = false;
    m->doubted = true;
    m->step = COMMIT_DROPPED;
    if (!m->doubt_is_news) {
        m->doubt_is_news = true;
        m->c->n_doubts++;
    }
    commit_move(m);
}

void commit_on_synced(struct commit_member *m, bool good)
{
    BTC_ASSERT(m->step == COMMIT_IN_SYNC && m->c->n_syncs > 0);
    m->c->n_syncs--;
    m->step = COMMIT_TAKEN;
    if (!good) {
        commit_doubt(m);
    }
}

void commit_refuse(struct commit_member *m)
{
    if (m->step == COMMIT_TAKEN) {
        m->step = COMMIT_BARRED;
    }
}

/* The time until the next try: twice as long after each failure. */
static uint64_t commit_retry_ms(const struct commit *c)
{
    uint64_t ms = c->interval_ms;
    for (uint32_t i = 1; i < c->n_failures && ms < COMMIT_RETRY_MAX_MS; i++) {
        ms *= 2;
    }
    return num_min_u64(ms, COMMIT_RETRY_MAX_MS);
}

/* Kept for the next try; whoever is in it is asked again and told then. */
static void commit_keep(struct commit *c, uint64_t now_ms)
{
    c->kept = c->batch;
    c->batch = NULL;
    c->n_failures++;
    c->due_ms = now_ms + commit_retry_ms(c);
    while (c->chosen != NULL) {
        struct commit_member *m = c->chosen;
        m->kept |= m->step == COMMIT_TAKEN || m->step == COMMIT_BARRED;
        commit_unlink_chosen(m);
        commit_move(m);
    }
    commit_enter(c, COMMIT_IDLE, now_ms);
}

void commit_on_committed(struct commit *c, enum commit_result r,
                         uint64_t now_ms)
{
    BTC_ASSERT(c->state == COMMIT_COMMITTING && c->given);
    if (r == COMMIT_REFUSED && !c->isolate) {
        c->isolate = true;
        c->given = false;
        return;
    }
    c->isolate = false;
    if (r != COMMIT_DONE) {
        commit_keep(c, now_ms);
        return;
    }
    c->ops->free(c->batch);
    c->batch = NULL;
    c->n_failures = 0;
    commit_enter(c, COMMIT_TELLING, now_ms);
}

uint64_t commit_deadline(const struct commit *c)
{
    if (c->state != COMMIT_IDLE) {
        return UINT64_MAX;
    }
    bool now = c->hurried && (c->n_failures == 0 || c->last);
    if (now) {
        return 0;
    }
    return c->due_ms;
}

void commit_on_clock(struct commit *c, uint64_t now_ms)
{
    if (now_ms < commit_deadline(c)) {
        return;
    }
    c->due_ms = now_ms + c->interval_ms;
    c->hurried = c->turned = c->given = false;
    commit_choose(c);
    commit_enter(c, COMMIT_FLUSHING, now_ms);
}

void commit_insist(struct commit *c)
{
    c->insists = true;
}

void commit_hurry(struct commit *c)
{
    c->hurried = true;
}

void commit_set_last(struct commit *c, struct commit_member *const *members,
                     size_t n)
{
    c->last = c->hurried = true;
    for (size_t i = 0; i < n; i++) {
        commit_move(members[i]);
    }
}

/* --- what is to be done --- */

static bool commit_give(struct commit_action *out, enum commit_action_type type,
                        struct commit_member *m)
{
    *out = (struct commit_action){.type = type, .member = m};
    return true;
}

/* A DOUBT that nobody has heard of yet. */
static bool commit_next_doubt(struct commit *c, struct commit_action *out)
{
    struct commit_member *m = NULL;
    if (c->n_doubts > 0) {
        m = c->moved;
    }
    while (m != NULL && !m->doubt_is_news) {
        m = m->next_moved;
    }
    if (m == NULL) {
        return false;
    }
    m->doubt_is_news = false;
    c->n_doubts--;
    return commit_give(out, COMMIT_DO_DOUBT, m);
}

/* The next one of the list, NULL at its end. */
static struct commit_member *commit_step_on(struct commit *c)
{
    struct commit_member *m = c->cursor;
    if (m != NULL) {
        c->cursor = m->next_chosen;
    }
    return m;
}

/* True when there is an action; else the state may have moved on. */
static bool commit_next_flush(struct commit *c, struct commit_action *out,
                              uint64_t now_ms)
{
    struct commit_member *m = commit_step_on(c);
    if (m != NULL) {
        return commit_give(out, COMMIT_DO_FLUSH, m);
    }
    if (!c->turned) {
        c->turned = true;
        c->turn ^= 1;
    }
    if (c->n_writes[c->turn ^ 1] == 0) {
        commit_enter(c, COMMIT_TAKING, now_ms);
    }
    return false;
}

static bool commit_next_take(struct commit *c, struct commit_action *out,
                             uint64_t now_ms)
{
    struct commit_member *m = commit_step_on(c);
    if (m == NULL) {
        commit_enter(c, COMMIT_SYNCING, now_ms);
        return false;
    }
    if (m->doubted) {
        c->ops->drop_claims(m->facts);
        m->dirty = false;
    }
    c->ops->append(m->lot, m->facts);
    m->step = COMMIT_TAKEN;
    return commit_give(out, COMMIT_DO_TAKE, m);
}

/* Everything that is true now, behind what was true before. */
static void commit_gather(struct commit *c)
{
    if (c->kept != NULL) {
        c->batch = c->kept;
    } else {
        c->batch = c->ops->make();
    }
    c->kept = NULL;
    c->ops->append(c->batch, c->facts);
    for (struct commit_member *m = c->chosen; m != NULL; m = m->next_chosen) {
        if (m->step == COMMIT_TAKEN) {
            c->ops->append(c->batch, m->lot);
        }
    }
}

static bool commit_next_sync(struct commit *c, struct commit_action *out,
                             uint64_t now_ms)
{
    struct commit_member *m;
    while ((m = commit_step_on(c)) != NULL) {
        if (m->dirty && m->step == COMMIT_TAKEN) {
            m->dirty = false;
            m->step = COMMIT_IN_SYNC;
            c->n_syncs++;
            return commit_give(out, COMMIT_DO_SYNC, m);
        }
    }
    if (c->n_syncs == 0) {
        commit_gather(c);
        commit_enter(c, COMMIT_COMMITTING, now_ms);
    }
    return false;
}

static bool commit_next_commit(struct commit *c, struct commit_action *out,
                               uint64_t now_ms)
{
    if (c->given) {
        return false;
    }
    if (c->ops->is_empty(c->batch) && !c->last && !c->insists) {
        c->ops->free(c->batch);
        c->batch = NULL;
        commit_enter(c, COMMIT_TELLING, now_ms);
        return false;
    }
    c->given = true;
    c->insists = false;
    *out = (struct commit_action){.type = COMMIT_DO_COMMIT,
                                  .batch = c->batch,
                                  .isolate = c->isolate,
                                  .last = c->last};
    return true;
}

static bool commit_next_tell(struct commit *c, struct commit_action *out,
                             uint64_t now_ms)
{
    struct commit_member *m;
    while ((m = c->chosen) != NULL) {
        enum commit_step step = m->step;
        commit_unlink_chosen(m);
        m->kept = false;
        commit_change_now(m);
        if (step == COMMIT_TAKEN) {
            return commit_give(out, COMMIT_DO_TELL, m);
        }
        if (step == COMMIT_BARRED) {
            return commit_give(out, COMMIT_DO_REFUSED, m);
        }
    }
    commit_enter(c, COMMIT_IDLE, now_ms);
    return false;
}

static bool commit_next_of(struct commit *c, struct commit_action *out,
                           uint64_t now_ms)
{
    switch (c->state) {
    case COMMIT_IDLE:
        return false;
    case COMMIT_FLUSHING:
        return commit_next_flush(c, out, now_ms);
    case COMMIT_TAKING:
        return commit_next_take(c, out, now_ms);
    case COMMIT_SYNCING:
        return commit_next_sync(c, out, now_ms);
    case COMMIT_COMMITTING:
        return commit_next_commit(c, out, now_ms);
    case COMMIT_TELLING:
        return commit_next_tell(c, out, now_ms);
    }
    return false;
}

bool commit_next(struct commit *c, struct commit_action *out, uint64_t now_ms)
{
    if (commit_next_doubt(c, out)) {
        return true;
    }
    enum commit_state before;
    do {
        before = c->state;
        if (commit_next_of(c, out, now_ms)) {
            return true;
        }
    } while (c->state != before && c->state != COMMIT_IDLE);
    return false;
}

bool commit_has_all(const struct commit_member *m)
{
    const struct commit *c = m->c;
    return m->step == COMMIT_OUT && !m->kept && c->ops->is_empty(m->facts) &&
           c->ops->is_empty(m->lot);
}

bool commit_is_clean(const struct commit *c)
{
    if (c->state != COMMIT_IDLE || c->kept != NULL ||
        !c->ops->is_empty(c->facts)) {
        return false;
    }
    const struct commit_member *m = c->moved;
    while (m != NULL && c->ops->is_empty(m->facts) &&
           c->ops->is_empty(m->lot)) {
        m = m->next_moved;
    }
    return m == NULL;
}

bool commit_is_over(const struct commit *c)
{
    return c->last && !c->hurried && commit_is_clean(c);
}
