/* Sockets whose hang-up kills; see dead_man.h. */
#include "process/dead_man.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/message.h"

#define FORGET_MOST 64 /* of a tray's messages; there are never more than one run's */

static void close_all(int fds[DEAD_MAN_PAIRS]) {
    for (int i = 0; i < DEAD_MAN_PAIRS; i++) {
        if (fds[i] > 0) (void)close(fds[i]);
        fds[i] = 0;
    }
}

static int load(int fd) {
    if (fcntl(fd, F_SETSIG, SIGKILL) != 0 || fcntl(fd, F_SETFL, O_ASYNC) != 0) return -errno;
    return 0;
}

static int make_pair(struct dead_man *dead_man, int i) {
    int ends[2];
    int error = message_pair(ends);
    if (error != 0) return error;
    dead_man->own[i] = ends[0];
    dead_man->keepers[i] = ends[1];
    error = load(ends[0]);
    return error != 0 ? error : load(ends[1]);
}

static int send_into(int tray, int fd) {
    char byte = 0;
    struct iovec content = {.iov_base = &byte, .iov_len = sizeof byte};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof fd)];
    } control;
    memset(&control, 0, sizeof control);
    control.header =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
    ssize_t sent;
    do {
        sent = sendmsg(tray, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int dead_man_set(struct dead_man *dead_man, int tray) {
    dead_man_close(dead_man);
    int error = 0;
    for (int i = 0; i < DEAD_MAN_PAIRS && error == 0; i++) error = make_pair(dead_man, i);
    /* Descriptors are closed in the order of their numbers at a process's end, and so are those in a socket in the
     * order in which they came: the last one first here makes the two orders opposite ones. */
    for (int i = DEAD_MAN_PAIRS - 1; i >= 0 && error == 0; i--) error = send_into(tray, dead_man->keepers[i]);
    if (error != 0) dead_man_close(dead_man);
    return error;
}

int dead_man_aim(const struct dead_man *dead_man, bool group) {
    struct f_owner_ex owner = {.type = group ? F_OWNER_PGRP : F_OWNER_PID, .pid = getpid()};
    for (int i = 0; i < DEAD_MAN_PAIRS; i++) {
        if (fcntl(dead_man->own[i], F_SETOWN_EX, &owner) != 0) return -errno;
        if (fcntl(dead_man->keepers[i], F_SETOWN_EX, &owner) != 0) return -errno;
    }
    return 0;
}

void dead_man_let_go(struct dead_man *dead_man) { close_all(dead_man->keepers); }

void dead_man_release(struct dead_man *dead_man) {
    for (int i = 0; i < DEAD_MAN_PAIRS; i++) {
        if (dead_man->own[i] > 0) (void)fcntl(dead_man->own[i], F_SETFL, 0);
    }
}

void dead_man_close(struct dead_man *dead_man) {
    close_all(dead_man->keepers);
    close_all(dead_man->own);
}

void dead_man_forget(int tray) {
    char byte;
    for (int i = 0; i < FORGET_MOST && recv(tray, &byte, sizeof byte, MSG_DONTWAIT) > 0; i++) continue;
}
