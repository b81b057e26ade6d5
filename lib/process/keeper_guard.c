/* Making guards; see keeper_guard.h. */
#include "process/keeper_guard.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clone.h"
#include "base/text.h"
#include "process/guard.h"
#include "process/procfs.h"

#define UNREADY_MOST 3 /* guards in a row that die before they are ready: somebody's doing, or none can be had */

static int prepare_command(struct keeper *k) {
    struct child_origin given = {.mask = k->origin.mask,
                                 .chld_ignored = sigismember(&k->origin.ignored, SIGCHLD) == 1,
                                 .leaderexec = getpid(),
                                 .priority = k->given};
    int error = child_prepare(&k->command, k->options.argv, k->options.environment, &given);
    k->command.foreground = k->origin.terminal;
    k->command.shared_group = getpgrp();
    k->command.isolate = k->isolate;
    return error;
}

int keeper_guard_prepare(struct keeper *keeper, const struct signals_origin *origin) {
    keeper->origin = *origin;
    memory_find(&keeper->memory);
    int error = getrlimit(RLIMIT_CORE, &keeper->cores) == 0 ? 0 : -errno;
    if (error == 0) error = prepare_command(keeper);
    if (error == 0) error = inherited_keep(&keeper->inherited, keeper->proc);
    if (error != 0) keeper_guard_let_go(keeper);
    return error;
}

void keeper_guard_let_go(struct keeper *keeper) {
    if (keeper->command.arguments != NULL) child_deinit(&keeper->command);
    inherited_let_go(&keeper->inherited);
}

bool keeper_guard_is_there(const struct keeper *keeper) { return keeper->guard != 0 && keeper->socket >= 0; }

/* The socket pairs between keeper and guard, one for messages and one for what lies in the keeper's tray. */
static int make_sockets(struct keeper *k, struct guard_setup *setup) {
    int fds[2];
    int error = message_pair(fds);
    if (error != 0) return error;
    k->socket = fds[0];
    setup->socket = fds[1];
    error = message_pair(fds);
    if (error != 0) return error;
    k->tray = fds[0];
    setup->tray = fds[1];
    return 0;
}

static void close_sockets(struct keeper *k) {
    if (k->socket >= 0) (void)close(k->socket);
    if (k->tray > 0) (void)close(k->tray);
    k->socket = -1;
    k->tray = 0;
}

/* Its end sends SIGCONT in place of SIGCHLD: whoever stopped us, we go on then and take over. The guard begins with
 * every signal blocked. */
static int clone_guard(struct keeper *k, const struct guard_setup *setup) {
    sigset_t all, before;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, &before) != 0) return -errno;
    pid_t pid = clone_plainly(SIGCONT, NULL);
    if (pid == 0) guard_run(setup);
    int error = pid < 0 ? -errno : 0;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (error != 0) return error;
    k->guard = pid;
    struct process_info info;
    error = procfs_read(k->proc, pid, &info); /* dead or alive: only we reap it */
    k->guard_born = error == 0 ? info.born : 0;
    return error;
}

int keeper_guard_start(struct keeper *keeper) {
    struct guard_setup setup = {
        .config = {.stop_signal = keeper->options.stop_signal,
                   .margin_ns = keeper->options.margin_ns,
                   .kill_after_ns = keeper->options.kill_after_ns,
                   .stop_timeout_ns = keeper->options.stop_timeout_ns,
                   .answer_stops = keeper->origin.terminal && keeper->origin.orphaned},
        .child = &keeper->command,
        .inherited = &keeper->inherited,
        .signals = &keeper->origin,
        .cores = &keeper->cores,
        .memory = &keeper->memory,
        .restartable = keeper->options.restartable,
        .keeper = getpid(),
        .keeper_group = getpgrp(),
        .proc = keeper->proc,
    };
    guard_set_looks(&setup.config, keeper->options.ttl_ns);
    close_sockets(keeper);
    int error = make_sockets(keeper, &setup);
    if (error == 0) error = clone_guard(keeper, &setup);
    if (setup.socket > 0) (void)close(setup.socket);
    if (setup.tray > 0) (void)close(setup.tray);
    return error;
}

void keeper_guard_ready(struct keeper *keeper, const struct message *ready) {
    keeper->unready = 0;
    if (ready->error == 0) return;
    keeper->unready = UNREADY_MOST; /* it would be the same again */
    (void)text_format(keeper->trouble, sizeof keeper->trouble, "can't %s: %s", ready->text, strerror(ready->error));
}

int keeper_guard_again(struct keeper *keeper, char *reason) {
    if (keeper->guard != 0) {
        (void)kill(keeper->guard, SIGKILL);
        return -EAGAIN;
    }
    int error = keeper->unready < UNREADY_MOST ? keeper_guard_start(keeper) : -ECHILD;
    if (error == 0) {
        keeper->unready++;
        return 0;
    }
    const char *why = error != -ECHILD             ? strerror(-error)
                      : keeper->trouble[0] != '\0' ? keeper->trouble
                                                   : "it dies at once";
    (void)text_format(reason, TEXT_REASON_SIZE,
                      "the guard process has gone, and another can't be had: %s; without one no command can be run "
                      "safely: start again",
                      why);
    return error;
}
