/* Runs leaderexec, watches every system call of its processes, and lets one of them fail.
 *
 *     inject REPORT PRELOAD SECONDS FAULT -- leaderexec ...
 *
 * FAULT is "none" or ROLE.CALL.N.ERRNO: the Nth CALL (from 1) of a process of that role isn't made and fails with that
 * number. ROLE is keeper, guard, command (from its fork to its execve) or workerN (the Nth to begin); CALL is a system
 * call's name, or "malloc" for any allocation. With a leading "+" all counting begins at the first signal, with "@"
 * when the first worker begins. Signals: TERM is passed on to the keeper, USR1 is SIGKILL for the guard, USR2 for the
 * keeper.
 *
 * Each system call waits for this program to let it go (seccomp(2), SECCOMP_RET_USER_NOTIF): no ptrace, so that
 * processes stop, die and are reaped as ever. REPORT gets lines: "count ROLE CALL N", "injected ARGUMENTS", "killed
 * ROLE SIGNAL", "left NAME" (the command, or what it started, when the keeper had ended), "lingers NAME" (a process of
 * leaderexec's a second later), "hang" (after SECONDS), "exit CODE TIME" (the keeper's, as a shell has it;
 * CLOCK_BOOTTIME in ns). What is left is killed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "marks.h"
#include "names.h"

#define CALLS_MAX       512
#define ALLOCATION      (CALLS_MAX - 1) /* counted among the calls */
#define WORKERS_MAX     64
#define OWNERS_MAX      (ROLE_COUNT + WORKERS_MAX)
#define PROCESSES_MAX   256
#define GRACE_MS        1000
#define NAME_SIZE       32
#define DIES_AT_ONCE_MS 20

struct process {
    pid_t pid;
    int owner; /* enum role; ROLE_WORKER + N for the Nth worker */
    bool execs;
};

static struct {
    FILE *report;
    int listener, signals;
    pid_t keeper, guard;
    struct process processes[PROCESSES_MAX];
    size_t process_count;
    int workers;
    unsigned counts[OWNERS_MAX][CALLS_MAX];
    bool armed, waits_for_worker, wanted;
    int owner, call, error;
    unsigned nth;
    bool keeper_ended;
    int64_t deadline_ms;
} in;

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static int64_t now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static long long boottime_ns(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* --- names --- */

static const char *role_name(int owner, char name[NAME_SIZE]) {
    static const char *const roles[] = {"other", "keeper", "guard", "command"};
    if (owner < ROLE_WORKER) return roles[owner];
    (void)snprintf(name, NAME_SIZE, "worker%d", owner - ROLE_WORKER);
    return name;
}

static const char *call_name(int call, char name[NAME_SIZE]) {
    if (call == ALLOCATION) return "malloc";
    for (size_t i = 0; i < sizeof call_names / sizeof call_names[0]; i++) {
        if (call_names[i].number == call) return call_names[i].name;
    }
    (void)snprintf(name, NAME_SIZE, "%d", call);
    return name;
}

static void parse_fault(const char *text) {
    char owner[NAME_SIZE], call[NAME_SIZE], name[NAME_SIZE];
    in.armed = strchr("+@", text[0]) == NULL;
    in.waits_for_worker = text[0] == '@';
    if (!in.armed) text++;
    if (strcmp(text, "none") == 0) return;
    if (sscanf(text, "%31[^.].%31[^.].%u.%d", owner, call, &in.nth, &in.error) != 4) goto bad;
    for (in.owner = 1; in.owner < OWNERS_MAX && strcmp(role_name(in.owner, name), owner) != 0;) in.owner++;
    for (in.call = 0; in.call < CALLS_MAX && strcmp(call_name(in.call, name), call) != 0;) in.call++;
    in.wanted = in.owner < OWNERS_MAX && in.call < CALLS_MAX;
    if (in.wanted) return;
bad:
    fprintf(stderr, "inject: %s: not a fault\n", text);
    exit(2);
}

/* --- what processes ask --- */

static struct process *find(pid_t pid) {
    for (size_t i = 0; i < in.process_count; i++) {
        if (in.processes[i].pid == pid) return &in.processes[i];
    }
    return NULL;
}

/* From now on all is counted. */
static void arm(void) {
    if (in.armed) return;
    in.armed = true;
    memset(in.counts, 0, sizeof in.counts);
    in.workers = 0;
    for (size_t i = 0; i < in.process_count; i++) {
        if (in.processes[i].owner > ROLE_WORKER) in.processes[i].owner = ROLE_WORKER; /* it has no number */
    }
}

static void note_role(pid_t pid, enum role role) {
    if (role == ROLE_WORKER && in.waits_for_worker) arm();
    struct process *process = find(pid);
    if (process == NULL && in.process_count == PROCESSES_MAX) return;
    if (process == NULL) process = &in.processes[in.process_count++];
    *process = (struct process){.pid = pid, .owner = (int)role};
    if (role == ROLE_GUARD) in.guard = pid;
    if (role == ROLE_WORKER && in.workers < WORKERS_MAX - 1) in.workers++;
    if (role == ROLE_WORKER) process->owner = ROLE_WORKER + in.workers;
}

static void note_death(pid_t pid, int signal) {
    char name[NAME_SIZE];
    const struct process *process = find(pid);
    if (process != NULL && process->owner != ROLE_OTHER)
        fprintf(in.report, "killed %s %d\n", role_name(process->owner, name), signal);
}

/* Counts a call, and says whether it is the one that has to fail. */
static bool is_chosen(int owner, int call, const struct seccomp_data *data) {
    unsigned count = ++in.counts[owner][call];
    if (!in.wanted || !in.armed || owner != in.owner || call != in.call || count != in.nth) return false;
    in.wanted = false;
    fprintf(in.report, "injected %#llx %#llx %#llx %#llx\n", data->args[0], data->args[1], data->args[2],
            data->args[3]);
    return true;
}

/* The errno for the call that the notification is about; 0: let it go, or answer the mark. */
static int judge(const struct seccomp_notif *n, bool *answered) {
    long number = n->data.nr, option = (int)n->data.args[0];
    bool is_mark = number == SYS_prctl && option >= MARK_ROLE && option <= MARK_KILLED;
    *answered = is_mark;
    if (is_mark && option == MARK_ROLE) note_role((pid_t)n->pid, (enum role)n->data.args[1]);
    if (is_mark && option == MARK_KILLED) note_death((pid_t)n->data.args[1], (int)n->data.args[2]);
    if (is_mark && option != MARK_ALLOCATION) return 0;
    struct process *process = find((pid_t)n->pid);
    if (process == NULL || process->owner == ROLE_OTHER) return 0;
    if (process->execs && number == SYS_brk) { /* its execve worked: this is the loader */
        process->owner = ROLE_OTHER;
        return 0;
    }
    if (number == SYS_execve) process->execs = true;
    int call = is_mark ? ALLOCATION : number < ALLOCATION ? (int)number : 0;
    return is_chosen(process->owner, call, &n->data) ? in.error : 0;
}

static void answer(void) {
    struct seccomp_notif n;
    memset(&n, 0, sizeof n);
    if (ioctl(in.listener, SECCOMP_IOCTL_NOTIF_RECV, &n) != 0) return; /* killed meanwhile */
    bool answered;
    int error = judge(&n, &answered);
    struct seccomp_notif_resp r = {.id = n.id, .error = -error};
    if (error == 0 && !answered) r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    (void)ioctl(in.listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

/* --- what is left --- */

static pid_t parent_of(pid_t pid, char *state, char name[NAME_SIZE]) {
    char path[64], text[512] = "";
    int parent = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    const char *end = fgets(text, sizeof text, file) != NULL ? strrchr(text, ')') : NULL;
    (void)fclose(file);
    if (end == NULL || sscanf(text, "%*d (%31[^)]", name) != 1 || sscanf(end, ") %c %d", state, &parent) != 2) return 0;
    return parent;
}

static bool is_below_us(pid_t pid) {
    char state, name[NAME_SIZE];
    while (pid > 1 && pid != getpid()) pid = parent_of(pid, &state, name);
    return pid == getpid();
}

/* Whose is a process that is alive? what: "left" asks for those of the command, "lingers" for ours; both are told.
 * Nothing is told where what is NULL: they are killed. */
static void go_through(const char *what) {
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        char state = 'Z', name[NAME_SIZE] = "";
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid <= 0 || pid == getpid() || parent_of(pid, &state, name) == 0) continue;
        if (state == 'Z' || state == 'X' || !is_below_us(pid)) continue;
        const struct process *process = find(pid);
        bool ours = process != NULL && process->owner != ROLE_OTHER;
        if (what == NULL) (void)kill(pid, SIGKILL);
        if (what != NULL && ours == (strcmp(what, "lingers") == 0)) fprintf(in.report, "%s %s\n", what, name);
    }
    if (proc != NULL) (void)closedir(proc);
}

/* --- the run --- */

static void note_signal(void) {
    struct signalfd_siginfo info;
    while (read(in.signals, &info, sizeof info) > 0) {
        if (info.ssi_signo == SIGCHLD) continue;
        arm();
        if (info.ssi_signo == SIGTERM) (void)kill(in.keeper, SIGTERM);
        if (info.ssi_signo == SIGUSR1 && in.guard != 0) (void)kill(in.guard, SIGKILL);
        if (info.ssi_signo == SIGUSR2) (void)kill(in.keeper, SIGKILL);
    }
}

/* Reaps. Returns whether anybody is left. */
static bool reap(void) {
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) != 0) return false;
        if (info.si_pid == 0) return true;
        bool exited = info.si_code == CLD_EXITED;
        if (!exited) note_death(info.si_pid, info.si_status);
        if (info.si_pid != in.keeper) continue;
        fprintf(in.report, "exit %d %lld\n", exited ? info.si_status : 128 + info.si_status, boottime_ns());
        if (exited) go_through("left");
        in.keeper_ended = true;
        in.deadline_ms = now_ms() + GRACE_MS;
    }
}

static void watch(void) {
    while (reap()) {
        int64_t left_ms = in.deadline_ms - now_ms();
        if (left_ms <= 0) break;
        struct pollfd fds[] = {{.fd = in.listener, .events = POLLIN}, {.fd = in.signals, .events = POLLIN}};
        (void)poll(fds, 2, left_ms < DIES_AT_ONCE_MS || !in.keeper_ended ? (int)left_ms : DIES_AT_ONCE_MS);
        if ((fds[0].revents & POLLIN) != 0) answer();
        if ((fds[0].revents & POLLHUP) != 0) in.listener = -1; /* the last of them has gone */
        if ((fds[1].revents & POLLIN) != 0) note_signal();
    }
    if (!in.keeper_ended) fprintf(in.report, "hang\n");
    go_through("lingers");
    if (in.keeper_ended) go_through("left");
    while (reap()) {
        go_through(NULL);
        (void)poll(NULL, 0, 1);
    }
}

static int become_watched(char **argv, const char *preload, int told) {
    /* All but close(2), which can't fail and which a kernel without close_range(2) sees by the thousand. */
    struct sock_filter watch[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close, 0, 1),
                                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)};
    struct sock_fprog program = {.len = sizeof watch / sizeof watch[0], .filter = watch};
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (setenv("LD_PRELOAD", preload, 1) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 1;
    int next = dup(told); /* the number that the listener will have */
    if (next < 0 || close(next) != 0 || write(told, &next, sizeof next) != (ssize_t)sizeof next) return 1;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program) != next)
        return 1;
    (void)execv(argv[0], argv);
    return 1;
}

/* The child can't send its listener: no call of its own gets through any more. So it is fetched. */
static int fetch_listener(int told) {
    int number;
    if (read(told, &number, sizeof number) != (ssize_t)sizeof number) fail("inject: seccomp");
    int pidfd = (int)syscall(SYS_pidfd_open, in.keeper, 0);
    for (int tries = 0; tries < 5000; tries++) {
        int listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
        if (listener >= 0) return listener;
        (void)poll(NULL, 0, 1);
    }
    fail("inject: pidfd_getfd");
    return -1;
}

static void start(char **argv, const char *preload) {
    int told[2];
    sigset_t watched;
    sigemptyset(&watched);
    for (int i = 0; i < 4; i++) sigaddset(&watched, (int[]){SIGCHLD, SIGTERM, SIGUSR1, SIGUSR2}[i]);
    if (sigprocmask(SIG_BLOCK, &watched, NULL) != 0) fail("inject: sigprocmask");
    in.signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (in.signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) fail("inject: set up");
    if (pipe2(told, O_CLOEXEC) != 0 || (in.keeper = fork()) < 0) fail("inject: fork");
    if (in.keeper == 0) _exit(become_watched(argv, preload, told[1]));
    (void)close(told[1]);
    in.listener = fetch_listener(told[0]);
}

int main(int argc, char **argv) {
    char role[NAME_SIZE], name[NAME_SIZE];
    if (argc < 7 || strcmp(argv[5], "--") != 0) {
        fprintf(stderr, "inject: usage: inject REPORT PRELOAD SECONDS FAULT -- leaderexec ...\n");
        return 2;
    }
    in.report = fopen(argv[1], "we");
    if (in.report == NULL) fail(argv[1]);
    in.deadline_ms = now_ms() + atoll(argv[3]) * 1000;
    parse_fault(argv[4]);
    start(argv + 6, argv[2]);
    watch();
    for (int owner = 1; owner < OWNERS_MAX; owner++) {
        for (int call = 0; call < CALLS_MAX; call++) {
            if (in.counts[owner][call] == 0) continue;
            fprintf(in.report, "count %s %s %u\n", role_name(owner, role), call_name(call, name),
                    in.counts[owner][call]);
        }
    }
    return fclose(in.report) == 0 ? 0 : 2;
}
