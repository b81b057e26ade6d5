/* What keeper and guard, and guard and le-init, say to each other: fixed-size packets on a socket pair
 * (SOCK_SEQPACKET), never waiting for room. */
#ifndef PROCESS_MESSAGE_H
#define PROCESS_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_TEXT_SIZE 160
#define MESSAGES_A_TURN                                                                                                \
    512 /* are read before anything else has its turn: more than a socket holds, so that what waits                    \
           there, an extension above all, counts before the time does */

enum message_type {
    /* to the guard; each but MESSAGE_SIGNAL is acknowledged by its sequence number */
    MESSAGE_START,    /* token, lease_end_ns; to le-init: begin */
    MESSAGE_EXTEND,   /* lease_end_ns */
    MESSAGE_SHUTDOWN, /* signal, or 0 */
    MESSAGE_LOST,     /* signal */
    MESSAGE_SIGNAL,   /* signal, to be passed on */
    /* to the keeper */
    MESSAGE_READY, /* error: 0, or why the guard couldn't set itself up; text: what it tried; lease_now_ns */
    MESSAGE_ACK,   /* sequence, group */
    MESSAGE_GONE,  /* out_of_time, exit_code, error */
    MESSAGE_NOTE,  /* text */
    /* between the guard and le-init, which also use MESSAGE_SIGNAL and MESSAGE_READY (error: the command's exec's) */
    MESSAGE_REST,    /* signal, for everything */
    MESSAGE_STOPPED, /* signal, which stopped the command */
    MESSAGE_ENDED,   /* exit_code, or CHILD_EXIT_SIGNALLED + N */
};

/* Both ends are one program, so that plain values do. */
struct message {
    enum message_type type;
    unsigned sequence;
    int64_t token;
    int64_t lease_end_ns; /* lease clock */
    int64_t lease_now_ns; /* the sender's own reading of it */
    int signal;
    int group; /* the command's own process group; 0: none of its own, or none yet */
    bool out_of_time;
    int exit_code;
    int error; /* an errno */
    char text[MESSAGE_TEXT_SIZE];
};

/* Makes the pair, close-on-exec, no number below 3. Returns 0 or -errno. */
int message_pair(int fds[2]);

/* Sends without waiting. Returns 0, -EAGAIN where the other end doesn't read, -EPIPE or -ECONNRESET where it is gone,
 * or -errno. */
int message_send(int fd, const struct message *message);

/* Takes one message without waiting. Returns 1; 0 where there is none, or none to be had just now (no memory: it stays
 * and keeps the socket ready); -EPIPE where the other end is gone; or -errno. */
int message_receive(int fd, struct message *message);

#endif
