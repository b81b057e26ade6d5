/* Processes that may hang in our place; see worker.h. */
#include "store/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKER_NAME "leaderexec-io"

int worker_start(struct worker *worker, int64_t lifetime_ms, worker_task *task, const void *input, const void *answer,
                 size_t answer_size) {
    *worker = WORKER_NONE;
    if (lifetime_ms <= 0 || answer_size == 0 || answer_size > WORKER_ANSWER_MAX) return -EINVAL;
    int fds[2];
    struct helper helper;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return -errno;
    pid_t parent = getpid();
    pid_t pid = helper_fork(&helper);
    if (pid == 0) {
        char result[WORKER_ANSWER_MAX] __attribute__((aligned(16)));
        memcpy(result, answer, answer_size);
        if (!helper_settle_in(parent, WORKER_NAME, lifetime_ms, &fds[1])) _exit(EXIT_FAILURE);
        task(input, result);
        bool told = write(fds[1], result, answer_size) == (ssize_t)answer_size;
        (void)close_range(0, ~0U, 0);
        _exit(told ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int error = pid < 0 ? errno : 0;
    (void)close(fds[1]);
    if (error != 0) {
        (void)close(fds[0]);
        return -error;
    }
    *worker = (struct worker){.helper = helper, .answer_fd = fds[0]};
    return 0;
}

static void close_answer(struct worker *worker) {
    if (worker->answer_fd >= 0) (void)close(worker->answer_fd);
    worker->answer_fd = -1;
}

enum worker_state worker_collect(struct worker *worker, void *answer, size_t answer_size) {
    char result[WORKER_ANSWER_MAX];
    ssize_t got = read(worker->answer_fd, result, answer_size);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return WORKER_BUSY;
    close_answer(worker);
    if (got != (ssize_t)answer_size) return WORKER_DIED;
    memcpy(answer, result, answer_size);
    return WORKER_ANSWERED;
}

void worker_dismiss(struct worker *worker) {
    bool is_needless = worker->answer_fd < 0; /* one that answered ends by itself */
    close_answer(worker);
    if (!is_needless && helper_is_ours(&worker->helper)) (void)kill(worker->helper.pid, SIGKILL);
}

bool worker_reap(struct worker *worker) { return helper_reap(&worker->helper); }

void worker_forget(struct worker *worker) { helper_forget(&worker->helper); }
