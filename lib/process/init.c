/* The guard's handle on the first process of the command's namespace; see init.h. */
#include "process/init.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "process/child.h"
#include "process/message.h"

int init_start(struct init *init, struct child *child, const struct dead_man *dead_man) {
    int sockets[2];
    *init = INIT_NONE;
    int error = message_pair(sockets);
    if (error != 0) return error;
    pid_t pid = isolate_fork(&child->isolate);
    error = pid < 0 ? -errno : 0;
    if (pid == 0) {
        (void)close(sockets[0]);
        init_run(child, dead_man, sockets[1]);
    }
    (void)close(sockets[1]);
    /* The group that the command shares with the keeper has no number in there: it is inherited,
     * and so must be joined from out here before the command is forked. */
    bool joins = error == 0 && child->foreground && child->shared_group != 0;
    if (joins && setpgid(pid, child->shared_group) != 0) error = -errno;
    if (error == 0) error = message_send(sockets[0], &(struct message){.type = MESSAGE_START});
    if (error != 0) {
        if (pid > 0) (void)kill(pid, SIGKILL); /* reaped like anybody else's */
        (void)close(sockets[0]);
        return error;
    }
    init->pid = pid;
    init->socket = sockets[0];
    return 0;
}

/* The kernel, too, keeps one of each kind for a process that doesn't get to them. */
static void owe(uint64_t *owed, int signal) {
    if (signal >= 1 && signal <= 64) *owed |= UINT64_C(1) << (signal - 1);
}

static void send_all(const struct init *init, enum message_type type, uint64_t *owed) {
    for (int signal = 1; signal <= 64; signal++) {
        uint64_t bit = UINT64_C(1) << (signal - 1);
        if ((*owed & bit) == 0) continue;
        if (message_send(init->socket, &(struct message){.type = type, .signal = signal}) != 0)
            return;
        *owed &= ~bit;
    }
}

void init_send_owed(struct init *init) {
    if (init->socket < 0) return;
    send_all(init, MESSAGE_SIGNAL, &init->to_command);
    send_all(init, MESSAGE_REST, &init->to_rest);
}

bool init_owes(const struct init *init) {
    return init->socket >= 0 && (init->to_command | init->to_rest) != 0;
}

void init_signal(struct init *init, int signal) {
    if (init->pid == 0) return;
    if (signal == SIGKILL) {
        (void)kill(init->pid, SIGKILL);
        return;
    }
    if (init->ended) return;
    owe(&init->to_command, signal);
    init_send_owed(init);
}

void init_signal_rest(struct init *init, int signal) {
    if (init->pid == 0) return;
    owe(&init->to_rest, signal);
    init_send_owed(init);
}

static void close_socket(struct init *init) {
    if (init->socket >= 0) (void)close(init->socket);
    init->socket = -1;
}

void init_hear(struct init *init, struct init_news *news) {
    struct message m;
    *news = (struct init_news){.type = INIT_NOTHING};
    while (init->socket >= 0 && news->type == INIT_NOTHING) {
        int got = message_receive(init->socket, &m);
        if (got == 0) return;
        if (got < 0) { /* it is dying; what it takes along may take its time to die, and the socket
                          is ready all the time */
            close_socket(init);
            return;
        }
        if (m.type == MESSAGE_READY) init->exec_errno = m.error;
        if (m.type == MESSAGE_STOPPED)
            *news = (struct init_news){.type = INIT_COMMAND_STOPPED, .signal = m.signal};
        if (m.type != MESSAGE_ENDED) continue;
        init->ended = true;
        *news = (struct init_news){
            .type = INIT_COMMAND_ENDED, .exit_code = m.exit_code, .exec_errno = init->exec_errno};
    }
}

void init_reaped(struct init *init, struct init_news *news) {
    init->pid = 0;
    do {
        init_hear(init, news);
    } while (news->type == INIT_COMMAND_STOPPED);
    if (news->type == INIT_NOTHING && !init->ended)
        *news = (struct init_news){.type = INIT_COMMAND_ENDED,
                                   .exit_code = CHILD_EXIT_SIGNALLED + SIGKILL};
    init_deinit(init);
}

void init_deinit(struct init *init) {
    close_socket(init);
    *init = INIT_NONE;
}
