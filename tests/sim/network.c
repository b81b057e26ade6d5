/* The network between machines and store: loses, delays, reorders and repeats. Also what a store or a proxy answers in
 * place of the truth. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

int message_new(struct world *w) {
    if (w->free_message > 0) {
        int i = w->free_messages[--w->free_message];
        memset(&w->messages[i], 0, sizeof w->messages[i]);
        w->messages[i].used = true;
        return i;
    }
    if (w->messages_count == w->messages_room) {
        w->messages_room = w->messages_room == 0 ? 64 : w->messages_room * 2;
        size_t room = (size_t)w->messages_room;
        w->messages = realloc(w->messages, room * sizeof *w->messages);
        w->free_messages = realloc(w->free_messages, room * sizeof *w->free_messages);
        if (w->messages == NULL || w->free_messages == NULL) abort();
    }
    int i = w->messages_count++;
    memset(&w->messages[i], 0, sizeof w->messages[i]);
    w->messages[i].used = true;
    return i;
}

void message_free(struct world *w, int message) {
    assert(w->messages[message].used);
    w->messages[message].used = false;
    w->free_messages[w->free_message++] = message;
}

static int64_t leg_ns(struct world *w) {
    if (!w->healed && chance_ppm(&w->chance, w->s.late_ppm))
        return chance_spread(&w->chance, w->s.leg_most_ns, w->s.late_most_ns);
    return chance_between(&w->chance, w->s.leg_least_ns, w->s.leg_most_ns);
}

static bool lost(struct world *w) { return !w->healed && chance_ppm(&w->chance, w->s.lose_ppm); }

static const struct machine *machine_of(const struct world *w, const struct message *m) {
    return m->proc == OPERATOR ? NULL : &w->machine[w->procs[m->proc].machine];
}

void network_send(struct world *w, int message) {
    w->counts.requests++;
    struct message *m = &w->messages[message];
    const struct machine *machine = machine_of(w, m);
    m->answer_wanted = true;
    if ((machine != NULL && machine->cut_requests) || lost(w)) {
        message_free(w, message);
        return;
    }
    if (m->op == LOG_APPEND && !w->healed && chance_ppm(&w->chance, w->s.again_ppm)) {
        int again = message_new(w);
        w->messages[again] = w->messages[message]; /* message_new may have moved them */
        bool first_is_answered = chance_ppm(&w->chance, 500000);
        w->messages[first_is_answered ? again : message].answer_wanted = false;
        int64_t later_ns = chance_spread(&w->chance, NS_PER_MS, w->s.again_most_ns);
        world_at(w, w->now_ns + later_ns, EVENT_ARRIVE, 0, again, 0);
    }
    world_at(w, w->now_ns + leg_ns(w), EVENT_ARRIVE, 0, message, 0);
}

static void answer(struct world *w, int message) {
    struct message *m = &w->messages[message];
    const struct machine *machine = machine_of(w, m);
    if (!m->answer_wanted || (machine != NULL && machine->cut_answers) || lost(w)) {
        message_free(w, message);
        return;
    }
    if (!w->healed && chance_ppm(&w->chance, w->s.garbage_ppm)) {
        if (m->op == LOG_READ && m->outcome == OUTCOME_DONE) {
            check_garbled(w, &m->content);
            m->content = (struct content){.kind = SLOT_UNREADABLE, .proc = -2};
        } else {
            m->outcome = OUTCOME_UNKNOWN;
        }
    }
    world_at(w, w->now_ns + leg_ns(w), EVENT_ANSWER, 0, message, 0);
}

void network_arrive(struct world *w, int message) {
    struct message *m = &w->messages[message];
    if (!w->healed && (w->storm_refuses || chance_ppm(&w->chance, w->s.refuse_ppm))) {
        m->outcome = OUTCOME_REFUSED;
        answer(w, message);
        return;
    }
    bool error = !w->healed && chance_ppm(&w->chance, w->s.error_ppm + w->storm_ppm);
    if (error && chance_ppm(&w->chance, 500000)) { /* 409, 429, 503: nothing done */
        m->outcome = OUTCOME_UNKNOWN;
        answer(w, message);
        return;
    }
    if (m->op == LOG_APPEND && w->s.twice == TWICE_IN_RACES && store_find(&w->store, m->seq, w->now_ns) == NULL) {
        int64_t race_ns = chance_between(&w->chance, 0, w->s.race_most_ns);
        world_at(w, w->now_ns + race_ns, EVENT_WRITE, 0, message, 0);
        return;
    }
    store_take(w, m);
    if (error) m->outcome = OUTCOME_UNKNOWN; /* 500: done, and not said */
    answer(w, message);
}

void network_write(struct world *w, int message) {
    store_write(w, &w->messages[message]);
    answer(w, message);
}

void network_answer(struct world *w, int message) {
    struct message *m = &w->messages[message];
    if (m->proc == OPERATOR) {
        struct message copy = *m;
        message_free(w, message);
        operator_answer(w, &copy);
    } else if (w->procs[m->proc].life != m->life || !w->procs[m->proc].keeper_alive) {
        message_free(w, message);
    } else {
        keeper_answer(w, message);
    }
}
