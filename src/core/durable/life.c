/* The life of a torrent; see life.h. An event first moves the aim (life_take),
 * then the table moves the state. */
#include "core/durable/life.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/num.h"

enum life_rule_to {
    TO_IDLE = LIFE_IDLE,
    TO_LOADING = LIFE_LOADING,
    TO_STAT = LIFE_STAT,
    TO_SCAN = LIFE_SCAN,
    TO_CREATE = LIFE_CREATE,
    TO_RUNNING = LIFE_RUNNING,
    TO_STOPPING = LIFE_STOPPING,
    TO_REMOVING = LIFE_REMOVING,
    TO_DELETING = LIFE_DELETING,
    TO_GONE = LIFE_GONE,
    TO_REST /* where the code says */
};

/* A set of aims. */
enum life_rule_aim {
    IF_REST = 1 << LIFE_AIM_REST,
    IF_RUN = 1 << LIFE_AIM_RUN,
    IF_REMOVE = 1 << LIFE_AIM_REMOVE,
    IF_ANY = IF_REST | IF_RUN | IF_REMOVE
};

struct life_rule {
    enum life_state state;
    enum life_event_type event;
    enum life_rule_aim aim;
    enum life_rule_to to;
    enum life_action action;
};

#define LIFE_RULE(s, e, a, t, d) \
    {LIFE_##s, LIFE_##e, IF_##a, TO_##t, LIFE_DO_##d},
static const struct life_rule life_rules[] = {LIFE_TABLE(LIFE_RULE)};

void life_init(struct life *l, enum wanted wanted, int64_t starts, bool follows)
{
    *l = (struct life){.wanted = wanted, .starts = starts, .follows = follows};
}

bool life_rests(const struct life *l)
{
    return l->state == LIFE_IDLE || l->state == LIFE_WAITING_STORAGE ||
           l->state == LIFE_WAITING_SPACE || l->state == LIFE_ERROR;
}

bool life_is_starting(const struct life *l)
{
    return l->state == LIFE_LOADING || l->state == LIFE_STAT ||
           l->state == LIFE_SCAN || l->state == LIFE_CREATE;
}

bool life_has_core(const struct life *l)
{
    return l->core && l->state != LIFE_STOPPING;
}

bool life_is_over(const struct life *l)
{
    if (l->state == LIFE_RUNNING) {
        return l->finished && l->goal_reached;
    }
    return l->state == LIFE_GONE ||
           (life_rests(l) && (l->aim == LIFE_AIM_REST || l->ending));
}

bool life_awaits_settling(const struct life *l)
{
    bool moves = l->aim != LIFE_AIM_REST && !l->ending;
    return life_rests(l) && (moves || !l->let_go);
}

/* --- the aim --- */

static enum life_aim life_aim_of(const struct life *l)
{
    if (l->ending) {
        return LIFE_AIM_REST;
    }
    switch (l->wanted) {
    case WANTED_RUN:
        return LIFE_AIM_RUN;
    case WANTED_PAUSE:
        return LIFE_AIM_REST;
    case WANTED_REMOVE:
    case WANTED_REMOVE_DATA:
        return LIFE_AIM_REMOVE;
    }
    return LIFE_AIM_REST;
}

/* The journal has been asked to take it away, or its files have gone: the next
 * step of the removal looks at the wish as it stands then. */
static bool life_is_removing(const struct life *l)
{
    return l->state == LIFE_REMOVING || l->state == LIFE_DELETING ||
           l->data_gone;
}

/* A wish as it stands. False: it is no news. */
static bool life_take_wish(struct life *l, const struct life_event *ev)
{
    bool news = ev->wanted != l->wanted ||
                (ev->wanted == WANTED_RUN && ev->starts != l->starts);
    l->wanted = ev->wanted;
    l->starts = ev->starts;
    if (!news || l->ending || life_is_removing(l)) {
        return false;
    }
    l->aim = life_aim_of(l);
    if (l->aim != LIFE_AIM_REMOVE) {
        l->code = 0; /* a new try may tell its error anew */
    }
    return true;
}

/* Begins anew, where that is possible and wished. */
static bool life_take_again(struct life *l)
{
    bool idle = l->state == LIFE_IDLE && l->wanted == WANTED_RUN;
    if (l->ending || l->aim == LIFE_AIM_REMOVE ||
        (!idle && l->state != LIFE_RUNNING)) {
        return false;
    }
    l->aim = LIFE_AIM_RUN;
    return true;
}

static bool life_take_goal(struct life *l, bool reached)
{
    if (l->state == LIFE_RUNNING) {
        l->goal_reached = reached;
        if (reached && l->follows && l->aim == LIFE_AIM_RUN) {
            l->aim = LIFE_AIM_REST;
        }
        return true;
    }
    return !reached && life_take_again(l);
}

/* A core failed. What fails as it stops is the same trouble. */
static uint64_t life_core_wait(struct life *l, uint64_t wait, uint64_t now_ms)
{
    if (l->state == LIFE_STOPPING && l->code != 0) {
        return num_max_u64(wait, l->wait_ms);
    }
    if (now_ms - l->start_ms < l->wait_ms) {
        wait = num_max_u64(wait, 2 * l->wait_ms);
    }
    l->wait_ms = num_min_u64(wait, LIFE_WAIT_MAX_MS);
    return l->wait_ms;
}

static void life_take_code(struct life *l, int code, uint64_t now_ms)
{
    bool ran = l->state == LIFE_RUNNING || l->state == LIFE_STOPPING;
    uint64_t wait = LIFE_ERROR_MS;
    if (code == BTC_E_STORAGE) {
        wait = LIFE_STORAGE_MS;
    } else if (code == BTC_E_NOSPACE) {
        wait = LIFE_SPACE_MS;
    }
    if (ran && code != BTC_E_STORAGE) {
        wait = life_core_wait(l, wait, now_ms);
    }
    l->code = code;
    l->retry_ms = now_ms + wait;
}

/* It cannot go on. What failed for somebody who has meanwhile changed his mind
 * is nobody's trouble, and a run that ends badly does not take the wish for
 * the next one away. */
static bool life_take_failure(struct life *l, int code, uint64_t now_ms)
{
    if (life_is_starting(l) && l->aim != LIFE_AIM_RUN) {
        l->code = 0;
        return true;
    }
    life_take_code(l, code, now_ms);
    if (l->aim == LIFE_AIM_RUN && l->state != LIFE_STOPPING) {
        l->aim = LIFE_AIM_REST;
    }
    return true;
}

/* Something of it stays, so its rows stay: nobody would find it again. */
static bool life_take_removal_failure(struct life *l, int code, uint64_t now_ms)
{
    bool back = l->wanted == WANTED_RUN || l->wanted == WANTED_PAUSE;
    bool rows = l->state == LIFE_DELETING && l->wanted == WANTED_REMOVE;
    if ((back && !l->data_gone) || rows) {
        l->code = 0;
        l->aim = life_aim_of(l);
    } else {
        life_take_code(l, code, now_ms);
        l->aim = LIFE_AIM_REST;
    }
    return true;
}

/* Wished back. Without its files the journal has no claims of it any more. */
static bool life_take_keep(struct life *l, enum wanted wanted)
{
    l->wanted = wanted;
    l->data_gone = false;
    l->code = 0;
    l->aim = life_aim_of(l);
    return true;
}

static bool life_waits(const struct life *l)
{
    return life_rests(l) && l->state != LIFE_IDLE && l->retry_ms > 0 &&
           l->follows && !l->ending && l->aim == LIFE_AIM_REST;
}

/* The storage or the space may be back. */
static bool life_take_retry(struct life *l, uint64_t now_ms)
{
    if (!life_waits(l)) {
        return false;
    }
    l->retry_ms = now_ms + LIFE_STORAGE_MS;
    if (l->data_gone) {
        l->aim = LIFE_AIM_REMOVE;
    } else {
        l->aim = life_aim_of(l);
    }
    return l->aim != LIFE_AIM_REST;
}

static bool life_take_end(struct life *l)
{
    l->ending = true;
    if (!life_is_removing(l)) {
        l->aim = LIFE_AIM_REST;
    }
    return true;
}

/* --- one event --- */

/* What the event says of aim and code. False: it says nothing. */
static bool life_take(struct life *l, const struct life_event *ev,
                      uint64_t now_ms)
{
    switch (ev->type) {
    case LIFE_WISHED:
        return life_take_wish(l, ev);
    case LIFE_AGAIN:
        return life_take_again(l);
    case LIFE_LEARNED:
        return !l->ending;
    case LIFE_ENDING:
        return life_take_end(l);
    case LIFE_CLOCK:
        return now_ms >= l->retry_ms && life_take_retry(l, now_ms);
    case LIFE_BACK:
        return life_take_retry(l, now_ms);
    case LIFE_GOAL_REACHED:
    case LIFE_GOAL_MOVED:
        return life_take_goal(l, ev->type == LIFE_GOAL_REACHED);
    case LIFE_FAILED:
        return life_take_failure(l, ev->code, now_ms);
    case LIFE_KEPT:
        return life_take_keep(l, ev->wanted);
    case LIFE_REMOVAL_FAILED:
        return life_take_removal_failure(l, ev->code, now_ms);
    case LIFE_SETTLED:
        return life_awaits_settling(l);
    case LIFE_ADDED:
        l->aim = life_aim_of(l);
        return true;
    case LIFE_FINISHED:
        l->finished = true;
        return true;
    case LIFE_DELETED:
        l->data_gone = true;
        return true;
    case LIFE_LOADED:
    case LIFE_STATED:
    case LIFE_SCANNED:
    case LIFE_CREATED:
    case LIFE_STOPPED:
    case LIFE_DELETE_DUE:
    case LIFE_ROWS_GONE:
    case LIFE_N_EVENTS:
        break;
    }
    return true;
}

static const struct life_rule *life_find(const struct life *l,
                                         enum life_event_type event)
{
    for (size_t i = 0; i < sizeof life_rules / sizeof life_rules[0]; i++) {
        const struct life_rule *r = &life_rules[i];
        if (r->state == l->state && r->event == event &&
            ((unsigned)r->aim & (1u << l->aim)) != 0) {
            return r;
        }
    }
    return NULL;
}

/* By what ended it. */
static enum life_state life_rest_state(const struct life *l)
{
    switch (l->code) {
    case 0:
        return LIFE_IDLE;
    case BTC_E_STORAGE:
        return LIFE_WAITING_STORAGE;
    case BTC_E_NOSPACE:
        return LIFE_WAITING_SPACE;
    default:
        return LIFE_ERROR;
    }
}

/* The startup ends without START, beside a core that runs. */
static bool life_must_stop(const struct life *l, const struct life_rule *r)
{
    return l->core && life_is_starting(l) &&
           (r->to == TO_REST || r->to == TO_IDLE);
}

/* Where a rule leads. */
static void life_move(struct life *l, const struct life_rule *r)
{
    l->action = r->action;
    if (life_must_stop(l, r)) {
        l->state = LIFE_STOPPING;
        l->action = LIFE_DO_STOP;
    } else if (r->to == TO_REST) {
        l->state = life_rest_state(l);
    } else {
        l->state = (enum life_state)r->to;
    }
}

/* What a new state and an action mean beside themselves. */
static void life_enter(struct life *l, const struct life_rule *r,
                       uint64_t now_ms)
{
    life_move(l, r);
    if (r->event == LIFE_STOPPED) {
        l->core = false;
    }
    switch (r->action) {
    case LIFE_DO_LOAD:
        l->let_go = l->finished = l->goal_reached = false;
        break;
    case LIFE_DO_START:
        l->code = 0; /* what it waited for has come */
        l->retry_ms = 0;
        l->start_ms = now_ms;
        l->core = true;
        break;
    case LIFE_DO_LET_GO:
        l->let_go = true;
        break;
    case LIFE_DO_NOTHING:
    case LIFE_DO_STAT:
    case LIFE_DO_SCAN:
    case LIFE_DO_CREATE:
    case LIFE_DO_STOP:
    case LIFE_DO_ASK:
    case LIFE_DO_DELETE:
    case LIFE_DO_FORGET:
        break;
    }
}

/* An event that moves the aim or notes something needs no rule. */
static bool life_is_note(enum life_event_type type)
{
    return type == LIFE_WISHED || type == LIFE_AGAIN || type == LIFE_ENDING ||
           type == LIFE_CLOCK || type == LIFE_BACK || type == LIFE_GOAL_MOVED;
}

bool life_input(struct life *l, const struct life_event *ev, uint64_t now_ms)
{
    const struct life before = *l;
    BTC_ASSERT(l->action == LIFE_DO_NOTHING);
    bool taken = life_take(l, ev, now_ms);
    const struct life_rule *r = NULL;
    if (taken) {
        r = life_find(l, ev->type);
    }
    if (r != NULL) {
        life_enter(l, r, now_ms);
    } else if (!life_is_note(ev->type)) {
        *l = before;
        return false;
    }
    if (l->state != before.state || l->code != before.code ||
        l->aim != before.aim) {
        l->told = false;
    }
    return taken;
}

enum life_action life_next_action(struct life *l)
{
    enum life_action action = l->action;
    l->action = LIFE_DO_NOTHING;
    return action;
}

bool life_takes_news(struct life *l)
{
    bool news = !l->told;
    l->told = true;
    return news;
}

uint64_t life_deadline(const struct life *l)
{
    if (life_waits(l)) {
        return l->retry_ms;
    }
    return UINT64_MAX;
}
