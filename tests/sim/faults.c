/* What befalls machines, network and store, and the operator who resigns leaders. */
#include <string.h>

#include "sim.h"

static int64_t how_long_ns(struct world *w) { return chance_spread(&w->chance, 10 * NS_PER_MS, w->s.pause_most_ns); }

static struct proc *keeper_on(struct world *w, int machine) {
    int proc = w->machine[machine].proc;
    return proc >= 0 && w->procs[proc].keeper_alive ? &w->procs[proc] : NULL;
}

static void each_guard_wakes(struct world *w, int machine) {
    for (int i = 0; i < PROCS_MAX; i++) {
        if (w->procs[i].used && w->procs[i].machine == machine) guard_wakes_up(w, i);
    }
}

static void fall_asleep(struct world *w, int machine, bool freezes) {
    struct machine *m = &w->machine[machine];
    if (m->suspended || m->frozen) return;
    int64_t length_ns = how_long_ns(w);
    m->asleep_since_ns = w->now_ns;
    m->suspended = !freezes;
    m->frozen = freezes;
    m->frozen_deaf_clock = freezes && chance_ppm(&w->chance, 500000);
    for (int i = 0; i < PROCS_MAX; i++) {
        struct proc *p = &w->procs[i];
        if (!p->used || p->machine != machine) continue;
        p->paused = true;
        p->timer++;
        if (freezes) p->frozen_once = true;
    }
    TRACE(w, "machine %d: %s for %.3f s", machine, freezes ? "frozen whole" : "suspended", (double)length_ns / 1e9);
    world_at(w, w->now_ns + length_ns, EVENT_THAW, machine, 0, 0);
}

void fault_thaw(struct world *w, int machine) {
    struct machine *m = &w->machine[machine];
    if (!m->suspended && !m->frozen) return;
    int64_t length_ns = w->now_ns - m->asleep_since_ns;
    if (m->suspended) m->suspended_ns += length_ns;
    if (m->frozen && m->frozen_deaf_clock) m->stopped_ns += length_ns;
    m->suspended = m->frozen = false;
    TRACE(w, "machine %d: goes on", machine);
    each_guard_wakes(w, machine);
    check_thawed(w, machine);
    if (m->proc >= 0) world_at(w, w->now_ns, EVENT_RESUME, m->proc, 0, 0);
}

static void pause_keeper(struct world *w, int machine) {
    struct proc *p = keeper_on(w, machine);
    if (p == NULL || p->paused) return;
    int64_t length_ns = how_long_ns(w);
    p->paused = true;
    p->timer++;
    world_at(w, w->now_ns + length_ns, EVENT_RESUME, w->machine[machine].proc, 0, 0);
    TRACE(w, "machine %d: keeper stopped for %.3f s", machine, (double)length_ns / 1e9);
}

/* One way, the other, or both; often for about as long as a lease, and again and again. */
static void cut(struct world *w, int machine) {
    struct machine *m = &w->machine[machine];
    bool flaps = chance_ppm(&w->chance, 500000);
    m->flaps = flaps ? (int)chance_between(&w->chance, 1, 12) : 0;
    m->mends++;
    fault_flap(w, machine);
}

void fault_flap(struct world *w, int machine) {
    struct machine *m = &w->machine[machine];
    int64_t what = chance_between(&w->chance, 0, m->flaps > 0 ? 3 : 2);
    int64_t lease_ns = w->s.config[machine].ttl_ns;
    int64_t length_ns = m->flaps > 0 ? chance_spread(&w->chance, lease_ns / 100, 2 * lease_ns) : how_long_ns(w);
    m->cut_requests = what == 1 || what == 2;
    m->cut_answers = what == 0 || what == 2;
    world_at(w, w->now_ns + length_ns, EVENT_MEND, machine, m->mends, 0);
    TRACE(w, "machine %d: network cut (%lld)", machine, (long long)what);
}

static void storm(struct world *w) {
    w->storm_ppm = chance_between(&w->chance, 100000, 1000000);
    w->storm_refuses = chance_ppm(&w->chance, 100000);
    world_at(w, w->now_ns + how_long_ns(w), EVENT_CALM, 0, 0, 0);
    TRACE(w, "store: errors from now on");
}

static void power_fails(struct world *w, int machine) {
    struct machine *m = &w->machine[machine];
    if (m->suspended || m->frozen) return;
    TRACE(w, "machine %d: power fails", machine);
    for (int i = 0; i < PROCS_MAX; i++) {
        struct proc *p = &w->procs[i];
        if (!p->used || p->machine != machine) continue;
        child_vanishes(w, i);
        if (p->keeper_alive)
            keeper_dies(w, i, true);
        else
            proc_free_if_over(w, i);
    }
}

static void ask_log(struct world *w, enum log_op op, int64_t seq, const struct content *content) {
    struct operator_job *job = &w->operator_job;
    int i = message_new(w);
    struct message *m = &w->messages[i];
    m->proc = OPERATOR;
    m->op = op;
    m->seq = seq;
    m->id = ++job->id;
    if (content != NULL) m->content = *content;
    world_at(w, w->now_ns + 10 * NS_PER_S, EVENT_OPERATOR, 0, m->id, 0);
    network_send(w, i);
}

static void resign(struct world *w) {
    struct operator_job *job = &w->operator_job;
    if (job->busy) return;
    *job = (struct operator_job){.busy = true, .id = job->id};
    TRACE(w, "operator: resign");
    ask_log(w, LOG_NEWEST, 0, NULL);
}

static void look_again(struct world *w) {
    struct operator_job *job = &w->operator_job;
    job->busy = ++job->tries < 4;
    if (job->busy) ask_log(w, LOG_NEWEST, 0, NULL);
}

static void operator_read(struct world *w, const struct message *m) {
    struct operator_job *job = &w->operator_job;
    const struct content *head = &m->content;
    bool entry = m->outcome == OUTCOME_DONE && head->kind == SLOT_ENTRY;
    if (!entry || head->record == RECORD_EVICT || (job->asked_twice && head->token != job->token)) {
        job->busy = false;
        return;
    }
    job->asked_twice = true;
    job->token = head->token;
    struct content content = {.kind = SLOT_VACANCY, .size = RECORD_VACANCY_LENGTH, .proc = OPERATOR};
    if (head->record != RECORD_HOLD) {
        uint64_t nonce[2] = {chance_bits(&w->chance), chance_bits(&w->chance)};
        content = *head;
        content.record = RECORD_EVICT;
        content.proc = OPERATOR;
        memcpy(content.nonce, nonce, sizeof nonce);
        w->counts.evicts++;
    }
    ask_log(w, LOG_APPEND, m->seq + 1, &content);
}

void operator_answer(struct world *w, struct message *m) {
    struct operator_job *job = &w->operator_job;
    if (!job->busy || m->id != job->id) return;
    switch (m->op) {
    case LOG_NEWEST:
        if (m->outcome == OUTCOME_DONE && !m->listing.empty)
            ask_log(w, LOG_READ, m->listing.head_seq, NULL);
        else
            job->busy = false;
        break;
    case LOG_READ:
        operator_read(w, m);
        break;
    case LOG_APPEND:
    case LOG_TRIM:
        if (m->outcome == OUTCOME_DONE)
            job->busy = false;
        else
            look_again(w);
        break;
    }
}

void operator_timeout(struct world *w, unsigned id) {
    if (w->operator_job.busy && w->operator_job.id == id) look_again(w);
}

static void befall(struct world *w, enum fault fault, int machine) {
    struct proc *p = keeper_on(w, machine);
    bool awake = !w->machine[machine].suspended && !w->machine[machine].frozen;
    switch (fault) {
    case FAULT_CRASH:
        if (p == NULL || !awake) return;
        TRACE(w, "machine %d: keeper killed", machine);
        keeper_dies(w, w->machine[machine].proc, true);
        break;
    case FAULT_POWER:
        power_fails(w, machine);
        break;
    case FAULT_GUARD: /* a keeper that is stopped can't see to the rest: not promised */
        if (p == NULL || !awake || p->paused || !p->guard_alive) return;
        TRACE(w, "machine %d: guard killed", machine);
        guard_killed(w, w->machine[machine].proc);
        break;
    case FAULT_PAUSE:
        pause_keeper(w, machine);
        break;
    case FAULT_STALL:
        if (p != NULL) p->stall_next = true;
        break;
    case FAULT_SUSPEND:
        fall_asleep(w, machine, false);
        break;
    case FAULT_PARTITION:
        cut(w, machine);
        break;
    case FAULT_STORM:
        storm(w);
        break;
    case FAULT_RESIGN:
        resign(w);
        break;
    case FAULT_SIGNAL:
        if (p == NULL) return;
        TRACE(w, "machine %d: keeper told to shut down", machine);
        keeper_signal(w, w->machine[machine].proc);
        check_disturbed(w);
        break;
    case FAULT_FREEZE:
        fall_asleep(w, machine, true);
        break;
    case FAULT_VANISH:
        vanish(w);
        break;
    case FAULTS:
        return;
    }
    w->counts.faults[fault]++;
}

void fault_next(struct world *w) {
    if (w->healed) return;
    int sum = 0;
    for (int i = 0; i < FAULTS; i++) sum += w->s.weight[i];
    int64_t drawn = chance_between(&w->chance, 1, sum);
    int fault = 0;
    while (fault < FAULTS - 1 && (drawn -= w->s.weight[fault]) > 0) fault++;
    befall(w, (enum fault)fault, (int)chance_between(&w->chance, 0, w->s.machines - 1));
    world_at(w, w->now_ns + chance_between(&w->chance, 1, 2 * w->s.fault_every_ns), EVENT_FAULT, 0, 0, 0);
}

void fault_heal(struct world *w) {
    w->healed = true;
    w->storm_ppm = 0;
    w->storm_refuses = false;
    w->children_when_healed = w->counts.children;
    TRACE(w, "everything heals");
    for (int i = 0; i < w->s.machines; i++) {
        struct machine *m = &w->machine[i];
        m->flaps = 0;
        m->cut_requests = m->cut_answers = false;
        fault_thaw(w, i);
        if (m->proc >= 0) {
            w->procs[m->proc].stall_next = false;
            world_at(w, w->now_ns, EVENT_RESUME, m->proc, 0, 0);
        }
        world_at(w, w->now_ns + NS_PER_S, EVENT_RESTART, i, 0, 0);
    }
}
