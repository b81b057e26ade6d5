/* What must hold all along: the promise itself (no two children, tokens only grow), the rules that keep it, and, where
 * the network is kind, progress and the number of requests. It keeps books of its own and believes no core. */
#include <string.h>

#include "sim.h"

#define GUARD_LATE_NS (250 * NS_PER_MS) /* its timer, and the killing of a large family */

/* How long past the deadline less the margin, or the keeper's end, somebody may live on machine: where turns come late,
 * until the lease is over. */
static int64_t late_most_ns(const struct world *w, const struct proc *p) {
    return w->s.late_turn_ns[p->machine] == 0 ? GUARD_LATE_NS : p->guard.config.margin_ns;
}

static bool asleep(const struct world *w, int machine) {
    return w->machine[machine].suspended || w->machine[machine].frozen;
}

static bool vanishes(const struct world *w) { return w->s.profile == PROFILE_VANISH; }

static bool checks_rules(const struct world *w) { return w->s.twice == TWICE_NEVER && !w->s.promise_only; }

static void overlap(struct world *w, int a, int b) {
    const struct child *one = &w->procs[a].child, *other = &w->procs[b].child;
    w->counts.overlaps++;
    TRACE(w, "overlap: token %lld and token %lld", (long long)one->token, (long long)other->token);
    if (w->s.twice != TWICE_NEVER) {
        w->counts.twice_overlaps++;
    } else if (w->procs[a].frozen_once || w->procs[b].frozen_once) {
        w->counts.frozen_overlaps++;
    } else if (vanishes(w) && w->vanished_ns > 0) {
        w->counts.twos++; /* check_two() says whether it lasts */
    } else {
        world_fail(w, SIM_BROKEN_PROMISE, "two children at once: token %lld on machine %d, token %lld on machine %d",
                   (long long)one->token, w->procs[a].machine, (long long)other->token, w->procs[b].machine);
    }
}

static void look_for_overlap(struct world *w, int proc) {
    for (int i = 0; i < PROCS_MAX; i++) {
        const struct proc *p = &w->procs[i];
        if (i == proc || !p->used || !p->child.alive || asleep(w, p->machine)) continue;
        overlap(w, proc, i);
        return;
    }
}

static struct lease *lease_of(struct world *w, int proc) {
    for (int i = 0; i < LEASES_MAX; i++) {
        struct lease *l = &w->leases[i];
        if (l->used && l->proc == proc && l->life == w->procs[proc].life && l->token == w->procs[proc].to_start)
            return l;
    }
    return NULL;
}

static void check_no_other_lease(struct world *w, int proc) {
    for (int i = 0; i < LEASES_MAX; i++) {
        const struct lease *l = &w->leases[i];
        if (!l->used || l->released || (l->proc == proc && l->life == w->procs[proc].life)) continue;
        if (w->machine[l->machine].stopped_ns > 0 || w->machine[l->machine].frozen) continue;
        int64_t left_ns = l->end_ns - lease_clock_ns(w, l->machine);
        if (left_ns > 0)
            world_fail(w, SIM_BROKEN_PROMISE, "machine %d leads while the lease of token %lld has %.3f s left",
                       w->procs[proc].machine, (long long)l->token, (double)left_ns / 1e9);
    }
    /* Where Date lies, a hold may be claimed over by a run that ends before it finds that out. */
    if (w->now_ns < w->held_until_ns && !w->s.date_lies)
        world_fail(w, SIM_BROKEN_PROMISE, "a child started behind a hold");
}

void check_spawn(struct world *w, int proc) {
    struct proc *p = &w->procs[proc];
    int64_t gap_ns = w->now_ns - w->idle_since_ns;
    if (w->idle_most_ns != NEVER && gap_ns / NS_PER_MS > w->counts.longest_gap_ms)
        w->counts.longest_gap_ms = gap_ns / NS_PER_MS;
    check_progress(w);
    look_for_overlap(w, proc);
    if (w->s.twice == TWICE_ALWAYS && !w->s.single_claim)
        world_fail(w, SIM_BROKEN_PROMISE, "a child started on a store that creates every object twice");
    if (checks_rules(w) && !p->frozen_once && w->vanished_ns == 0) check_no_other_lease(w, proc);
    if (p->child.token <= w->highest_token && p->frozen_once)
        w->counts.frozen_tokens++;
    else if (p->child.token <= w->highest_token && w->s.twice == TWICE_NEVER && w->vanished_ns == 0)
        world_fail(w, SIM_BROKEN_PROMISE, "token %lld was given out behind %lld", (long long)p->child.token,
                   (long long)w->highest_token);
    if (p->child.token > w->highest_token) w->highest_token = p->child.token;
    int64_t kill_ns = p->guard.lease_end_ns - p->guard.config.margin_ns;
    if (lease_clock_ns(w, p->machine) >= kill_ns)
        world_fail(w, SIM_BROKEN_PROMISE, "a child started past its deadline");
}

void check_thawed(struct world *w, int machine) {
    for (int i = 0; i < PROCS_MAX; i++) {
        if (w->procs[i].used && w->procs[i].machine == machine && w->procs[i].child.alive) look_for_overlap(w, i);
    }
}

void check_dead(struct world *w, int proc) {
    const struct proc *p = &w->procs[proc];
    int64_t past_ns = lease_clock_ns(w, p->machine) - (p->guard.lease_end_ns - p->guard.config.margin_ns);
    if (past_ns > late_most_ns(w, p) && !p->frozen_once && !p->child.slept_past)
        world_fail(w, SIM_BROKEN_PROMISE, "a child on machine %d ran %.3f s past its lease less the margin", p->machine,
                   (double)past_ns / 1e9);
    bool awake = !p->child.slept_past && w->machine[p->machine].suspended_ns == 0 && !p->frozen_once;
    if (!p->keeper_alive && p->guard_alive && awake &&
        w->now_ns - p->died_ns > GUARD_LATE_NS + 2 * w->s.late_turn_ns[p->machine])
        world_fail(w, SIM_BROKEN_PROMISE, "a child on machine %d outlives its keeper by %.3f s", p->machine,
                   (double)(w->now_ns - p->died_ns) / 1e9);
    w->idle_since_ns = w->now_ns;
    check_disturbed(w);
}

/* Whether the store ever created sent's very bytes. */
static bool ever_created(const struct world *w, const struct sent *sent) {
    if (sent->seq < 1 || sent->seq > w->store.highest) return false;
    for (int i = w->store.latest[sent->seq]; i >= 0; i = w->store.objects[i].older) {
        const struct content *c = &w->store.objects[i].content;
        if (c->kind == SLOT_ENTRY && memcmp(c->nonce, sent->nonce, RECORD_NONCE_SIZE) == 0) return true;
    }
    return false;
}

void check_lease(struct world *w, int proc, int64_t lease_end_ns, bool starts) {
    struct proc *p = &w->procs[proc];
    if (!checks_rules(w)) return;
    const struct sent *newest = NULL;
    for (int i = 0; i < SENT_MAX; i++) {
        if (!ever_created(w, &p->sent[i])) continue;
        if (newest == NULL || p->sent[i].first_sent_ns > newest->first_sent_ns) newest = &p->sent[i];
    }
    if (newest == NULL || lease_end_ns > newest->first_sent_ns + p->election.config.ttl_ns)
        world_fail(w, SIM_BROKEN_PROMISE, "machine %d takes its lease for longer than its entry's TTL from the sending",
                   p->machine);
    struct lease *l = lease_of(w, proc);
    if (starts && p->evicted_ns > 0 && w->now_ns - p->evicted_ns < p->election.config.ttl_ns / 100 * 99)
        world_fail(w, SIM_BROKEN_PROMISE, "machine %d doesn't sit out after an evict", p->machine);
    if (starts && p->to_start != p->claimed_seq)
        world_fail(w, SIM_BROKEN_PROMISE, "token %lld isn't the claim's slot %lld", (long long)p->to_start,
                   (long long)p->claimed_seq);
    if (starts) {
        l = &w->leases[w->next_lease++ % LEASES_MAX];
        *l = (struct lease){.used = true, .machine = p->machine, .proc = proc, .life = p->life, .token = p->to_start};
    }
    if (l != NULL) l->end_ns = lease_end_ns;
}

void check_request(struct world *w, int proc, const struct election_request *r) {
    struct proc *p = &w->procs[proc];
    if (r->timeout_ns <= 0) world_fail(w, SIM_BROKEN_PROMISE, "a request without a timeout");
    if (r->op == LOG_TRIM && r->retention_ns != p->election.config.retention_ns)
        world_fail(w, SIM_BROKEN_PROMISE, "trimming within the retention");
    if (r->op != LOG_APPEND) return;
    const struct record *record = &r->content.record;
    bool entry = r->content.kind == SLOT_ENTRY;
    if (entry && record->kind == RECORD_CLAIM) p->claimed_seq = r->seq;
    if (entry && record->kind == RECORD_CLAIM && r->lane == LOG_LANE_0) w->counts.claims++;
    if (!checks_rules(w)) return;
    for (int i = 0; entry && i < SENT_MAX; i++) {
        if (p->sent[i].seq != r->seq && p->sent[i].seq > 0 &&
            memcmp(p->sent[i].nonce, record->nonce, RECORD_NONCE_SIZE) == 0)
            world_fail(w, SIM_BROKEN_PROMISE, "one nonce in two slots");
    }
    if (entry && record->kind != RECORD_HOLD) return;
    if (p->child.alive)
        world_fail(w, SIM_BROKEN_PROMISE, "machine %d frees the lock while its child lives", p->machine);
    struct lease *l = lease_of(w, proc);
    if (l != NULL) l->released = true;
}

static bool waits_for_ever(const struct world *w, int machine) {
    int proc = w->machine[machine].proc;
    if (proc < 0 || !w->procs[proc].keeper_alive) return false;
    const struct election *e = &w->procs[proc].election;
    if (e->state > ELECTION_LEADING || e->signal != 0) return false;
    return e->config.give_up_ns == ELECTION_FOREVER && wait_clock_ns(w, machine) >= e->not_before_ns;
}

static void check_order(struct world *w, const struct object *o) {
    if (o->seq > w->store.highest + 1)
        world_fail(w, SIM_BROKEN_PROMISE, "a gap in the log: slot %lld behind %lld", (long long)o->seq,
                   (long long)w->store.highest);
    if (o->seq > w->store.highest) return;
    w->counts.resurrected++;
    const struct object *before = o->older >= 0 ? &w->store.objects[o->older] : NULL;
    if (before == NULL || before->deleted_ns == INT64_MAX)
        world_fail(w, SIM_BROKEN_PROMISE, "slot %lld was created out of turn", (long long)o->seq);
}

/* A leader is due within the quickest candidate's poll. */
static void check_freed(struct world *w) {
    int64_t poll_ns = NEVER;
    check_progress(w);
    check_disturbed(w);
    for (int i = 0; i < w->s.machines; i++) {
        bool waits = waits_for_ever(w, i) && w->procs[w->machine[i].proc].election.state == ELECTION_WATCHING;
        if (waits && w->s.config[i].poll_ns < poll_ns) poll_ns = w->s.config[i].poll_ns;
    }
    if (poll_ns != NEVER) w->idle_most_ns = poll_ns / 1000 * 1112 + 12 * w->s.leg_most_ns + NS_PER_S / 2;
}

void check_created(struct world *w, const struct object *o) {
    if (w->s.twice == TWICE_NEVER && w->vanished_ns == 0) check_order(w, o);
    if (o->seq < w->store.highest) return; /* late, behind the head: it means nothing any more */
    if (o->content.kind == SLOT_ENTRY && o->content.record == RECORD_HOLD) {
        int64_t slack_ms = o->content.ttl_ms / 40 + 2 * w->s.modified_skew_ms + MS_PER_S;
        w->held_until_ns = w->now_ns + (o->content.ttl_ms - slack_ms) * NS_PER_MS;
        w->counts.holds++;
    }
    if (o->content.kind != SLOT_VACANCY) return;
    w->counts.vacancies++;
    w->held_until_ns = 0;
    if (w->s.profile == PROFILE_KIND) check_freed(w);
}

void check_deleted(struct world *w, const struct object *o) {
    int64_t age_ns = w->now_ns - o->created_ns, least_ns = w->s.config[0].retention_ns;
    least_ns -= least_ns / 50 + w->s.modified_skew_ms * NS_PER_MS + NS_PER_S;
    if (age_ns < least_ns || o->seq + 2 > w->store.highest)
        world_fail(w, SIM_BROKEN_PROMISE, "slot %lld was trimmed too early", (long long)o->seq);
}

/* What can't be read is taken as held for ten minutes, a hold too. */
void check_garbled(struct world *w, const struct content *content) {
    int64_t most_ns = w->now_ns + 590 * NS_PER_S;
    bool hold = content->kind == SLOT_ENTRY && content->record == RECORD_HOLD;
    if (hold && w->held_until_ns > most_ns) w->held_until_ns = most_ns;
}

static void count_exit(struct world *w, int code) {
    static const int codes[] = {0, 123, 124, 125, 128 + 15};
    int i = 0;
    while (i < 5 && codes[i] != code) i++;
    w->counts.exits[i]++;
}

void check_exit(struct world *w, int proc, int code) {
    const struct proc *p = &w->procs[proc];
    count_exit(w, code);
    if (p->child.alive && p->guard_alive) world_fail(w, SIM_BROKEN_PROMISE, "a keeper exits while its child lives");
    if (p->child_wanted) world_fail(w, SIM_BROKEN_PROMISE, "a keeper exits without waiting for its child's end");
    if (code == 124 && p->election.config.give_up_ns == ELECTION_FOREVER && p->child.spawned_ns == 0)
        world_fail(w, SIM_BROKEN_PROMISE, "a keeper that should wait for ever gives up");
    if (w->s.profile == PROFILE_KIND && code == 125) world_fail(w, SIM_NO_PROGRESS, "exit 125 though nothing is wrong");
    check_disturbed(w);
}

void check_report(struct world *w, int proc, const struct election_action *action) {
    TRACE(w, "proc %d: report %d about slot %lld", proc, (int)action->report, (long long)action->seq);
    bool lost = action->report == REPORT_OUT_OF_TIME || action->report == REPORT_LOST_TO ||
                action->report == REPORT_DELETED || action->report == REPORT_WENT_BACK;
    if (action->report == REPORT_DELETED) w->counts.lost_to_deletions++;
    if (w->s.profile == PROFILE_KIND && lost)
        world_fail(w, SIM_NO_PROGRESS, "machine %d lost its leadership though nothing is wrong",
                   w->procs[proc].machine);
    if (action->report == REPORT_EVICTED) w->procs[proc].evicted_ns = w->now_ns;
    if (action->report != REPORT_STORE_UNSAFE) return;
    w->counts.unsafe++;
    /* A claim's slot that is deleted between its two writes is created twice. */
    if (w->s.twice == TWICE_NEVER && (w->vanished_ns == 0 || w->now_ns - w->vanished_ns > 10 * NS_PER_S))
        world_fail(w, SIM_NO_PROGRESS, "a good store was refused by machine %d", w->procs[proc].machine);
}

void check_asleep(struct world *w, int proc, int64_t wake_in_ns) {
    struct proc *p = &w->procs[proc];
    bool waits = p->child_wanted || p->busy[0] != 0 || p->busy[1] != 0 || p->inbox_count > 0;
    if (wake_in_ns == ELECTION_FOREVER && !waits && p->election.state != ELECTION_DONE)
        world_fail(w, SIM_NO_PROGRESS, "proc %d sleeps for ever in state %s", proc,
                   election_state_name(p->election.state));
    p->spins = wake_in_ns == 0 ? p->spins + 1 : 0;
    if (p->spins > 100)
        world_fail(w, SIM_NO_PROGRESS, "proc %d spins in state %s", proc, election_state_name(p->election.state));
}

/* What the design's figures allow for the time since the last step and for what was entered. */
void check_step(struct world *w, int proc, enum election_state before) {
    struct proc *p = &w->procs[proc];
    const struct election_config *config = &p->election.config;
    int64_t passed_ms = (w->now_ns - p->last_step_ns) / NS_PER_MS + 1;
    p->last_step_ns = w->now_ns;
    bool leads = before == ELECTION_LEADING || before == ELECTION_STOPPING;
    if (leads) p->allowed_micro += passed_ms * 1040000 * 4 / (config->ttl_ns / NS_PER_MS);
    if (!leads) p->allowed_micro += (w->store.highest - p->highest_at_step) * 1000000; /* each is read at once */
    p->highest_at_step = w->store.highest;
    if (before == ELECTION_WATCHING) p->allowed_micro += passed_ms * 1130000 / (config->poll_ns / NS_PER_MS);
    if (before == p->election.state) return;
    static const int64_t entered[] = {
        [ELECTION_LOOKING] = 4,  [ELECTION_WATCHING] = 3,  [ELECTION_CLAIMING] = 10, [ELECTION_LEADING] = 3,
        [ELECTION_STOPPING] = 3, [ELECTION_RELEASING] = 4, [ELECTION_DONE] = 0};
    p->allowed_micro += (entered[p->election.state] + entered[before]) * 1000000;
}

void check_requests_over(struct world *w, int proc) {
    const struct proc *p = &w->procs[proc];
    if (w->s.profile != PROFILE_KIND || w->s.promise_only) return;
    int64_t allowed = p->allowed_micro / 1000000 + 20;
    if (p->requests > allowed)
        world_fail(w, SIM_NO_PROGRESS, "proc %d made %lld requests, %lld are allowed", proc, (long long)p->requests,
                   (long long)allowed);
}

/* A leader is due, counted from now, within the longest TTL. */
void check_disturbed(struct world *w) {
    if (w->s.profile != PROFILE_KIND && !vanishes(w)) return;
    int64_t ttl_ns = 0, poll_ns = 0;
    for (int i = 0; i < w->s.machines; i++) {
        if (w->s.config[i].ttl_ns > ttl_ns) ttl_ns = w->s.config[i].ttl_ns;
        if (w->s.config[i].poll_ns > poll_ns) poll_ns = w->s.config[i].poll_ns;
    }
    w->idle_since_ns = w->now_ns;
    w->idle_most_ns = ttl_ns / 1000 * 1032 + poll_ns / 1000 * 1112 + 14 * w->s.leg_most_ns + NS_PER_S / 2;
    /* What lies below an evict may be gone: that is unreadable. And each deletion may make them wait anew, once. */
    if (vanishes(w)) w->idle_most_ns = 2 * w->idle_most_ns + 620 * NS_PER_S;
}

void check_progress(struct world *w) {
    if ((w->s.profile != PROFILE_KIND && !vanishes(w)) || w->healed) return;
    bool waits = false, runs = false;
    for (int i = 0; i < w->s.machines; i++) waits = waits || waits_for_ever(w, i);
    for (int i = 0; i < PROCS_MAX; i++)
        runs = runs || (w->procs[i].used && w->procs[i].child.alive && w->procs[i].child.spawned_ns != w->now_ns);
    if (!waits || runs) check_disturbed(w);
    if (w->now_ns - w->idle_since_ns > w->idle_most_ns)
        world_fail(w, SIM_NO_PROGRESS, "no leader for %.3f s, though one is due within %.3f s",
                   (double)(w->now_ns - w->idle_since_ns) / 1e9, (double)w->idle_most_ns / 1e9);
}

void check_end(struct world *w) {
    if (w->s.twice != TWICE_NEVER || w->s.promise_only) return;
    bool runs = false;
    for (int i = 0; i < PROCS_MAX; i++) runs = runs || (w->procs[i].used && w->procs[i].child.alive);
    if (!runs && w->counts.children == w->children_when_healed)
        world_fail(w, SIM_NO_PROGRESS, "no leader since everything healed");
    for (int i = 0; i < PROCS_MAX; i++) {
        if (w->procs[i].used && w->procs[i].keeper_alive) check_requests_over(w, i);
    }
}
