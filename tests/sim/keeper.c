/* One keeper: the driver of an election core, as the program's event loop is, that can be stopped, delayed and killed
 * at any point. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

static void do_actions(struct world *w, int proc, const struct election_actions *actions);

static struct instant now_of(const struct world *w, int proc) {
    int machine = w->procs[proc].machine;
    return (struct instant){.lease_ns = lease_clock_ns(w, machine), .wait_ns = wait_clock_ns(w, machine)};
}

void proc_free_if_over(struct world *w, int proc) {
    struct proc *p = &w->procs[proc];
    if (!p->used || p->keeper_alive || p->child.alive) return;
    check_requests_over(w, proc);
    for (int i = 0; i < p->inbox_count; i++) {
        if (p->inbox[i].kind == INBOX_ANSWER) message_free(w, p->inbox[i].message);
    }
    p->inbox_count = 0;
    p->used = false;
    p->life++;
    if (w->machine[p->machine].proc == proc) w->machine[p->machine].proc = -1;
}

static int free_proc(const struct world *w) {
    for (int i = 0; i < PROCS_MAX; i++) {
        if (!w->procs[i].used) return i;
    }
    return -1;
}

static void restart_later(struct world *w, int machine) {
    int64_t least_ns = w->s.restarts_at_once ? NS_PER_MS : NS_PER_S;
    world_at(w, w->now_ns + chance_spread(&w->chance, least_ns, w->s.restart_most_ns), EVENT_RESTART, machine, 0, 0);
}

void machine_start(struct world *w, int machine) {
    struct machine *m = &w->machine[machine];
    if (m->proc >= 0 && w->procs[m->proc].keeper_alive) return;
    int proc = free_proc(w);
    if (m->suspended || m->frozen || proc < 0) {
        restart_later(w, machine);
        return;
    }
    struct proc *p = &w->procs[proc];
    unsigned life = p->life + 1;
    memset(p, 0, sizeof *p);
    p->life = life;
    p->used = p->keeper_alive = p->guard_alive = true;
    p->machine = machine;
    struct guard_config guard = {.stop_signal = SIGTERM,
                                 .margin_ns = w->s.config[machine].margin_ns,
                                 .kill_after_ns = w->s.config[machine].kill_after_ns,
                                 .stop_timeout_ns = w->s.stop_timeout_ns[machine]};
    guard_set_looks(&guard, w->s.config[machine].ttl_ns);
    guard_init(&p->guard, &guard);
    m->proc = proc;
    struct election_config config = w->s.config[machine];
    if (w->healed) config.give_up_ns = ELECTION_FOREVER;
    (void)snprintf(config.node, sizeof config.node, "m%d.%u.%d", machine, life, proc);
    election_init(&p->election, &config);
    p->highest_at_step = w->store.highest;
    p->last_step_ns = w->now_ns;
    TRACE(w, "machine %d: proc %d starts", machine, proc);
    struct election_event event = {.type = ELECTION_STARTED};
    keeper_step(w, proc, &event);
}

static void tell_guard(struct world *w, int proc, enum guard_event_type type, int64_t lease_end_ns) {
    int64_t most_ns = w->s.profile == PROFILE_KIND ? NS_PER_MS / 10 : 20 * NS_PER_MS;
    struct proc *p = &w->procs[proc];
    int64_t at_ns = w->now_ns + chance_between(&w->chance, 0, most_ns);
    at_ns += late_turn_ns(w, p->machine);
    if (at_ns > p->told_at_ns) p->told_at_ns = at_ns;
    world_at(w, p->told_at_ns, EVENT_TOLD_GUARD, proc, (int64_t)p->guards * GUARD_ORDERS + type, lease_end_ns);
}

void keeper_dies(struct world *w, int proc, bool restart) {
    struct proc *p = &w->procs[proc];
    p->keeper_alive = false;
    p->died_ns = w->now_ns;
    p->timer++;
    if (p->guard_alive) tell_guard(w, proc, GUARD_KEEPER_GONE, 0);
    if (restart) restart_later(w, p->machine);
    check_disturbed(w);
    proc_free_if_over(w, proc);
}

static void arm(struct world *w, int proc, int64_t wake_in_ns) {
    struct proc *p = &w->procs[proc];
    p->timer++;
    if (wake_in_ns == ELECTION_FOREVER) return;
    int64_t in_ns = wake_in_ns == 0 ? 0 : true_delay_ns(w, p->machine, wake_in_ns) + 1;
    if (in_ns > 10 * NS_PER_S && w->s.profile != PROFILE_KIND) in_ns = in_ns / 10 * 9; /* as clock_arm_timer does */
    world_at(w, w->now_ns + in_ns, EVENT_WAKE, proc, p->timer, 0);
}

void keeper_step(struct world *w, int proc, struct election_event *event) {
    static struct election_actions actions; /* too large for the stack of a deep caller; never kept */
    struct proc *p = &w->procs[proc];
    assert(p->keeper_alive && !p->paused);
    uint64_t nonce[2] = {chance_bits(&w->chance), chance_bits(&w->chance)};
    memcpy(event->nonce, nonce, sizeof nonce);
    event->jitter = (uint32_t)chance_bits(&w->chance);
    event->now = now_of(w, proc);
    enum election_state before = p->election.state;
    election_step(&p->election, event, &actions);
    if (before != p->election.state)
        TRACE(w, "proc %d: %s -> %s (head %lld)", proc, election_state_name(before),
              election_state_name(p->election.state), (long long)p->election.head.seq);
    check_step(w, proc, before);
    if (p->stall_next && actions.count > 0) {
        p->stall_next = false;
        p->pending = actions;
        p->has_pending = p->paused = true;
        p->timer++;
        int64_t pause_ns = chance_spread(&w->chance, 10 * NS_PER_MS, w->s.pause_most_ns);
        world_at(w, w->now_ns + pause_ns, EVENT_RESUME, proc, 0, 0);
        TRACE(w, "proc %d: keeper stopped behind its step for %.3f s", proc, (double)pause_ns / 1e9);
        return;
    }
    int64_t wake_in_ns = actions.wake_in_ns;
    do_actions(w, proc, &actions);
    if (!w->procs[proc].used || !p->keeper_alive) return;
    arm(w, proc, wake_in_ns);
    check_asleep(w, proc, wake_in_ns);
}

static void to_content(struct content *content, const struct slot *slot, int proc) {
    *content = (struct content){.kind = slot->kind, .proc = proc, .size = RECORD_VACANCY_LENGTH};
    if (slot->kind != SLOT_ENTRY) return;
    content->size = 300;
    content->record = slot->record.kind;
    content->token = slot->record.token;
    content->ttl_ms = slot->record.ttl_ms;
    memcpy(content->nonce, slot->record.nonce, RECORD_NONCE_SIZE);
    memcpy(content->node, slot->record.node, NODE_SIZE - 1); /* ours are shorter */
}

static void remember_sent(struct world *w, int proc, const struct election_request *r) {
    struct proc *p = &w->procs[proc];
    if (r->content.kind != SLOT_ENTRY) return;
    const uint8_t *nonce = r->content.record.nonce;
    for (int i = 0; i < SENT_MAX; i++) {
        if (p->sent[i].seq == r->seq && memcmp(p->sent[i].nonce, nonce, RECORD_NONCE_SIZE) == 0) return;
    }
    struct sent *sent = &p->sent[p->sent_count++ % SENT_MAX];
    *sent = (struct sent){.seq = r->seq, .first_sent_ns = lease_clock_ns(w, p->machine)};
    memcpy(sent->nonce, nonce, RECORD_NONCE_SIZE);
}

static void request(struct world *w, int proc, const struct election_request *r) {
    struct proc *p = &w->procs[proc];
    int i = message_new(w);
    struct message *m = &w->messages[i];
    m->proc = proc;
    m->life = p->life;
    m->id = r->id;
    m->lane = r->lane;
    m->op = r->op;
    m->seq = r->seq;
    m->retention_ns = r->retention_ns;
    m->trim_most = r->trim_most;
    check_request(w, proc, r);
    p->requests++;
    if (r->op == LOG_APPEND) {
        to_content(&m->content, &r->content, proc);
        remember_sent(w, proc, r);
        TRACE(w, "proc %d: lane %d append %lld %s", proc, r->lane, (long long)r->seq,
              r->content.kind == SLOT_ENTRY ? record_kind_name(r->content.record.kind) : "vacancy");
    } else {
        TRACE(w, "proc %d: lane %d %s %lld", proc, r->lane,
              r->op == LOG_NEWEST ? "list"
              : r->op == LOG_READ ? "read"
                                  : "trim",
              (long long)r->seq);
    }
    p->busy[r->lane] = r->id;
    p->busy_until_ns[r->lane] = w->now_ns + true_delay_ns(w, p->machine, r->timeout_ns);
    world_at(w, p->busy_until_ns[r->lane], EVENT_TIMEOUT, proc, r->lane, r->id);
    bool claims = r->op == LOG_APPEND && r->content.kind == SLOT_ENTRY && r->content.record.kind == RECORD_CLAIM;
    if (w->s.single_claim && claims && r->lane == LOG_LANE_1) {
        m->outcome = OUTCOME_EXISTS;
        world_at(w, w->now_ns + 4 * w->s.leg_most_ns, EVENT_ANSWER, 0, i, 0);
        return;
    }
    network_send(w, i);
}

static void exits(struct world *w, int proc, int code) {
    TRACE(w, "proc %d: exits with %d", proc, code);
    check_exit(w, proc, code);
    keeper_dies(w, proc, true);
}

static void do_action(struct world *w, int proc, const struct election_action *a) {
    struct proc *p = &w->procs[proc];
    switch (a->type) {
    case ELECTION_REQUEST:
        request(w, proc, &a->request);
        break;
    case ELECTION_START_CHILD:
        TRACE(w, "proc %d: starts its child, token %lld", proc, (long long)a->token);
        p->to_start = a->token;
        check_lease(w, proc, a->lease_end_ns, true);
        p->child_wanted = true;
        p->end_said = false;
        assert(p->guard_alive);
        tell_guard(w, proc, GUARD_TOLD_START, a->lease_end_ns);
        break;
    case ELECTION_EXTEND:
        check_lease(w, proc, a->lease_end_ns, false);
        if (p->guard_alive) tell_guard(w, proc, GUARD_TOLD_EXTEND, a->lease_end_ns);
        break;
    case ELECTION_STOP_CHILD:
        if (p->guard_alive) tell_guard(w, proc, a->stop == STOP_LOST ? GUARD_TOLD_LOST : GUARD_TOLD_SHUTDOWN, 0);
        break;
    case ELECTION_REPORT:
        check_report(w, proc, a);
        break;
    case ELECTION_EXIT:
        exits(w, proc, a->exit_code);
        break;
    }
}

static void do_actions(struct world *w, int proc, const struct election_actions *actions) {
    unsigned life = w->procs[proc].life;
    for (size_t i = 0; i < actions->count; i++) {
        if (w->procs[proc].life != life || !w->procs[proc].keeper_alive) return;
        do_action(w, proc, &actions->item[i]);
    }
}

static void to_slot(struct slot *slot, const struct content *content, int64_t seq) {
    slot->kind = content->kind;
    if (content->kind != SLOT_ENTRY) return;
    slot->record.kind = content->record;
    slot->record.seq = seq;
    slot->record.token = content->token;
    slot->record.ttl_ms = content->ttl_ms;
    memcpy(slot->record.nonce, content->nonce, RECORD_NONCE_SIZE);
    (void)snprintf(slot->record.node, sizeof slot->record.node, "%s", content->node);
}

static void step_answer(struct world *w, int message) {
    struct message *m = &w->messages[message];
    int proc = m->proc;
    struct log_answer answer = {.id = m->id, .lane = m->lane, .op = m->op, .outcome = m->outcome, .seq = m->seq};
    if (m->outcome == OUTCOME_DONE) {
        answer.listing = m->listing;
        if (m->op == LOG_READ) to_slot(&answer.slot, &m->content, m->seq);
    }
    message_free(w, message);
    struct election_event event = {.type = ELECTION_ANSWERED, .answer = &answer};
    keeper_step(w, proc, &event);
}

static void put_in_inbox(struct world *w, int proc, const struct inbox_item *item) {
    struct proc *p = &w->procs[proc];
    assert(p->inbox_count < INBOX_MAX);
    p->inbox[p->inbox_count++] = *item;
}

void keeper_answer(struct world *w, int message) {
    struct message *m = &w->messages[message];
    struct proc *p = &w->procs[m->proc];
    if (p->busy[m->lane] != m->id) { /* aborted, or timed out: the connection is gone */
        message_free(w, message);
        return;
    }
    p->busy[m->lane] = 0;
    TRACE(w, "proc %d: lane %d answer to %u: %d", m->proc, m->lane, m->id, (int)m->outcome);
    if (p->paused)
        put_in_inbox(w, m->proc, &(struct inbox_item){.kind = INBOX_ANSWER, .message = message});
    else
        step_answer(w, message);
}

void keeper_timeout(struct world *w, int proc, int lane, unsigned id) {
    struct proc *p = &w->procs[proc];
    if (!p->keeper_alive || p->busy[lane] != id || p->paused) return;
    p->busy[lane] = 0;
    TRACE(w, "proc %d: lane %d request %u timed out", proc, lane, id);
    struct log_answer answer = {
        .id = id, .lane = lane, .op = p->election.lane[lane & 1].op, .outcome = OUTCOME_UNKNOWN};
    if (lane == LOG_LANE_TRIM) answer.op = LOG_TRIM;
    struct election_event event = {.type = ELECTION_ANSWERED, .answer = &answer};
    keeper_step(w, proc, &event);
}

static void step_gone(struct world *w, int proc, int exit_code, enum child_end end) {
    w->procs[proc].child_wanted = false;
    if (!w->procs[proc].guard_alive) guard_made(w, proc);
    struct election_event event = {.type = ELECTION_CHILD_GONE, .child_exit_code = exit_code, .child_end = end};
    keeper_step(w, proc, &event);
}

void keeper_gone(struct world *w, int proc, int exit_code, enum child_end end) {
    struct proc *p = &w->procs[proc];
    if (!p->keeper_alive) return;
    if (p->paused)
        put_in_inbox(w, proc, &(struct inbox_item){.kind = INBOX_GONE, .exit_code = exit_code, .end = end});
    else
        step_gone(w, proc, exit_code, end);
}

static void step_signal(struct world *w, int proc) {
    struct election_event event = {.type = ELECTION_SIGNALLED, .signal = SIGTERM};
    keeper_step(w, proc, &event);
}

void keeper_signal(struct world *w, int proc) {
    struct proc *p = &w->procs[proc];
    if (p->paused) {
        for (int i = 0; i < p->inbox_count; i++) {
            if (p->inbox[i].kind == INBOX_SIGNAL) return;
        }
        put_in_inbox(w, proc, &(struct inbox_item){.kind = INBOX_SIGNAL});
    } else {
        step_signal(w, proc);
    }
}

void keeper_wake(struct world *w, int proc, int64_t timer) {
    struct proc *p = &w->procs[proc];
    if (!p->keeper_alive || p->paused || p->timer != timer) return;
    struct election_event event = {.type = ELECTION_TICKED};
    keeper_step(w, proc, &event);
}

static bool may_step(const struct world *w, int proc, unsigned life) {
    const struct proc *p = &w->procs[proc];
    return p->used && p->life == life && p->keeper_alive && !p->paused;
}

/* What came in meanwhile, in any order. */
static void empty_inbox(struct world *w, int proc, unsigned life) {
    struct proc *p = &w->procs[proc];
    while (may_step(w, proc, life) && p->inbox_count > 0) {
        int i = (int)chance_between(&w->chance, 0, p->inbox_count - 1);
        struct inbox_item item = p->inbox[i];
        p->inbox[i] = p->inbox[--p->inbox_count];
        switch (item.kind) {
        case INBOX_ANSWER:
            step_answer(w, item.message);
            break;
        case INBOX_GONE:
            step_gone(w, proc, item.exit_code, item.end);
            break;
        case INBOX_SIGNAL:
            step_signal(w, proc);
            break;
        }
    }
}

void keeper_resume(struct world *w, int proc) {
    struct proc *p = &w->procs[proc];
    const struct machine *m = &w->machine[p->machine];
    if (!p->keeper_alive || !p->paused || m->suspended || m->frozen) return;
    unsigned life = p->life;
    p->paused = false;
    TRACE(w, "proc %d: keeper goes on", proc);
    if (p->has_pending) {
        static struct election_actions pending; /* as above */
        pending = p->pending;
        p->has_pending = false;
        do_actions(w, proc, &pending);
    }
    bool timer_first = chance_ppm(&w->chance, 500000);
    struct election_event tick = {.type = ELECTION_TICKED};
    if (timer_first && may_step(w, proc, life)) keeper_step(w, proc, &tick);
    empty_inbox(w, proc, life);
    for (int lane = 0; lane < LANES_EVER && may_step(w, proc, life); lane++) {
        if (p->busy[lane] != 0 && w->now_ns >= p->busy_until_ns[lane]) keeper_timeout(w, proc, lane, p->busy[lane]);
    }
    if (may_step(w, proc, life)) keeper_step(w, proc, &tick);
}
