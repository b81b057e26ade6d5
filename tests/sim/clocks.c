/* Each machine's two clocks: a rate of its own, and what suspends and freezes take from them. */
#include "sim.h"

static int64_t with_drift(int64_t ns, int64_t ppm) { return ns + ns / 1000 * ppm / 1000; }

int64_t lease_clock_ns(const struct world *w, int machine) {
    const struct machine *m = &w->machine[machine];
    int64_t stopped_ns = m->stopped_ns;
    if (m->frozen && m->frozen_deaf_clock) stopped_ns += w->now_ns - m->asleep_since_ns;
    return m->clock_start_ns + with_drift(w->now_ns - stopped_ns, w->s.drift_ppm[machine]);
}

int64_t wait_clock_ns(const struct world *w, int machine) {
    const struct machine *m = &w->machine[machine];
    int64_t stopped_ns = m->stopped_ns + m->suspended_ns;
    if (m->suspended || (m->frozen && m->frozen_deaf_clock)) stopped_ns += w->now_ns - m->asleep_since_ns;
    return m->clock_start_ns + with_drift(w->now_ns - stopped_ns, w->s.drift_ppm[machine]);
}

int64_t true_delay_ns(const struct world *w, int machine, int64_t delay_ns) {
    int64_t ppm = w->s.drift_ppm[machine];
    int64_t true_ns = delay_ns - delay_ns / 1000 * ppm / (1000 + ppm / 1000);
    return true_ns > 0 ? true_ns : 0;
}

int64_t when_lease_shows(const struct world *w, int machine, int64_t lease_ns) {
    int64_t left_ns = lease_ns - lease_clock_ns(w, machine);
    if (left_ns <= 0) return w->now_ns;
    return w->now_ns + true_delay_ns(w, machine, left_ns) + 1;
}

int64_t late_turn_ns(struct world *w, int machine) {
    int64_t most_ns = w->s.late_turn_ns[machine];
    return most_ns == 0 ? 0 : chance_between(&w->chance, most_ns / 2, most_ns);
}
