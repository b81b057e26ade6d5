/* What a seed decides before a run: machines, their options, how bad network, store and days are. */
#include <string.h>

#include "election/lease.h"
#include "sim.h"

static const char *const names[] = {"kind", "harsh", "trim", "cron", "twice", "races", "starved", "frozen", "vanish", "mixed"};

const char *profile_name(enum profile profile) { return names[profile]; }

/* By a chance of its own, so that a seed is the same run under its profile's name. */
static enum profile pick(uint64_t seed) {
    struct chance chance = {.state = ~seed};
    static const enum profile of[] = {PROFILE_KIND, PROFILE_HARSH, PROFILE_HARSH, PROFILE_HARSH,
                                      PROFILE_TRIM, PROFILE_TRIM,  PROFILE_CRON,  PROFILE_FROZEN};
    return of[chance_between(&chance, 0, 7)];
}

static bool has_kind_network(const struct scenario *s) {
    return s->profile == PROFILE_KIND || s->profile == PROFILE_VANISH;
}

static void draw_machine(struct scenario *s, struct chance *c, int i, int64_t ttl_ms) {
    struct election_config *config = &s->config[i];
    config->ttl_ns = ttl_ms * NS_PER_MS;
    int64_t poll_most_ms = ttl_ms / 3 < 20000 ? ttl_ms / 3 : 20000;
    config->poll_ns = chance_between(c, poll_most_ms / 4, poll_most_ms) * NS_PER_MS;
    config->margin_ns = lease_margin_ns(config->ttl_ns);
    config->kill_after_ns = lease_default_kill_after_ns(config->ttl_ns);
    config->request_timeout_ns = lease_default_request_timeout_ns(config->ttl_ns);
    config->look_timeout_ns = 10 * NS_PER_S;
    config->give_up_ns = ELECTION_FOREVER;
    if (!has_kind_network(s) && chance_ppm(c, 200000)) config->give_up_ns = chance_between(c, 0, 120) * NS_PER_S;
    if (s->profile == PROFILE_CRON && chance_ppm(c, 700000)) {
        config->give_up_ns = 0;
        config->hold_ns = chance_spread(c, NS_PER_S, 900 * NS_PER_S);
    }
    config->retention_ns = 3600 * NS_PER_S;
    config->rejoin = chance_ppm(c, 500000);
    config->conflict_exit_code = 124;
    s->stop_timeout_ns[i] = chance_ppm(c, 500000) ? INT64_MAX : chance_between(c, 1, 30) * NS_PER_S;
    if (has_kind_network(s)) s->stop_timeout_ns[i] = NS_PER_S;
    /* At most 2 % between any two clocks: what the protocol rests on. */
    s->drift_ppm[i] = chance_ppm(c, 500000) ? chance_between(c, -9900, 9900) : chance_ppm(c, 500000) ? 9900 : -9900;
}

static void draw_machines(struct scenario *s, struct chance *c) {
    s->machines = (int)chance_between(c, 2, MACHINES_MAX);
    int64_t most_ms = chance_ppm(c, 100000) ? 600000 : chance_ppm(c, 500000) ? 30000 : 8000;
    int64_t ttl_ms = chance_between(c, 2000, most_ms);
    bool mixed = chance_ppm(c, 300000);
    for (int i = 0; i < s->machines; i++) draw_machine(s, c, i, mixed ? chance_between(c, 2000, most_ms) : ttl_ms);
    s->restarts_at_once = chance_ppm(c, 300000);
    s->restart_most_ns = chance_spread(c, NS_PER_S, 60 * NS_PER_S);
    s->command_least_ns = 100 * NS_PER_MS;
    s->command_most_ns = chance_spread(c, ttl_ms * NS_PER_MS, 40 * ttl_ms * NS_PER_MS);
    s->fault_every_ns = chance_spread(c, ttl_ms * NS_PER_MS / 2, 20 * ttl_ms * NS_PER_MS);
    s->pause_most_ns = chance_spread(c, ttl_ms * NS_PER_MS, 4 * 3600 * NS_PER_S);
}

/* A chance that is nought in some runs, and anything up to most in the others. */
static int64_t some(struct chance *c, int64_t most_ppm) {
    return chance_ppm(c, 300000) ? 0 : chance_spread(c, 1 + most_ppm / 1000, most_ppm);
}

static void draw_bad_network(struct scenario *s, struct chance *c) {
    int64_t ttl_ns = s->config[0].ttl_ns;
    s->late_ppm = some(c, 100000);
    s->late_most_ns = chance_spread(c, ttl_ns / 4, 2 * 3600 * NS_PER_S);
    s->lose_ppm = some(c, 100000);
    s->error_ppm = some(c, 100000);
    s->refuse_ppm = some(c, 5000);
    s->garbage_ppm = some(c, 20000);
    s->cut_off_ppm = some(c, 500);
    s->again_ppm = some(c, 100000);
    s->again_most_ns = chance_spread(c, 10 * NS_PER_MS, 2 * 3600 * NS_PER_S);
}

static void draw_bad_store(struct scenario *s, struct chance *c) {
    s->store_drift_ppm = chance_between(c, -9900, 9900);
    s->modified_skew_ms = chance_ppm(c, 500000) ? 0 : chance_between(c, 0, 14000);
    s->modified_whole_seconds = chance_ppm(c, 500000);
    s->date_lies = chance_ppm(c, 300000);
    if (s->date_lies && chance_ppm(c, 500000)) s->date_off_ms = chance_between(c, -3600, 3600) * MS_PER_S;
    s->trims_from_the_top = chance_ppm(c, 500000);
    s->stale_ppm = chance_ppm(c, 300000) ? 0 : chance_between(c, 0, 1000000);
    s->stale_unevenly = chance_ppm(c, 300000);
    s->stale_most_ns = chance_spread(c, NS_PER_S, 300 * NS_PER_S);
}

/* A retention so short that trimming, late appends and stale reads meet. By the store's clock reads stay fresher than
 * that less a TTL: a look that is older, and a claim after it that takes its time, can meet a slot that was written and
 * trimmed since, and a listing as stale as that shows it as the head (tests/model, case reads-too-stale). */
static void draw_short_retention(struct scenario *s, struct chance *c) {
    int64_t ttl_ns = 0;
    for (int i = 0; i < s->machines; i++) ttl_ns = s->config[i].ttl_ns > ttl_ns ? s->config[i].ttl_ns : ttl_ns;
    if (s->modified_skew_ms > ttl_ns / NS_PER_MS / 8) s->modified_skew_ms = ttl_ns / NS_PER_MS / 8;
    int64_t retention_ns = chance_spread(c, 6 * ttl_ns, 40 * ttl_ns);
    for (int i = 0; i < s->machines; i++) {
        s->config[i].retention_ns = retention_ns;
        s->config[i].look_timeout_ns = retention_ns / 50; /* in reality 10 s of an hour */
    }
    s->stale_most_ns = retention_ns - ttl_ns - retention_ns / 50 - 2 * s->modified_skew_ms * NS_PER_MS - 2 * NS_PER_S;
    s->late_most_ns = chance_spread(c, retention_ns / 4, 4 * retention_ns);
    s->again_most_ns = chance_spread(c, retention_ns / 4, 4 * retention_ns);
    s->pause_most_ns = chance_spread(c, retention_ns / 4, 4 * retention_ns);
    if (chance_ppm(c, 500000)) s->restart_most_ns = chance_spread(c, NS_PER_S, 4 * retention_ns); /* an idle log */
}

/* A guard that looks how late it is stops a sixth of its lease earlier for it, and kills half of kill_after earlier
 * than that: twice a tenth fits in. */
static void draw_late_turns(struct scenario *s, struct chance *c) {
    for (int i = 0; i < s->machines; i++) s->late_turn_ns[i] = chance_between(c, 0, s->config[i].ttl_ns / 10);
}

static void draw_weights(struct scenario *s, struct chance *c) {
    static const int most[FAULTS] = {[FAULT_CRASH] = 10, [FAULT_POWER] = 5,   [FAULT_GUARD] = 5,      [FAULT_PAUSE] = 10,
                               [FAULT_STALL] = 10, [FAULT_SUSPEND] = 5, [FAULT_PARTITION] = 10, [FAULT_STORM] = 3,
                               [FAULT_RESIGN] = 5, [FAULT_SIGNAL] = 5,  [FAULT_FREEZE] = 0};
    static const bool kind[FAULTS] = {
        [FAULT_CRASH] = true, [FAULT_POWER] = true, [FAULT_RESIGN] = true, [FAULT_SIGNAL] = true};
    for (int i = 0; i < FAULTS; i++) {
        s->weight[i] = chance_ppm(c, 300000) ? 0 : (int)chance_between(c, 0, most[i]);
        if (has_kind_network(s) && !kind[i]) s->weight[i] = 0;
    }
    s->weight[FAULT_CRASH]++;
    if (s->profile == PROFILE_FROZEN) s->weight[FAULT_FREEZE] = 5;
    if (s->profile == PROFILE_VANISH) s->weight[FAULT_VANISH] = 10;
}

void scenario_draw(struct scenario *s, enum profile profile, uint64_t seed, int64_t hours) {
    struct chance chance = {.state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1}, *c = &chance;
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->profile = profile == PROFILE_MIXED ? pick(seed) : profile;
    s->length_ns = hours * 3600 * NS_PER_S;
    s->leg_least_ns = chance_between(c, 1, 10) * NS_PER_MS;
    s->leg_most_ns = s->leg_least_ns + chance_between(c, 1, 60) * NS_PER_MS;
    draw_machines(s, c);
    draw_weights(s, c);
    if (has_kind_network(s)) {
        if (s->fault_every_ns < 4 * s->config[0].ttl_ns) s->fault_every_ns = 4 * s->config[0].ttl_ns;
        return;
    }
    draw_bad_network(s, c);
    draw_bad_store(s, c);
    if (s->profile == PROFILE_TRIM) draw_short_retention(s, c);
    if (s->profile == PROFILE_STARVED) draw_late_turns(s, c);
    if (s->profile == PROFILE_TWICE) s->twice = TWICE_ALWAYS;
    if (s->profile != PROFILE_RACES) return;
    s->twice = TWICE_IN_RACES;
    s->race_most_ns = chance_between(c, 1, 30) * NS_PER_MS;
}
