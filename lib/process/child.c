/* Starting the command; see child.h. */
#include "process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clone.h"
#include "base/text.h"
#include "process/descriptors.h"
#include "process/program.h"

#define TOKEN_TEXT_SIZE 24
#define TOKEN_PREFIX    CHILD_TOKEN_VARIABLE "="

static size_t count_of(char *const *list) {
    size_t count = 0;
    while (list[count] != NULL) count++;
    return count;
}

static bool is_token(const char *variable) { return strncmp(variable, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) == 0; }

static void free_list(char **list) {
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) free(list[i]);
    free(list);
}

/* A copy of list with room for extra more; NULL without memory. */
static char **copy_list(char *const *list, size_t extra) {
    char **copy = calloc(count_of(list) + extra + 1, sizeof *copy);
    size_t used = 0;
    for (size_t i = 0; copy != NULL && list[i] != NULL; i++) {
        if (is_token(list[i]) && extra > 0) continue;
        copy[used] = strdup(list[i]);
        if (copy[used++] != NULL) continue;
        free_list(copy);
        return NULL;
    }
    return copy;
}

static int prepare_environment(struct child *child, char *const *environment) {
    child->environment = copy_list(environment, 1);
    if (child->environment == NULL) return -ENOMEM;
    if (self_names_find(&child->names, child->environment, child->origin.leaderexec) != 0) return -ENOMEM;
    size_t size = strlen(TOKEN_PREFIX) + TOKEN_TEXT_SIZE;
    char *variable = calloc(1, size);
    if (variable == NULL) return -ENOMEM;
    (void)text_copy(variable, size, TOKEN_PREFIX);
    child->token = variable + strlen(TOKEN_PREFIX);
    child->environment[count_of(child->environment)] = variable;

    child->path = CHILD_DEFAULT_PATH;
    for (char **variable_at = child->environment; *variable_at != NULL; variable_at++) {
        if (strncmp(*variable_at, "PATH=", 5) != 0) continue;
        child->path = *variable_at + 5;
        break;
    }
    return 0;
}

static int prepare_arguments(struct child *child, char *const *argv) {
    child->arguments = copy_list(argv, 0);
    size_t count = count_of(argv);
    child->shell_arguments = calloc(count + 2, sizeof *child->shell_arguments);
    if (child->arguments == NULL || child->shell_arguments == NULL || child->arguments[0] == NULL) return -ENOMEM;
    child->shell_arguments[0] = child->arguments[0];
    for (size_t i = 1; i < count; i++) child->shell_arguments[i + 1] = child->arguments[i];
    return 0;
}

int child_prepare(struct child *child, char *const *argv, char *const *environment, const struct child_origin *origin) {
    *child = (struct child){.origin = *origin, .report = -1, .init = INIT_NONE};
    int error = prepare_environment(child, environment);
    if (error == 0) error = prepare_arguments(child, argv);
    if (error == 0) {
        child->program_size = strlen(child->path) + strlen(child->arguments[0]) + 2;
        child->program = calloc(1, child->program_size);
        if (child->program == NULL) error = -ENOMEM;
    }
    if (error != 0) child_deinit(child);
    return error;
}

void child_deinit(struct child *child) {
    free_list(child->arguments);
    free(child->shell_arguments); /* its strings are those of arguments */
    free_list(child->environment);
    free(child->program);
    if (child->report >= 0) (void)close(child->report);
    init_deinit(&child->init);
    child->arguments = child->shell_arguments = child->environment = NULL;
    child->program = child->token = NULL;
    child->path = NULL;
    child->report = -1;
}

/* --- in the new process --- */

/* Only comes back with why it failed. */
static int try_program(const struct child *child, char *program) {
    (void)execve(program, child->arguments, child->environment);
    if (errno != ENOEXEC || !program_is_script(program)) return errno;
    child->shell_arguments[1] = program;
    (void)execve(_PATH_BSHELL, child->shell_arguments, child->environment);
    return errno;
}

/* As execvp(3): the first that can be run in the folders of PATH. A folder that may not be searched doesn't end the
 * search. */
static int search_program(const struct child *child) {
    const char *name = child->arguments[0];
    int result = ENOENT;
    for (const char *folder = child->path;; folder++) {
        size_t length = strcspn(folder, ":");
        char *out = child->program;
        memcpy(out, folder, length);
        out += length;
        if (length > 0) *out++ = '/'; /* an empty folder is the current one */
        memcpy(out, name, strlen(name) + 1);
        int error = try_program(child, child->program);
        if (error == EACCES) result = EACCES;
        if (error != EACCES && error != ENOENT && error != ENOTDIR && error != ESTALE && error != ENODEV &&
            error != ETIMEDOUT)
            return error;
        folder += length;
        if (*folder == '\0') return result;
    }
}

int child_become(const struct child *child, const struct dead_man *dead_man) {
    /* Should the guard have died before this line, no signal comes of it; but execve(2) closes the last of its ends of
     * the dead man's pairs then, which kills as well, before any code of the command's runs. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
    /* A shared group without a number here (another PID namespace's) is the guard's too, and inherited. */
    if (!child->foreground && setpgid(0, 0) != 0) return errno;
    if (child->foreground && child->shared_group != 0 && setpgid(0, child->shared_group) != 0) return errno;
    int error = dead_man_aim(dead_man, !child->foreground);
    if (error != 0) return -error;
    error = priority_restore(&child->origin.priority);
    if (error != 0) return -error;
    if (child->origin.chld_ignored && signal(SIGCHLD, SIG_IGN) == SIG_ERR) return errno;
    if (sigprocmask(SIG_SETMASK, &child->origin.mask, NULL) != 0) return errno;
    self_names_write(&child->names);
    const char *name = child->arguments[0];
    if (*name == '\0') return ENOENT;
    return strchr(name, '/') != NULL ? try_program(child, child->arguments[0]) : search_program(child);
}

/* --- in the guard --- */

int child_start(struct child *child, int64_t token, const struct dead_man *dead_man) {
    int error = text_format(child->token, TOKEN_TEXT_SIZE, "%lld", (long long)token);
    if (error != 0) return error;
    if (child->isolate.wanted) return init_start(&child->init, child, dead_man);
    int report[2];
    if (pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0) return -errno;
    for (int i = 0; i < 2; i++) {
        report[i] = descriptor_raise(report[i]); /* the command's 0, 1, 2 may be closed, and stay so */
        if (report[i] < 0) return report[i];
    }
    pid_t pid = clone_plainly(SIGCHLD, NULL);
    if (pid == 0) {
        error = child_become(child, dead_man);
        ssize_t written = write(report[1], &error, sizeof error);
        _exit(written == (ssize_t)sizeof error ? child_exit_code_of(error) : CHILD_EXIT_CANNOT_RUN);
    }
    error = pid < 0 ? -errno : 0;
    (void)close(report[1]);
    if (error != 0) {
        (void)close(report[0]);
        return error;
    }
    if (!child->foreground) (void)setpgid(pid, pid); /* both sides, so that it is done before anybody signals it */
    child->pid = pid;
    child->report = report[0];
    return 0;
}

pid_t child_group(const struct child *child) { return child->foreground || child->isolate.wanted ? 0 : child->pid; }

void child_signal(struct child *child, int signal) {
    init_signal(&child->init, signal);
    if (child->pid == 0) return;
    if (child->foreground || kill(-child->pid, signal) != 0) (void)kill(child->pid, signal);
}

void child_ended(struct child *child, const siginfo_t *info, int *exit_code, int *exec_errno) {
    *exit_code = info->si_code == CLD_EXITED ? info->si_status : CHILD_EXIT_SIGNALLED + info->si_status;
    *exec_errno = 0;
    int error = 0;
    if (read(child->report, &error, sizeof error) == (ssize_t)sizeof error) *exec_errno = error;
    (void)close(child->report);
    child->report = -1;
    child->pid = 0;
}

int child_exit_code_of(int exec_errno) { return exec_errno == ENOENT ? CHILD_EXIT_NOT_FOUND : CHILD_EXIT_CANNOT_RUN; }
