/* Slots that somebody deletes, and what is promised then: of two children at once one ends within 4/3 TTL and the
 * requests that find it out, counted from when there were two, or from a deletion since; and somebody leads again. */
#include "sim.h"

#define MORE_PPM 400000                    /* often one deletion isn't all */
#define SLACK_NS (NS_PER_S + NS_PER_S / 4) /* backoff between two askings, late timers, killing */

static int64_t longest_ttl_ns(const struct world *w) {
    int64_t ttl_ns = 0;
    for (int i = 0; i < w->s.machines; i++) ttl_ns = w->s.config[i].ttl_ns > ttl_ns ? w->s.config[i].ttl_ns : ttl_ns;
    return ttl_ns;
}

static bool goes(struct world *w, enum vanish how, int64_t seq, int64_t newest) {
    switch (how) {
    case VANISH_ALL:
        return true;
    case VANISH_SOME:
        return chance_ppm(&w->chance, 500000);
    case VANISH_NEWEST:
        return seq == newest;
    case VANISH_NEWER:
        return seq + chance_between(&w->chance, 1, 20) > newest;
    case VANISHES:
        break;
    }
    return false;
}

void vanish(struct world *w) {
    enum vanish how = (enum vanish)chance_between(&w->chance, 0, VANISHES - 1);
    int64_t newest = w->store.top, gone = 0;
    if (w->healed) return;
    for (int64_t seq = newest; seq >= 1; seq--) {
        if (store_find(&w->store, seq, w->now_ns) == NULL || !goes(w, how, seq, newest)) continue;
        store_forget(w, seq);
        gone++;
    }
    TRACE(w, "somebody deletes %lld slots (%d), the newest was %lld", (long long)gone, (int)how, (long long)newest);
    if (gone == 0) return;
    w->vanished_ns = w->now_ns;
    if (!chance_ppm(&w->chance, MORE_PPM)) return;
    world_at(w, w->now_ns + chance_spread(&w->chance, NS_PER_MS, 2 * longest_ttl_ns(w)), EVENT_VANISH, 0, 0, 0);
}

/* A renewal must first be there again (or several lead in turn, until it is); lists are a TTL apart, by the slowest
 * clock. Then two listings with a reading each, and the time that a lost child has to stop. */
static int64_t most_ns(const struct world *w) {
    int64_t ttl_ns = longest_ttl_ns(w), kill_after_ns = 0;
    for (int i = 0; i < w->s.machines; i++) {
        if (w->s.config[i].kill_after_ns > kill_after_ns) kill_after_ns = w->s.config[i].kill_after_ns;
    }
    return ttl_ns / 3 + ttl_ns + ttl_ns / 100 + kill_after_ns + 8 * w->s.leg_most_ns + SLACK_NS;
}

void check_two(struct world *w) {
    int children = 0;
    for (int i = 0; i < PROCS_MAX; i++) children += w->procs[i].used && w->procs[i].child.alive;
    if (children < 2) {
        w->two_since_ns = 0;
        return;
    }
    if (w->two_since_ns == 0) w->two_since_ns = w->now_ns;
    int64_t from_ns = w->vanished_ns > w->two_since_ns ? w->vanished_ns : w->two_since_ns;
    int64_t ms = (w->now_ns - from_ns) * 1000 / longest_ttl_ns(w);
    if (ms > w->counts.longest_two) w->counts.longest_two = ms;
    if (w->now_ns - from_ns > most_ns(w))
        world_fail(w, SIM_BROKEN_PROMISE, "%d children at once for %.3f s, %.3f s are allowed (TTL %.3f s)", children,
                   (double)(w->now_ns - from_ns) / 1e9, (double)most_ns(w) / 1e9, (double)longest_ttl_ns(w) / 1e9);
}
