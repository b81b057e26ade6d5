/* The keeper in the guard's place; see takeover.h. */
#include "process/takeover.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "process/child.h"
#include "process/descendants.h"

#define MARGIN_SHARE         2 /* half of the margin is the guard's to kill in; then the keeper joins in */
#define BUDGET_NS            (20 * NS_PER_MS) /* of killing in one call: then the caller's loop has its turn */
#define QUICK_SWEEPS         256
#define QUICK_PAUSE_NS       (1 * NS_PER_MS)
#define SLOW_PAUSE_NS        (50 * NS_PER_MS)
#define CHILDREN_A_TURN      64 /* are reaped before anything else has its turn */
#define NOTE_AFTER_SWEEPS    64
#define CONTINUED_AFTER_NS   (20 * NS_PER_MS) /* whoever stops us meanwhile stops us for so long */
#define EMPTY_SWEEPS_CERTAIN 3                /* where a list of children isn't one of a single moment */

static void forget_spared(struct keeper *k, pid_t pid) {
    for (size_t i = 0; i < k->spared_count; i++) {
        if (k->spared[i] == pid) k->spared[i] = k->spared[--k->spared_count];
    }
}

static void continue_guard(struct keeper *k) {
    siginfo_t info = {.si_pid = 0};
    if (k->guard == 0 || waitid(P_PID, (id_t)k->guard, &info, WSTOPPED | WNOHANG | __WALL) != 0 || info.si_pid == 0)
        return;
    if (k->state == KEEPER_TAKEOVER) return; /* it is dying */
    (void)kill(k->guard, SIGCONT);
    k->guard_continued = true;
}

static void reap_guard(struct keeper *k) {
    siginfo_t info = {.si_pid = 0};
    if (k->guard == 0 || waitid(P_PID, (id_t)k->guard, &info, WEXITED | WNOHANG | __WALL) != 0) return;
    if (info.si_pid != 0) k->guard = 0;
}

/* Returns whether there are no children left at all, but for those that waitid(2) doesn't count: the guard and clones
 * without an exit signal. */
static bool reap_all(struct keeper *k) {
    reap_guard(k);
    for (int turns = 0; turns < CHILDREN_A_TURN; turns++) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0) {
            if (errno == EINTR) continue;
            return errno == ECHILD;
        }
        if (info.si_pid == 0) return false;
        forget_spared(k, info.si_pid);
    }
    k->look_again = true;
    return false;
}

void takeover_reap(struct keeper *keeper) {
    keeper->look_again = false;
    (void)reap_all(keeper);
    continue_guard(keeper);
}

int64_t takeover_due_ns(const struct keeper *keeper) {
    return keeper->lease_end_ns - keeper->options.margin_ns + keeper->options.margin_ns / MARGIN_SHARE;
}

void takeover_begin(struct keeper *keeper, enum keeper_end end) {
    keeper->state = KEEPER_TAKEOVER;
    keeper->end = end;
    keeper->next_sweep_ns = 0;
    if (keeper->guard != 0) (void)kill(keeper->guard, SIGKILL);
}

static void note_refused(struct keeper *k, const struct descendants_seen *seen, struct keeper_event *event) {
    if (seen->refused == 0 || seen->refused == k->complained || k->sweeps < NOTE_AFTER_SWEEPS) return;
    descendants_describe_refusal(seen, event->text, sizeof event->text);
    event->type = KEEPER_NOTE;
    k->complained = seen->refused;
}

/* One round. Returns whether nothing is left. */
static bool sweep(struct keeper *k, struct keeper_event *event) {
    bool guard_dead = k->guard == 0; /* as long as it isn't, what it started isn't ours to see */
    struct descendants who = {.proc = k->proc,
                              .root = getpid(),
                              .born = k->guard_born,
                              .spared = k->spared,
                              .spared_count = k->spared_count,
                              .spare_quiet = true,
                              .guard = k->guard,
                              .list = k->list,
                              .group = k->group};
    struct descendants_seen seen;
    descendants_signal(&who, SIGKILL, &seen);
    k->sweeps++;
    k->refused = seen.refused;
    note_refused(k, &seen, event);
    if (reap_all(k) && guard_dead) return true;
    /* There are children, says the kernel: it must be the spared ones that it means. */
    bool empty = guard_dead && !seen.failed && seen.children == 0 && seen.spared > 0;
    k->empty_sweeps = empty ? k->empty_sweeps + 1 : 0;
    return k->empty_sweeps >= (seen.incomplete ? EMPTY_SWEEPS_CERTAIN : 1);
}

bool takeover_step(struct keeper *keeper, struct instant now, struct keeper_event *event) {
    waker_set(&keeper->waker, clock_now().lease_ns + CONTINUED_AFTER_NS);
    if (now.lease_ns < keeper->next_sweep_ns) return false;
    int64_t begun_ns = clock_now().lease_ns, now_ns;
    do {
        if (sweep(keeper, event)) {
            waker_set(&keeper->waker, INT64_MAX);
            event->end = keeper->end;
            event->exit_code = CHILD_EXIT_SIGNALLED + SIGKILL;
            return true;
        }
        now_ns = clock_now().lease_ns;
    } while (keeper->sweeps < QUICK_SWEEPS && now_ns - begun_ns < BUDGET_NS);
    keeper->next_sweep_ns = now_ns + (keeper->sweeps < QUICK_SWEEPS ? QUICK_PAUSE_NS : SLOW_PAUSE_NS);
    return false;
}

bool takeover_is_stuck(const struct keeper *keeper) {
    return keeper->state == KEEPER_TAKEOVER && keeper->refused != 0 && keeper->sweeps >= QUICK_SWEEPS;
}
