/* Packets between keeper and guard; see message.h. */
#include "process/message.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/descriptors.h"

int message_pair(int fds[2]) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) return -errno;
    for (int i = 0; i < 2; i++) {
        fds[i] = descriptor_raise(fds[i]);
        if (fds[i] >= 0) continue;
        int error = fds[i];
        (void)close(fds[1 - i]);
        return error;
    }
    return 0;
}

int message_send(int fd, const struct message *message) {
    ssize_t sent;
    do {
        sent = send(fd, message, sizeof *message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int message_receive(int fd, struct message *message) {
    ssize_t got;
    do {
        got = recv(fd, message, sizeof *message, MSG_DONTWAIT | MSG_TRUNC); /* the packet's length, cut or not */
        /* Reset: the other end died with something unread. It is said once; what that end had sent is still there. */
    } while (got < 0 && (errno == EINTR || errno == ECONNRESET));
    if (got < 0 && (errno == EAGAIN || errno == ENOMEM || errno == ENOBUFS)) return 0;
    if (got < 0) return -errno;
    if (got == 0) return -EPIPE;
    if (got != (ssize_t)sizeof *message) return -EPROTO;
    message->text[sizeof message->text - 1] = '\0';
    return 1;
}
