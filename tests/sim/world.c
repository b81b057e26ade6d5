/* The run: the queue of events, the loop over it, trace and failure. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define LOOK_EVERY_NS (NS_PER_S / 2)
#define HEALED_NS     (26 * 60 * NS_PER_S) /* an unreadable head, a TTL, and what they look through */

static bool before(const struct event *a, const struct event *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(struct world *w, const struct event *event) {
    if (w->queued == w->queue_room) {
        w->queue_room = w->queue_room == 0 ? 256 : w->queue_room * 2;
        w->queue = realloc(w->queue, w->queue_room * sizeof *w->queue);
        if (w->queue == NULL) abort();
    }
    size_t i = w->queued++;
    while (i > 0 && before(event, &w->queue[(i - 1) / 2])) {
        w->queue[i] = w->queue[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->queue[i] = *event;
}

static struct event pop(struct world *w) {
    struct event first = w->queue[0], last = w->queue[--w->queued];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->queued) break;
        if (child + 1 < w->queued && before(&w->queue[child + 1], &w->queue[child])) child++;
        if (!before(&w->queue[child], &last)) break;
        w->queue[i] = w->queue[child];
        i = child;
    }
    w->queue[i] = last;
    return first;
}

static bool of_a_proc(enum event_kind kind) {
    return kind == EVENT_TIMEOUT || kind == EVENT_WAKE || kind == EVENT_TOLD_GUARD || kind == EVENT_GUARD_WAKE ||
           kind == EVENT_CHILD || kind == EVENT_GONE || kind == EVENT_RESUME;
}

void world_at(struct world *w, int64_t at_ns, enum event_kind kind, int who, int64_t a, int64_t b) {
    struct event event = {
        .at_ns = at_ns > w->now_ns ? at_ns : w->now_ns, .order = ++w->order, .kind = kind, .who = who, .a = a, .b = b};
    if (of_a_proc(kind)) event.life = w->procs[who].life;
    push(w, &event);
}

void world_trace(struct world *w, const char *format, ...) {
    char line[400];
    int length = snprintf(line, sizeof line, "%12.6f ", (double)(w->now_ns / 1000) / 1e6);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + length, sizeof line - (size_t)length, format, arguments);
    va_end(arguments);
    w->trace(w->trace_context, line);
}

void world_fail(struct world *w, enum sim_exit how, const char *format, ...) {
    if (w->failure != SIM_FINE) return;
    w->failure = how;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(w->failure_text, sizeof w->failure_text, format, arguments);
    va_end(arguments);
    TRACE(w, "FAILED: %s", w->failure_text);
}

int world_init(struct world *w, const struct scenario *scenario) {
    memset(w, 0, sizeof *w);
    w->s = *scenario;
    w->chance.state = scenario->seed ^ UINT64_C(0x5bd1e995a5a5a5a5);
    w->digest = UINT64_C(1469598103934665603);
    if (store_init(&w->store) < 0) return -1;
    for (int i = 0; i < w->s.machines; i++) {
        w->machine[i].proc = -1;
        w->machine[i].clock_start_ns = chance_between(&w->chance, 0, 1000000 * NS_PER_S);
        world_at(w, chance_between(&w->chance, 0, 20 * NS_PER_S), EVENT_RESTART, i, 0, 0);
    }
    world_at(w, chance_between(&w->chance, 1, 2 * w->s.fault_every_ns), EVENT_FAULT, 0, 0, 0);
    world_at(w, LOOK_EVERY_NS, EVENT_LOOK, 0, 0, 0);
    world_at(w, w->s.length_ns, EVENT_HEAL, 0, 0, 0);
    w->idle_most_ns = NEVER;
    return 0;
}

void world_deinit(struct world *w) {
    store_deinit(&w->store);
    free(w->queue);
    free(w->messages);
    free(w->free_messages);
    w->queue = NULL;
    w->messages = NULL;
    w->free_messages = NULL;
}

static void mend(struct world *w, const struct event *e) {
    struct machine *m = &w->machine[e->who];
    if (m->mends != (unsigned)e->a) return;
    if (m->flaps > 0) {
        m->flaps--;
        fault_flap(w, e->who);
        return;
    }
    m->cut_requests = m->cut_answers = false;
    TRACE(w, "machine %d: network whole again", e->who);
}

static void calm(struct world *w) {
    w->storm_ppm = 0;
    w->storm_refuses = false;
}

static void look(struct world *w) {
    check_progress(w);
    world_at(w, w->now_ns + LOOK_EVERY_NS, EVENT_LOOK, 0, 0, 0);
}

static void heal(struct world *w) {
    fault_heal(w);
    world_at(w, w->now_ns + HEALED_NS, EVENT_END, 0, 0, 0);
}

static void end(struct world *w) {
    check_end(w);
    w->ended = true;
}

static void handle(struct world *w, const struct event *e) {
    switch (e->kind) {
    case EVENT_ARRIVE:
        network_arrive(w, (int)e->a);
        break;
    case EVENT_WRITE:
        network_write(w, (int)e->a);
        break;
    case EVENT_ANSWER:
        network_answer(w, (int)e->a);
        break;
    case EVENT_TIMEOUT:
        keeper_timeout(w, e->who, (int)e->a, (unsigned)e->b);
        break;
    case EVENT_WAKE:
        keeper_wake(w, e->who, e->a);
        break;
    case EVENT_TOLD_GUARD:
        if (e->a / GUARD_ORDERS == w->procs[e->who].guards)
            guard_told(w, e->who, (enum guard_event_type)(e->a % GUARD_ORDERS), e->b);
        break;
    case EVENT_GUARD_WAKE:
        guard_woken(w, e->who, e->a);
        break;
    case EVENT_CHILD:
        child_deed(w, e->who, (enum child_deed)e->a, e->b);
        break;
    case EVENT_GONE:
        keeper_gone(w, e->who, (int)e->a, (enum child_end)e->b);
        break;
    case EVENT_RESUME:
        keeper_resume(w, e->who);
        break;
    case EVENT_THAW:
        fault_thaw(w, e->who);
        break;
    case EVENT_RESTART:
        machine_start(w, e->who);
        break;
    case EVENT_FAULT:
        fault_next(w);
        break;
    case EVENT_MEND:
        mend(w, e);
        break;
    case EVENT_CALM:
        calm(w);
        break;
    case EVENT_OPERATOR:
        operator_timeout(w, (unsigned)e->a);
        break;
    case EVENT_LOOK:
        look(w);
        break;
    case EVENT_VANISH:
        vanish(w);
        break;
    case EVENT_HEAL:
        heal(w);
        break;
    case EVENT_END:
        end(w);
        break;
    }
}

static void digest(struct world *w, const struct event *e) {
    uint64_t words[] = {(uint64_t)e->at_ns, (uint64_t)e->kind, (uint64_t)e->who, (uint64_t)e->a, (uint64_t)e->b};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        w->digest = (w->digest ^ words[i]) * UINT64_C(1099511628211);
}

void world_run(struct world *w) {
    while (!w->ended && w->failure == SIM_FINE) {
        assert(w->queued > 0);
        struct event e = pop(w);
        assert(e.at_ns >= w->now_ns);
        w->now_ns = e.at_ns;
        w->counts.events++;
        digest(w, &e);
        if (!of_a_proc(e.kind) || w->procs[e.who].life == e.life) handle(w, &e);
        if (w->s.profile == PROFILE_VANISH) check_two(w);
    }
}
