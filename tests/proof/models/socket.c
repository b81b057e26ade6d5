/* The kernel's side of sockets and descriptors: every answer that there is. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "any.h"

static int fail(void) {
    errno = any_int(1, 133);
    return -1;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    //@ assert readable: \initialized((char *)bytes + (0 .. length - 1));
    (void)fd, (void)flags;
    return any_bool() ? (ssize_t)length : fail();
}

ssize_t recv(int fd, void *bytes, size_t length, int flags) {
    (void)fd;
    if (any_bool()) return fail();
    Frama_C_make_unknown(bytes, length);
    return any_int(0, (flags & MSG_TRUNC) != 0 ? 1 << 20 : (int)length);
}

int socketpair(int domain, int type, int protocol, int fds[2]) {
    (void)domain, (void)type, (void)protocol;
    if (any_bool()) return fail();
    fds[0] = any_int(0, 1023);
    fds[1] = any_int(0, 1023);
    return 0;
}

int close(int fd) {
    //@ assert a_descriptor: fd >= 0;
    return any_bool() ? 0 : fail();
}

int descriptor_raise(int fd) {
    //@ assert a_descriptor: fd >= 0;
    return any_bool() ? any_int(3, 1023) : -any_int(1, 133);
}
