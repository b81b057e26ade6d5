/* The guard's surroundings: the command that it runs, the socket to its keeper, its timer, and its death. What the
 * guard decides is lib/process/guard_step.c, the shipped one. */
#include <assert.h>
#include <signal.h>

#include "sim.h"

#define KILL_MOST_NS   (180 * NS_PER_MS) /* a bomb of 400 processes */
#define LATE_MOST_NS   (20 * NS_PER_MS)  /* how late a timer or a report is */
#define KEEPER_KILL_NS (5 * NS_PER_MS)   /* the keeper kills what a dead guard left */

static void take(struct world *w, int proc, struct guard_event event);

static bool asleep(const struct world *w, int proc) {
    const struct machine *m = &w->machine[w->procs[proc].machine];
    return m->suspended || m->frozen;
}

static void launch(struct world *w, int proc, int64_t token) {
    struct proc *p = &w->procs[proc];
    struct child *c = &p->child;
    *c = (struct child){.alive = true, .id = ++w->next_child, .token = token, .spawned_ns = w->now_ns};
    int64_t runs_ns = chance_spread(&w->chance, w->s.command_least_ns, w->s.command_most_ns);
    c->dies_ns = NEVER;
    c->after_term_ns = chance_spread(&w->chance, NS_PER_MS, 2 * p->guard.config.kill_after_ns + NS_PER_S);
    if (chance_ppm(&w->chance, 150000)) c->after_term_ns = NEVER;
    c->leaves_behind = chance_ppm(&w->chance, 100000);
    c->exit_code = chance_ppm(&w->chance, 300000) ? (int)chance_between(&w->chance, 1, 99) : 0;
    w->counts.children++;
    TRACE(w, "proc %d: child %lld runs, token %lld", proc, (long long)c->id, (long long)token);
    bool hangs = chance_ppm(&w->chance, 50000);
    if (!hangs) world_at(w, w->now_ns + runs_ns, EVENT_CHILD, proc, CHILD_MAIN_ENDS, c->id);
    check_spawn(w, proc);
}

static void die_at(struct world *w, int proc, int64_t at_ns) {
    struct child *c = &w->procs[proc].child;
    if (!c->alive || at_ns >= c->dies_ns) return;
    c->dies_ns = at_ns;
    world_at(w, at_ns, EVENT_CHILD, proc, CHILD_DIES, c->id);
}

static void report_gone(struct world *w, int proc, const struct guard_action *action) {
    struct proc *p = &w->procs[proc];
    enum child_end end = action->out_of_time ? CHILD_OUT_OF_TIME : CHILD_ENDED;
    int64_t at_ns = w->now_ns + chance_between(&w->chance, 0, LATE_MOST_NS / 10);
    p->end_said = true;
    if (p->keeper_alive) world_at(w, at_ns, EVENT_GONE, proc, action->exit_code, end);
}

static void do_deed(struct world *w, int proc, const struct guard_action *action) {
    struct child *c = &w->procs[proc].child;
    switch (action->type) {
    case GUARD_LAUNCH:
        launch(w, proc, action->token);
        break;
    case GUARD_SIGNAL_COMMAND:
        if (action->signal != SIGCONT && c->alive && c->after_term_ns != NEVER)
            world_at(w, w->now_ns + c->after_term_ns, EVENT_CHILD, proc, CHILD_MAIN_ENDS, c->id);
        break;
    case GUARD_SIGNAL_REST:
        if (c->after_term_ns != NEVER) die_at(w, proc, w->now_ns + c->after_term_ns);
        break;
    case GUARD_KILL:
        die_at(w, proc,
               w->now_ns + chance_between(&w->chance, 0, KILL_MOST_NS) + late_turn_ns(w, w->procs[proc].machine));
        break;
    case GUARD_REPORT:
        report_gone(w, proc, action);
        break;
    case GUARD_SIGNAL_GROUP:
    case GUARD_LEAVE:
        break;
    }
}

static void rearm(struct world *w, int proc, int64_t wake_ns) {
    struct proc *p = &w->procs[proc];
    p->guard_timer++;
    if (wake_ns == GUARD_NEVER) return;
    int64_t at_ns = when_lease_shows(w, p->machine, wake_ns) + chance_between(&w->chance, 0, LATE_MOST_NS);
    at_ns += late_turn_ns(w, p->machine);
    world_at(w, at_ns, EVENT_GUARD_WAKE, proc, p->guard_timer, 0);
}

static void take(struct world *w, int proc, struct guard_event event) {
    struct proc *p = &w->procs[proc];
    struct guard_actions actions;
    event.now_ns = lease_clock_ns(w, p->machine);
    guard_step(&p->guard, &event, &actions);
    for (size_t i = 0; i < actions.count; i++) do_deed(w, proc, &actions.item[i]);
    rearm(w, proc, actions.wake_ns);
}

static void tick(struct world *w, int proc) { take(w, proc, (struct guard_event){.type = GUARD_TICKED}); }

static void read_told(struct world *w, int proc, enum guard_event_type type, int64_t lease_end_ns) {
    take(w, proc,
         (struct guard_event){
             .type = type, .token = w->procs[proc].to_start, .lease_end_ns = lease_end_ns, .signal = SIGTERM});
}

void guard_told(struct world *w, int proc, enum guard_event_type type, int64_t lease_end_ns) {
    struct proc *p = &w->procs[proc];
    if (!p->guard_alive) return;
    if (asleep(w, proc)) { /* read on waking */
        assert(p->told_count < TOLD_MAX);
        p->told[p->told_count++] = (struct told){.type = type, .lease_end_ns = lease_end_ns};
        return;
    }
    read_told(w, proc, type, lease_end_ns);
    tick(w, proc);
}

void guard_woken(struct world *w, int proc, int64_t timer) {
    struct proc *p = &w->procs[proc];
    if (p->guard_alive && p->guard_timer == timer && !asleep(w, proc)) tick(w, proc);
}

static void main_ended(struct world *w, int proc) {
    struct child *c = &w->procs[proc].child;
    if (c->main_ended) return;
    c->main_ended = true;
    if (!w->procs[proc].guard_alive) return;
    take(w, proc, (struct guard_event){.type = GUARD_COMMAND_ENDED, .exit_code = c->exit_code});
    tick(w, proc); /* as every turn ends */
}

static void all_dead(struct world *w, int proc) {
    struct proc *p = &w->procs[proc];
    main_ended(w, proc);
    check_dead(w, proc);
    p->child.alive = false;
    TRACE(w, "proc %d: child %lld is dead", proc, (long long)p->child.id);
    if (p->guard_alive)
        take(w, proc, (struct guard_event){.type = GUARD_ALL_DEAD});
    else if (p->keeper_alive)
        world_at(w, w->now_ns, EVENT_GONE, proc, 125, CHILD_GUARD_LOST);
    proc_free_if_over(w, proc);
}

void child_deed(struct world *w, int proc, enum child_deed deed, int64_t child) {
    struct proc *p = &w->procs[proc];
    if (!p->child.alive || p->child.id != child) return;
    if (asleep(w, proc)) {
        world_at(w, w->now_ns + NS_PER_S, EVENT_CHILD, proc, deed, child);
    } else if (deed == CHILD_DIES) {
        all_dead(w, proc);
    } else {
        main_ended(w, proc);
        if (!p->child.leaves_behind) all_dead(w, proc);
    }
}

/* At once, without a trace of it in the log: its machine is gone. */
void child_vanishes(struct world *w, int proc) {
    struct proc *p = &w->procs[proc];
    p->guard_alive = false;
    if (!p->child.alive) return;
    check_dead(w, proc);
    p->child.alive = false;
}

void guard_made(struct world *w, int proc) {
    struct proc *p = &w->procs[proc];
    struct guard_config config = p->guard.config;
    guard_init(&p->guard, &config);
    p->guard_alive = true;
    p->guards++;
    p->told_count = 0;
}

void guard_killed(struct world *w, int proc) {
    struct proc *p = &w->procs[proc];
    p->guard_alive = false;
    p->guard_timer++;
    if (!p->child.alive && !p->child_wanted && p->keeper_alive) guard_made(w, proc);
    if (p->child.alive)
        die_at(w, proc, w->now_ns + chance_between(&w->chance, 1, KEEPER_KILL_NS));
    else if (p->child_wanted && !p->end_said) /* its start was under way */
        world_at(w, w->now_ns, EVENT_GONE, proc, 125, CHILD_GUARD_LOST);
}

/* Its machine goes on: guard first, and what it kills gets no turn any more. */
void guard_wakes_up(struct world *w, int proc) {
    struct proc *p = &w->procs[proc];
    if (p->guard_alive) {
        for (int i = 0; i < p->told_count; i++) read_told(w, proc, p->told[i].type, p->told[i].lease_end_ns);
        p->told_count = 0;
        tick(w, proc);
    }
    bool dies = p->child.dies_ns <= w->now_ns || (p->guard_alive && p->guard.state == GUARD_KILLING);
    if (!p->child.alive || !dies) return;
    p->child.slept_past = true;
    all_dead(w, proc);
}
