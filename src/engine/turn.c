/* The lists of a turn and the mail of torrents; see turn.h. */
#include "engine/turn.h"

#include "base/mem.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void turn_ask(struct engine_torrent *st)
{
    commit_move(&st->ledger.member);
}

void turn_touch(struct engine_torrent *st)
{
    if (!st->turn.touched) {
        st->turn.touched = true;
        LL_PREPEND2(st->s->turn.touched, st, turn.next_touched);
    }
    st->turn.told = false;
    turn_ask(st);
}

struct engine_torrent *turn_find(const struct engine *s,
                                 const uint8_t *info_hash)
{
    for (struct engine_torrent *st = s->torrents; st != NULL;
         st = st->hh.next) {
        if (life_has_core(&st->life) &&
            memcmp(st->row.info_hash, info_hash, SHA1_LEN) == 0) {
            return st;
        }
    }
    return NULL;
}

struct engine_torrent *turn_next(struct engine *s)
{
    struct engine_torrent *st = s->turn.touched;
    if (st != NULL) {
        LL_DELETE2(s->turn.touched, st, turn.next_touched);
        st->turn.touched = false;
    }
    return st;
}

void turn_wait(struct engine_torrent **list, struct engine_torrent *st)
{
    if (!st->turn.touched) {
        st->turn.touched = true;
        LL_PREPEND2(*list, st, turn.next_touched);
    }
}

void turn_forget(struct engine_torrent *st)
{
    struct engine *s = st->s;
    struct mail *m;
    if (st->turn.touched) {
        LL_DELETE2(s->turn.touched, st, turn.next_touched);
    }
    st->turn.touched = false;
    heap_remove(&s->turn.due, &st->turn.due);
    while ((m = turn_take_mail(st)) != NULL) {
        free(m);
    }
}

void turn_place_at(struct engine_torrent *st, uint64_t at_ms)
{
    if (at_ms == UINT64_MAX) {
        heap_remove(&st->s->turn.due, &st->turn.due);
    } else {
        heap_put(&st->s->turn.due, &st->turn.due, at_ms);
    }
}

uint64_t turn_deadline(const struct engine *s)
{
    const struct heap_node *first = heap_first(&s->turn.due);
    if (first != NULL) {
        return first->key;
    }
    return UINT64_MAX;
}

struct engine_torrent *turn_next_due(struct engine *s, uint64_t now_ms)
{
    struct heap_node *first = heap_first(&s->turn.due);
    if (first == NULL || first->key > now_ms) {
        return NULL;
    }
    heap_remove(&s->turn.due, first);
    void *st = (char *)first - offsetof(struct engine_torrent, turn.due);
    return st;
}

void turn_input(struct engine_torrent *st, const struct event *ev)
{
    if (st->t == NULL) {
        return;
    }
    turn_touch(st);
    torrent_input(st->t, ev, loop_now_ms(st->s->loop), loop_unix_now());
}

void turn_post_event(struct engine_torrent *st, const struct life_event *ev,
                     const char *text)
{
    size_t len = strlen(text);
    struct mail *m = mem_alloc(sizeof(*m) + len + 1);
    m->ev = *ev;
    m->next = NULL;
    memcpy(m->text, text, len + 1);
    LL_APPEND(st->turn.mail, m);
    turn_touch(st);
}

void turn_post(struct engine_torrent *st, enum life_event_type type)
{
    struct life_event ev = {.type = type};
    turn_post_event(st, &ev, "");
}

void turn_post_failed(struct engine_torrent *st, int code, const char *text)
{
    struct life_event ev = {.type = LIFE_FAILED, .code = code};
    turn_post_event(st, &ev, text);
}

struct mail *turn_take_mail(struct engine_torrent *st)
{
    struct mail *m = st->turn.mail;
    if (m != NULL) {
        st->turn.mail = m->next;
    }
    return m;
}

void turn_end(struct engine *s, int status, const char *text)
{
    if (turn_is_ending(s)) {
        return;
    }
    s->end.phase = END_ASKED;
    s->end.status = status;
    (void)snprintf(s->end.error, sizeof(s->end.error), "%s",
                   text != NULL ? text : "");
}

bool turn_is_ending(const struct engine *s)
{
    return s->end.phase != END_NOT;
}
