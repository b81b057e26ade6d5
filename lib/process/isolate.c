/* Namespaces for the command; see isolate.h. */
#include "process/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clone.h"
#include "base/text.h"
#include "process/message.h"

#define TRIAL_TIMEOUT_MS 30000
#define MAP_SIZE         64

/* --- in the new process --- */

static int write_file(int proc, const char *path, const char *text) {
    int fd = openat(proc, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t written = write(fd, text, strlen(text));
    int error = written == (ssize_t)strlen(text) ? 0 : written < 0 ? -errno : -EIO;
    (void)close(fd);
    return error;
}

/* All that a user without privileges may map: itself, as it is. Its supplementary groups stay what
 * they are, though without names in here, and can't be changed any more. */
static int map_ourselves(int proc, uid_t user, gid_t group) {
    char users[MAP_SIZE], groups[MAP_SIZE];
    int error = text_format(users, sizeof users, "%u %u 1\n", (unsigned)user, (unsigned)user);
    if (error == 0)
        error = text_format(groups, sizeof groups, "%u %u 1\n", (unsigned)group, (unsigned)group);
    if (error == 0) error = write_file(proc, "self/setgroups", "deny");
    if (error == 0) error = write_file(proc, "self/gid_map", groups);
    if (error == 0) error = write_file(proc, "self/uid_map", users);
    return error;
}

/* A program that its user may not read is no business of that user's, and nor are its files in
 * /proc, unless told otherwise. */
static int become_ourselves(const struct isolate *how) {
    int dumpable = prctl(PR_GET_DUMPABLE);
    if (dumpable != 1) (void)prctl(PR_SET_DUMPABLE, 1);
    int error = map_ourselves(how->proc, how->user, how->group);
    if (dumpable == 0) (void)prctl(PR_SET_DUMPABLE, 0);
    return error;
}

int isolate_settle_in(const struct isolate *how, const char **what) {
    *what = "map its user into a user namespace";
    int error = how->user_namespace ? become_ourselves(how) : 0;
    if (error != 0) return error;
    /* Only this mount is ours alone: what the command mounts is seen wherever it would be without
     * us. */
    *what = "keep a /proc to itself";
    if (mount("none", "/proc", "none", MS_PRIVATE, NULL) != 0) return -errno;
    *what = "mount a /proc of its own";
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ? 0 : -errno;
}

/* --- in the caller --- */

pid_t isolate_fork(const struct isolate *how) {
    unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | SIGCHLD;
    if (how->user_namespace) flags |= CLONE_NEWUSER;
    return clone_plainly(flags, NULL);
}

static __attribute__((noreturn)) void try_it(const struct isolate *how, int socket) {
    const char *what = "";
    struct message ready = {.type = MESSAGE_READY};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) _exit(EXIT_FAILURE);
    ready.error = -isolate_settle_in(how, &what);
    (void)text_copy(ready.text, sizeof ready.text, what);
    _exit(message_send(socket, &ready) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Waits for the end of the trial, and no longer than that may take. */
static int hear(pid_t pid, int socket, struct message *ready) {
    struct pollfd fds = {.fd = socket, .events = POLLIN};
    int ended = poll(&fds, 1, TRIAL_TIMEOUT_MS), got = message_receive(socket, ready);
    if (ended <= 0 || got <= 0) (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    return got > 0 ? 0 : got < 0 ? got : -ETIMEDOUT;
}

static int try_out(const struct isolate *how, struct message *ready) {
    int sockets[2];
    int error = message_pair(sockets);
    if (error != 0) return error;
    pid_t pid = isolate_fork(how);
    error = pid < 0 ? -errno : 0;
    if (pid == 0) {
        (void)close(sockets[0]);
        try_it(how, sockets[1]);
    }
    (void)close(sockets[1]);
    if (error == 0) error = hear(pid, sockets[0], ready);
    (void)close(sockets[0]);
    return error;
}

/* What is in force, and what could be. */
static int read_capabilities(uint64_t *effective, uint64_t *permitted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    if (syscall(SYS_capget, &header, data) != 0) return -errno;
    *effective = (uint64_t)data[1].effective << 32 | data[0].effective;
    *permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    return 0;
}

static int fail(char *reason, int error, const char *what, const char *next) {
    (void)text_format(reason, TEXT_REASON_SIZE, "--isolate: can't %s: %s: %s", what,
                      strerror(-error), next);
    return error;
}

#define WITHOUT "start leaderexec as root with CAP_SYS_ADMIN, or without --isolate"

int isolate_check(struct isolate *how, char *reason) {
    uint64_t effective = 0, permitted = 0;
    struct message ready = {.type = MESSAGE_READY};
    how->user = geteuid();
    how->group = getegid();
    int error = read_capabilities(&effective, &permitted);
    if (error != 0) return fail(reason, error, "read its capabilities", WITHOUT);
    how->user_namespace = (effective >> CAP_SYS_ADMIN & 1) == 0;
    /* In a user namespace it would keep none of those that it has. */
    if (how->user_namespace && (permitted != 0 || how->user == 0))
        return fail(reason, -EPERM, "make a PID namespace without CAP_SYS_ADMIN",
                    "a user namespace would take the command's privileges away; give it that one "
                    "too, start leaderexec "
                    "as a user without any, or without --isolate");
    error = try_out(how, &ready);
    if (error != 0 && how->user_namespace)
        return fail(reason, error, "make a user namespace",
                    "a limit or a rule of this machine's (user.max_user_namespaces, AppArmor, a "
                    "container's seccomp "
                    "filter) may forbid it; " WITHOUT);
    if (error != 0)
        return fail(reason, error, "make a PID namespace",
                    "a limit or a rule of this machine's (user.max_pid_namespaces, a container's "
                    "seccomp filter) may "
                    "forbid it; start leaderexec without --isolate");
    if (ready.error != 0)
        return fail(
            reason, -ready.error, ready.text,
            how->user_namespace
                ? "a container, AppArmor or SELinux may forbid it; " WITHOUT
                : "a container, AppArmor or SELinux may forbid it; start leaderexec without "
                  "--isolate");
    return 0;
}
