/* Commands run for their output; see command.h.
 *
 * Between us and the shell stands a helper process: it may wait, and it reaps, so that the exit status is nobody
 * else's. It collects all that the command says and hands it over in one piece. */
#include "s3/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define HELPER_NAME    "leaderexec-keys"
#define STATUS_SIGNAL  128
#define ENDED_GRACE_MS 200  /* for what the shell left behind, which may hold the pipes open */
#define ENDED_MOST_MS  1000 /* and talk on */
#define CLOSED_POLL_MS 20   /* nothing more will be said, and the shell hasn't ended: it does in a moment, mostly */

/* What the helper sends first; the output follows. */
struct report {
    int status;
    bool too_large;
    char last_line[200]; /* of what was said on stderr */
};

/* --- in the helper --- */

struct capture {
    int out, err; /* the reading ends; -1: at its end */
    struct report report;
    size_t length;
    char output[S3_ERRAND_REPLY_MAX];
    size_t said; /* bytes of the line being said on stderr */
    char line[sizeof((struct report *)0)->last_line];
};

static _Noreturn void become_shell(const char *line, char *const *environment, int out, int err) {
    sigset_t none;
    const char *const arguments[] = {"sh", "-c", line, NULL};
    int null = open("/dev/null", O_RDONLY);
    sigemptyset(&none);
    for (int number = 1; number < NSIG; number++) (void)signal(number, SIG_DFL);
    bool ready = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
                 dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0 &&
                 sigprocmask(SIG_SETMASK, &none, NULL) == 0;
    if (null > STDERR_FILENO) (void)close(null);
    if (ready) (void)execve("/bin/sh", (char *const *)arguments, environment);
    _exit(127);
}

static void take_output(struct capture *capture, const char *bytes, size_t length) {
    if (length > sizeof capture->output - capture->length) capture->report.too_large = true;
    if (capture->report.too_large) return;
    memcpy(capture->output + capture->length, bytes, length);
    capture->length += length;
}

static void take_words(struct capture *capture, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\n') {
            if (capture->said + 1 < sizeof capture->line) capture->line[capture->said++] = bytes[i];
            continue;
        }
        capture->line[capture->said] = '\0';
        if (capture->said > 0) memcpy(capture->report.last_line, capture->line, sizeof capture->line);
        capture->said = 0;
    }
}

/* Returns whether the pipe is at its end. */
static bool read_some(struct capture *capture, int fd, bool is_output) {
    char bytes[4096];
    ssize_t count = read(fd, bytes, sizeof bytes);
    if (count > 0 && is_output) take_output(capture, bytes, (size_t)count);
    if (count > 0 && !is_output) take_words(capture, bytes, (size_t)count);
    return count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN);
}

/* Reads until the shell has ended and both pipes are at their end, or its grace is over. The group dies when nobody
 * wants the answer any more: its reader has gone. */
static void listen_to(struct capture *capture, pid_t shell, int answer_fd, int *status) {
    bool ended = false;
    int64_t until_ns = INT64_MAX;
    while (!ended || capture->out >= 0 || capture->err >= 0) {
        bool closed = capture->out < 0 && capture->err < 0;
        struct pollfd fds[] = {{.fd = capture->out, .events = POLLIN},
                               {.fd = capture->err, .events = POLLIN},
                               {.fd = answer_fd, .events = 0}};
        int ready = poll(fds, 3, closed ? CLOSED_POLL_MS : ENDED_GRACE_MS);
        if (ready < 0 && errno != EINTR) return;
        if (ready > 0 && fds[2].revents != 0) (void)kill(0, SIGKILL);
        if (ready > 0 && fds[0].revents != 0 && read_some(capture, capture->out, true)) capture->out = -1;
        if (ready > 0 && fds[1].revents != 0 && read_some(capture, capture->err, false)) capture->err = -1;
        if (capture->report.too_large || (ended && (ready == 0 || clock_now().wait_ns >= until_ns))) return;
        if (ended || waitpid(shell, status, WNOHANG) != shell) continue;
        ended = true;
        until_ns = clock_now().wait_ns + ENDED_MOST_MS * NS_PER_MS;
    }
}

static void write_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        bytes += count;
        length -= (size_t)count;
    }
}

/* Kills what the command left behind in its group, which we leave for that. */
static void end_group(pid_t parent) {
    pid_t group = getpgrp();
    bool left = setpgid(0, getpgid(parent)) == 0;
    (void)kill(left ? -group : 0, SIGKILL);
}

static _Noreturn void run_helper(pid_t parent, const char *line, char *const *environment,
                                 const struct priority *priority, int answer_fd) {
    static struct capture capture; /* this process's alone */
    int out[2], err[2], status = 0;
    bool ready = helper_settle_in(parent, HELPER_NAME, S3_COMMAND_LIFETIME_MS, &answer_fd) && setpgid(0, 0) == 0 &&
                 prctl(PR_SET_PDEATHSIG, 0) == 0 && priority_restore(priority) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
                 pipe2(err, O_CLOEXEC) == 0;
    pid_t shell = ready ? helper_fork_again() : -1;
    if (shell == 0) become_shell(line, environment, out[1], err[1]);
    if (shell < 0) _exit(EXIT_FAILURE);
    (void)close(out[1]);
    (void)close(err[1]);
    capture.out = out[0];
    capture.err = err[0];
    listen_to(&capture, shell, answer_fd, &status);
    take_words(&capture, "\n", 1);
    capture.report.status = WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL + WTERMSIG(status);
    write_all(answer_fd, (const char *)&capture.report, sizeof capture.report);
    if (!capture.report.too_large) write_all(answer_fd, capture.output, capture.length);
    end_group(parent);
    _exit(EXIT_SUCCESS);
}

/* --- in the caller --- */

void s3_command_init(struct s3_command *command) {
    *command = (struct s3_command){.helper = HELPER_NONE, .fd = -1};
    buffer_init(&command->answer, sizeof(struct report) + S3_ERRAND_REPLY_MAX);
}

int s3_command_start(struct s3_command *command, const char *line, char *const *environment,
                     const struct priority *priority) {
    int fds[2];
    s3_command_cancel(command);
    if (!helper_reap(&command->helper)) helper_forget(&command->helper);
    if (pipe2(fds, O_CLOEXEC) != 0) return -errno;
    pid_t parent = getpid();
    pid_t pid = fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0 ? helper_fork(&command->helper) : -1;
    if (pid == 0) run_helper(parent, line, environment, priority, fds[1]);
    int error = pid < 0 ? errno : 0;
    (void)close(fds[1]);
    if (pid > 0) command->fd = fds[0];
    if (pid < 0) (void)close(fds[0]);
    return -error;
}

static void close_fd(struct s3_command *command) {
    if (command->fd >= 0) (void)close(command->fd);
    command->fd = -1;
}

/* Everything has come. */
static void conclude(struct s3_command *command, struct s3_reply *reply) {
    struct report report;
    const struct buffer *answer = &command->answer;
    reply->failed = answer->length < sizeof report;
    if (reply->failed) {
        (void)text_copy(reply->trouble, sizeof reply->trouble, "it couldn't be started, or was killed");
    } else {
        memcpy(&report, answer->data, sizeof report);
        report.last_line[sizeof report.last_line - 1] = '\0';
        text_copy_printable(reply->trouble, sizeof reply->trouble, report.last_line);
        reply->status = report.status;
        reply->too_large = report.too_large;
        reply->failed = buffer_append(&reply->body, answer->data + sizeof report, answer->length - sizeof report) != 0;
    }
    s3_command_cancel(command);
}

enum s3_command_state s3_command_read(struct s3_command *command, struct s3_reply *reply) {
    char bytes[4096];
    for (;;) {
        ssize_t count = read(command->fd, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && errno == EAGAIN) return S3_COMMAND_BUSY;
        if (count > 0 && buffer_append(&command->answer, bytes, (size_t)count) == 0) continue;
        break;
    }
    explicit_bzero(bytes, sizeof bytes);
    conclude(command, reply);
    return S3_COMMAND_DONE;
}

void s3_command_cancel(struct s3_command *command) {
    bool running = command->fd >= 0;
    close_fd(command);
    /* The group is there once the helper made it; before that the closed pipe ends it. */
    if (running && helper_is_ours(&command->helper)) (void)kill(-command->helper.pid, SIGKILL);
    (void)helper_reap(&command->helper);
    buffer_deinit(&command->answer);
}
