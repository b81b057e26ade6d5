/* Signalling everything below a process: whole trees, both ways of finding them, and those that are left alone. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "process/descendants.h"

#define PATIENCE_ROUNDS 5000

/* What kill(2) answers; 0: the kernel's own answer. */
static int kill_answers;

int kill(pid_t pid, int signal) {
    errno = kill_answers;
    return kill_answers != 0 ? -1 : (int)syscall(SYS_kill, pid, signal);
}

/* Its children are opened only once it is dead and they have come to somebody else; 0: nobody. */
static pid_t dies_first;

int pidfd_open(pid_t pid, unsigned flags) {
    struct process_info info = {.parent = dies_first};
    int proc = dies_first != 0 ? procfs_open() : -1;
    while (proc >= 0 && info.parent == dies_first && procfs_read(proc, pid, &info) == 0) continue;
    if (proc >= 0) (void)close(proc);
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static void pause_ms(long ms) {
    struct timespec pause = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* In a new process: width children each, depth levels, half of the processes in sessions of their own. Writes a byte to
 * ready once it is there. Never returns. */
static void grow(int ready, int width, int depth) {
    for (int made = 0; depth > 0 && made < width;) {
        if (fork() != 0) {
            made++;
            continue;
        }
        if (made % 2 == 0) (void)setsid();
        depth--;
        made = 0;
    }
    if (write(ready, "x", 1) != 1) _exit(EXIT_FAILURE);
    (void)close_range(3, ~0U, 0);
    for (;;) (void)pause();
}

/* Returns the root of a tree of so many processes, all of them there. */
static pid_t plant(int width, int depth, int count) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) grow(ready[1], width, depth);
    assert_true(pid > 0);
    for (int i = 0; i < count; i++) {
        char byte;
        assert_int_equal(read(ready[0], &byte, 1), 1);
    }
    (void)close(ready[0]);
    (void)close(ready[1]);
    return pid;
}

static struct descendants below_us(void **state) {
    return (struct descendants){.proc = *(int *)*state, .root = getpid()};
}

/* Reaps what has ended. Returns how many that were, or -1 where no child is left. */
static int reap(void) {
    int count = 0;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0) return count > 0 ? count : -1;
        if (pid == 0) return count;
        count++;
    }
}

/* Kills all below us. Returns how many were reaped. */
static int kill_all(const struct descendants *who) {
    int count = 0;
    for (int round = 0; round < PATIENCE_ROUNDS; round++) {
        struct descendants_seen seen;
        descendants_signal(who, SIGKILL, &seen);
        int reaped = reap();
        if (reaped < 0) return count;
        count += reaped;
        if (reaped == 0) pause_ms(1);
    }
    fail_msg("not all dead after %d rounds", PATIENCE_ROUNDS);
    return -1;
}

static void a_whole_tree_is_killed(void **state) {
    (void)plant(3, 3, 40);
    struct descendants who = below_us(state);
    assert_int_equal(kill_all(&who), 40);
}

static void a_whole_tree_is_killed_without_the_kernels_lists(void **state) {
    (void)plant(3, 3, 40);
    struct descendants who = below_us(state);
    who.walk_all = true;
    assert_int_equal(kill_all(&who), 40);
}

/* Where there is none (valgrind 3.19), a round reaches our own children only, and there are more rounds. */
static bool has_pidfd(void) {
    int fd = pidfd_open(getpid(), 0);
    if (fd >= 0) (void)close(fd);
    return fd >= 0;
}

static void expect_one_round_to_do(struct descendants *who) {
    if (!has_pidfd()) return;
    (void)plant(2, 3, 15);
    struct descendants_seen seen;
    descendants_signal(who, SIGTERM, &seen);
    assert_int_equal(seen.children, 1);
    assert_int_equal(seen.refused, 0);
    int reaped = 0;
    for (int i = 0; i < PATIENCE_ROUNDS && reaped < 15; i++) {
        int now = reap();
        if (now < 0) break;
        reaped += now;
        pause_ms(1);
    }
    assert_int_equal(reaped, 15);
}

static void one_round_reaches_every_level(void **state) {
    struct descendants who = below_us(state);
    expect_one_round_to_do(&who);
}

static void one_round_reaches_every_level_without_the_kernels_lists(void **state) {
    struct descendants who = below_us(state);
    who.walk_all = true;
    expect_one_round_to_do(&who);
}

static void stopped_ones_are_continued_to_hear_it(void **state) {
    pid_t pid = plant(0, 0, 1);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
    struct descendants who = below_us(state);
    struct descendants_seen seen;
    descendants_signal(&who, SIGTERM, &seen);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void a_group_is_killed_as_one_after_its_leader_is_gone(void **state) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t leader = fork();
    if (leader == 0) {
        (void)setpgid(0, 0);
        if (fork() == 0) grow(ready[1], 0, 0);
        (void)close_range(3, ~0U, 0);
        _exit(EXIT_SUCCESS);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(waitpid(leader, NULL, 0), leader);
    struct descendants who = below_us(state);
    who.group = leader;
    assert_int_equal(kill_all(&who), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void spared_children_and_what_is_below_them_live_on(void **state) {
    pid_t spared = plant(2, 1, 3);
    pid_t other = plant(2, 1, 3);
    struct descendants who = below_us(state);
    who.spared = &spared;
    who.spared_count = 1;
    struct descendants_seen seen;
    for (int walk = 0; walk < 2; walk++) {
        who.walk_all = walk == 1;
        descendants_signal(&who, SIGKILL, &seen);
    }
    assert_int_equal(waitpid(other, NULL, 0), other);
    pause_ms(50);
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    descendants_signal(&who, SIGKILL, &seen);
    assert_int_equal(seen.children, 0);
    who.spared_count = 0;
    assert_int_equal(kill_all(&who), 3);
}

static void those_older_than_a_given_age_live_on(void **state) {
    struct descendants who = below_us(state);
    pid_t old = plant(0, 0, 1);
    pause_ms(50);
    pid_t young = plant(0, 0, 1);
    struct process_info info;
    assert_int_equal(procfs_read(who.proc, young, &info), 0);
    who.born = info.born;
    struct descendants_seen seen;
    descendants_signal(&who, SIGKILL, &seen);
    assert_int_equal(seen.children, 1);
    assert_int_equal(waitpid(young, NULL, 0), young);
    pause_ms(20);
    assert_int_equal(waitpid(old, NULL, WNOHANG), 0);
    who.born = 0;
    assert_int_equal(kill_all(&who), 1);
}

/* A number that was found may be somebody else's by the time that it is signalled. Here it is another parent's. */
static void a_number_that_isnt_ours_any_more_is_left_alone(void **state) {
    if (!has_pidfd()) return;
    struct descendants who = below_us(state);
    pid_t pid = fork();
    if (pid == 0) { /* no subreaper: its grandchild becomes ours */
        struct descendants_seen seen;
        dies_first = plant(1, 1, 2);
        who.root = getpid();
        descendants_signal(&who, SIGKILL, &seen);
        _exit(waitpid(dies_first, NULL, 0) == dies_first ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    pause_ms(20);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* it lives */
    assert_int_equal(kill_all(&who), 1);
}

static void quiet_helpers_live_on(void **state) {
    struct descendants who = below_us(state);
    who.spare_quiet = true;
    pid_t quiet = (pid_t)syscall(SYS_clone, 0, 0, NULL, NULL, NULL);
    if (quiet == 0) {
        for (;;) (void)pause();
    }
    (void)plant(0, 0, 1);
    struct descendants_seen seen;
    descendants_signal(&who, SIGKILL, &seen);
    assert_int_equal(seen.children, 1);
    assert_true(waitpid(-1, NULL, 0) > 0);
    assert_int_equal(waitpid(-1, NULL, 0), -1); /* nor does it count as a child that is left */
    assert_int_equal(errno, ECHILD);
    assert_int_equal(waitpid(quiet, NULL, WNOHANG | (int)__WCLONE), 0);
    who.guard = quiet; /* a guard is as quiet, and no helper */
    descendants_signal(&who, SIGKILL, &seen);
    assert_int_equal(seen.children, 1);
    assert_int_equal(waitpid(quiet, NULL, (int)__WCLONE), quiet);
}

/* Nothing can be opened meanwhile. Returns what it was before. */
static struct rlimit forbid_opening(void) {
    struct rlimit before, now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return before;
}

static void who_cant_be_signalled_is_named(void **state) {
    static const struct {
        int answer;
        bool refused;
        const char *reason;
    } cases[] = {{EPERM, true, "another user's"}, {EACCES, true, "security module"}, {ESRCH, false, NULL}};
    struct descendants who = below_us(state);
    pid_t pid = plant(0, 0, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct descendants_seen seen;
        kill_answers = cases[i].answer;
        descendants_signal(&who, SIGKILL, &seen);
        kill_answers = 0;
        assert_int_equal(seen.refused, cases[i].refused ? pid : 0);
        if (!cases[i].refused) continue;
        char line[256], number[32];
        (void)snprintf(number, sizeof number, " %d (", (int)pid); /* valgrind gives it another name */
        descendants_describe_refusal(&seen, line, sizeof line);
        assert_non_null(strstr(line, cases[i].reason));
        assert_non_null(strstr(line, number));
    }
    assert_int_equal(kill_all(&who), 1);
}

static void what_cant_be_read_isnt_taken_for_nothing(void **state) {
    struct descendants who = below_us(state);
    (void)plant(0, 0, 1);
    for (int walk = 0; walk < 2; walk++) {
        who.walk_all = walk == 1;
        struct rlimit before = forbid_opening();
        struct descendants_seen seen;
        descendants_signal(&who, SIGKILL, &seen);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_true(seen.failed);
    }
    who.walk_all = false;
    assert_int_equal(kill_all(&who), 1);
}

static void a_whole_tree_is_killed_where_nothing_can_be_opened(void **state) {
    struct descendants who = below_us(state);
    who.list = procfs_open_list(who.proc);
    if (who.list == -ENOTSUP) return;
    assert_true(who.list > 2);
    pid_t helper = plant(0, 0, 1);
    who.spared = &helper;
    who.spared_count = 1;
    (void)plant(3, 3, 40);
    struct rlimit before = forbid_opening();
    struct descendants_seen seen;
    int reaped = 0;
    for (int round = 0; round < PATIENCE_ROUNDS; round++) {
        descendants_signal(&who, SIGKILL, &seen);
        int now = reap();
        reaped += now > 0 ? now : 0;
        if (seen.children == 0) break;
        pause_ms(1);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(seen.failed);
    assert_int_equal(seen.spared, 1);
    assert_int_equal(reaped, 40);
    who.spared_count = 0;
    assert_int_equal(kill_all(&who), 1);
    (void)close(who.list);
}

static int open_proc(void **state) {
    static int proc;
    proc = procfs_open();
    *state = &proc;
    return proc >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 ? 0 : -1;
}

static int close_proc(void **state) { return close(*(int *)*state); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_tree_is_killed),
        cmocka_unit_test(a_whole_tree_is_killed_without_the_kernels_lists),
        cmocka_unit_test(one_round_reaches_every_level),
        cmocka_unit_test(one_round_reaches_every_level_without_the_kernels_lists),
        cmocka_unit_test(stopped_ones_are_continued_to_hear_it),
        cmocka_unit_test(a_group_is_killed_as_one_after_its_leader_is_gone),
        cmocka_unit_test(spared_children_and_what_is_below_them_live_on),
        cmocka_unit_test(those_older_than_a_given_age_live_on),
        cmocka_unit_test(a_number_that_isnt_ours_any_more_is_left_alone),
        cmocka_unit_test(quiet_helpers_live_on),
        cmocka_unit_test(who_cant_be_signalled_is_named),
        cmocka_unit_test(what_cant_be_read_isnt_taken_for_nothing),
        cmocka_unit_test(a_whole_tree_is_killed_where_nothing_can_be_opened),
    };
    return cmocka_run_group_tests(tests, open_proc, close_proc);
}
