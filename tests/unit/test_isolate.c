/* The first process of the command's namespace: what it reports and passes on, and that nothing
 * outlives it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "process/child.h"
#include "process/isolate.h"
#include "process/message.h"
#include "process/procfs.h"

#define PATIENCE_MS 10000
#define NOBODY      65534
#define FAMILY                                                                                     \
    "trap '' TERM; sleep 300 & setsid sleep 300 & setsid sh -c 'sleep 300 & sleep 300' & "

extern char **environ;

/* A command, and a pipe whose other end it and all that it starts have: the end of file is the end
 * of them all. */
struct scene {
    struct child child;
    struct dead_man dead_man;
    int tray[2];
    int proc;
    int lives; /* the pipe */
    int ends;
};

static bool ready(int fd, int timeout_ms) {
    struct pollfd fds = {.fd = fd, .events = POLLIN};
    return poll(&fds, 1, timeout_ms) > 0;
}

/* Whether the end of file is there within timeout_ms; what was written before is skipped. */
static bool all_gone(const struct scene *s, int timeout_ms) {
    char byte;
    while (ready(s->lives, timeout_ms)) {
        ssize_t got = read(s->lives, &byte, 1);
        if (got == 0) return true;
    }
    return false;
}

static void expect_byte(const struct scene *s, char expected) {
    char byte = '\0';
    assert_true(ready(s->lives, PATIENCE_MS));
    assert_int_equal(read(s->lives, &byte, 1), 1);
    assert_int_equal(byte, expected);
}

/* script's standard output is the pipe. */
static void prepare(struct scene *s, const char *script) {
    char *argv[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    struct child_origin origin = {.chld_ignored = false};
    char reason[TEXT_REASON_SIZE] = "";
    int fds[2];
    sigemptyset(&origin.mask);
    s->dead_man = (struct dead_man){.own = {0}};
    assert_int_equal(message_pair(s->tray), 0);
    assert_int_equal(pipe(fds), 0);
    s->lives = fds[0];
    s->ends = fds[1];
    s->proc = procfs_open();
    assert_true(s->proc >= 0);
    assert_int_equal(child_prepare(&s->child, argv, environ, &origin), 0);
    s->child.isolate = (struct isolate){.wanted = true, .proc = s->proc};
    if (isolate_check(&s->child.isolate, reason) != 0) fail_msg("%s", reason);
}

/* In this process, standard output is the pipe from now on. */
static void start(struct scene *s) {
    assert_int_equal(dead_man_set(&s->dead_man, s->tray[0]), 0);
    int kept = dup(STDOUT_FILENO);
    assert_true(kept >= 0 && dup2(s->ends, STDOUT_FILENO) >= 0);
    assert_int_equal(close(s->ends), 0);
    (void)fcntl(s->lives, F_SETFD, FD_CLOEXEC);
    (void)fcntl(kept, F_SETFD, FD_CLOEXEC);
    int error = child_start(&s->child, 1, &s->dead_man);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(kept);
    assert_int_equal(error, 0);
}

static void begin(struct scene *s, const char *script) {
    prepare(s, script);
    start(s);
}

static void end(struct scene *s) {
    child_deinit(&s->child);
    dead_man_close(&s->dead_man);
    (void)close(s->tray[0]);
    (void)close(s->tray[1]);
    (void)close(s->lives);
    (void)close(s->proc);
}

/* Waits for what it says next. */
static struct init_news next_news(struct scene *s) {
    struct init_news news = {.type = INIT_NOTHING};
    while (news.type == INIT_NOTHING) {
        if (s->child.init.socket < 0 || !ready(s->child.init.socket, PATIENCE_MS))
            fail_msg("it says nothing");
        init_hear(&s->child.init, &news);
    }
    return news;
}

static void await_end(pid_t pid) {
    int waited_ms = 0;
    while (waitpid(pid, NULL, WNOHANG) == 0 && waited_ms++ < PATIENCE_MS) (void)poll(NULL, 0, 1);
    assert_true(waited_ms < PATIENCE_MS);
}

/* Waits for its end, within which everything else's lies. */
static struct init_news reaped(struct scene *s) {
    struct init_news news;
    pid_t pid = s->child.init.pid;
    await_end(pid);
    assert_true(all_gone(s, 0));
    init_reaped(&s->child.init, &news);
    return news;
}

static void an_end_is_reported(void **state) {
    static const struct {
        const char *script;
        int exit_code;
    } cases[] = {{"exit 0", 0},
                 {"exit 7", 7},
                 {"kill -SEGV $$", CHILD_EXIT_SIGNALLED + SIGSEGV},
                 {"kill -KILL $$", CHILD_EXIT_SIGNALLED + SIGKILL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        begin(&s, cases[i].script);
        struct init_news news = reaped(&s);
        assert_int_equal(news.type, INIT_COMMAND_ENDED);
        assert_int_equal(news.exit_code, cases[i].exit_code);
        assert_int_equal(news.exec_errno, 0);
        end(&s);
    }
}

static void a_failed_exec_is_reported_with_its_reason(void **state) {
    struct scene s;
    (void)state;
    prepare(&s, "");
    s.child.arguments[0][0] = '\0';
    start(&s);
    struct init_news news = reaped(&s);
    assert_int_equal(news.exit_code, CHILD_EXIT_NOT_FOUND);
    assert_int_equal(news.exec_errno, ENOENT);
    end(&s);
}

static void it_is_the_second_process_and_sees_no_others(void **state) {
    struct scene s;
    (void)state;
    begin(&s, "test $$ -eq 2 && test $PPID -eq 1 && readlink /proc/self >/dev/null && set -- "
              "/proc/[0-9]* && exit $#");
    assert_int_equal(reaped(&s).exit_code, 2);
    end(&s);
}

static void everything_dies_with_it_at_once(void **state) {
    struct scene s;
    (void)state;
    begin(&s, FAMILY "echo; sleep 300");
    expect_byte(&s, '\n');
    child_signal(&s.child, SIGKILL);
    struct init_news news = reaped(&s);
    assert_int_equal(news.type, INIT_COMMAND_ENDED);
    assert_int_equal(news.exit_code, CHILD_EXIT_SIGNALLED + SIGKILL);
    end(&s);
}

/* Even where it is stopped, and so couldn't find out by itself. */
static void it_dies_with_the_guard(void **state) {
    struct scene s;
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        prepare(&s, FAMILY "echo; sleep 300");
        pid_t guard = fork();
        if (guard == 0) {
            start(&s);
            expect_byte(&s, '\n');
            if (stopped) (void)kill(s.child.init.pid, SIGSTOP);
            (void)kill(getpid(), SIGKILL);
        }
        assert_int_equal(close(s.ends), 0);
        assert_int_equal(waitpid(guard, NULL, 0), guard);
        assert_true(all_gone(&s, PATIENCE_MS));
        assert_true(wait(NULL) >
                    0); /* it came to us, and is reaped before the next test's children */
        end(&s);
    }
}

static void a_start_that_a_dead_guard_left_behind_begins_nothing(void **state) {
    struct scene s;
    (void)state;
    for (int i = 0; i < 20; i++) {
        prepare(&s, "echo began");
        pid_t guard = fork();
        if (guard == 0) {
            start(&s);
            _exit(EXIT_SUCCESS);
        }
        assert_int_equal(close(s.ends), 0);
        assert_int_equal(waitpid(guard, NULL, 0), guard);
        assert_true(all_gone(&s, PATIENCE_MS));
        while (wait(NULL) > 0) continue;
        end(&s);
    }
}

static void signals_reach_the_command_and_not_its_other_groups(void **state) {
    struct scene s;
    (void)state;
    begin(&s, "trap 'exit 5' USR1; setsid sh -c 'trap \"\" TERM; trap \"echo no\" USR1; echo up; "
              "sleep 0.5; exit 0' & "
              "while :; do sleep 0.01; done");
    expect_byte(&s, 'u');
    child_signal(&s.child, SIGUSR1);
    struct init_news news = next_news(&s);
    assert_int_equal(news.type, INIT_COMMAND_ENDED);
    assert_int_equal(news.exit_code, 5);
    expect_byte(&s, 'p');
    expect_byte(&s, '\n');
    char byte;
    assert_true(ready(s.lives, PATIENCE_MS));
    assert_int_equal(read(s.lives, &byte, 1), 0);
    (void)reaped(&s);
    end(&s);
}

static void a_stop_is_reported_and_a_signal_continues_it(void **state) {
    struct scene s;
    (void)state;
    begin(&s, "kill -STOP $$; exit 3");
    struct init_news news = next_news(&s);
    assert_int_equal(news.type, INIT_COMMAND_STOPPED);
    assert_int_equal(news.signal, SIGSTOP);
    child_signal(&s.child, SIGCONT);
    assert_int_equal(reaped(&s).exit_code, 3);
    end(&s);
}

static void the_rest_is_signalled_wherever_it_is(void **state) {
    struct scene s;
    (void)state;
    begin(&s, "setsid sh -c 'trap \"echo t; exit 0\" TERM; echo u; while :; do sleep 0.01; done' & "
              "setsid sh -c 'echo v; kill -STOP $$' & sleep 0.1; exit 7");
    assert_int_equal(next_news(&s).exit_code, 7);
    for (int i = 0; i < 4; i++) { /* both are up, in whichever order */
        char byte;
        assert_int_equal(read(s.lives, &byte, 1), 1);
    }
    init_signal_rest(&s.child.init, SIGTERM);
    expect_byte(&s, 't');
    await_end(s.child.init.pid);
    assert_true(all_gone(&s, 0));
    struct init_news news;
    init_reaped(&s.child.init, &news);
    assert_int_equal(news.type, INIT_NOTHING); /* the end is told once */
    end(&s);
}

/* More than its socket holds: what the kernel does with a process that doesn't get to its signals.
 */
static void signals_wait_for_one_that_is_stopped(void **state) {
    struct scene s;
    (void)state;
    begin(&s, "trap 'exit 5' USR1; trap : USR2; echo u; while :; do sleep 0.01; done");
    expect_byte(&s, 'u');
    (void)kill(s.child.init.pid, SIGSTOP);
    int sent = 0;
    while (!init_owes(&s.child.init) && sent++ < 100000) child_signal(&s.child, SIGUSR2);
    assert_true(init_owes(&s.child.init));
    child_signal(&s.child, SIGUSR1);
    (void)kill(s.child.init.pid, SIGCONT);
    while (init_owes(&s.child.init)) init_send_owed(&s.child.init);
    struct init_news news = next_news(&s);
    assert_int_equal(news.exit_code, 5);
    (void)reaped(&s);
    end(&s);
}

static void what_it_reported_outlives_it_with_something_unread(void **state) {
    struct scene s;
    (void)state;
    begin(&s, "sleep 300 & exit 7");
    assert_true(ready(s.child.init.socket, PATIENCE_MS));
    (void)kill(s.child.init.pid, SIGSTOP);
    init_signal_rest(&s.child.init, SIGTERM);
    (void)kill(s.child.init.pid, SIGKILL);
    assert_int_equal(reaped(&s).exit_code, 7);
    end(&s);
}

static void thousands_of_orphans_are_reaped(void **state) {
    struct scene s;
    (void)state;
    begin(&s, "i=0; while [ $i -lt 600 ]; do (true & true &); i=$((i + 1)); done; exit 4");
    assert_int_equal(reaped(&s).exit_code, 4);
    end(&s);
}

/* --- who may --- */

/* Runs in a process of its own, since what it does to itself can't be undone. */
static void in_another_process(void (*body)(void)) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        body();
        _exit(EXIT_SUCCESS);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

#define DEMAND(condition)                                                                          \
    if (!(condition)) _exit(__LINE__ % 200 + 1)

static void drop_cap_sys_admin(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    DEMAND(syscall(SYS_capget, &header, data) == 0);
    data[0].effective &= ~(1U << CAP_SYS_ADMIN);
    data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
    DEMAND(syscall(SYS_capset, &header, data) == 0);
}

static void is_refused(void) {
    char reason[TEXT_REASON_SIZE] = "";
    struct isolate how = {.wanted = true, .proc = procfs_open()};
    drop_cap_sys_admin();
    DEMAND(isolate_check(&how, reason) == -EPERM);
    DEMAND(strstr(reason, "CAP_SYS_ADMIN") != NULL);
}

static void has_a_user_namespace(void) {
    char reason[TEXT_REASON_SIZE] = "";
    struct isolate how = {.wanted = true, .proc = procfs_open()};
    DEMAND(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
    DEMAND(isolate_check(&how, reason) == 0);
    DEMAND(how.user_namespace && how.user == NOBODY && how.group == NOBODY);
    const char *what;
    pid_t pid = isolate_fork(&how);
    if (pid == 0)
        _exit(isolate_settle_in(&how, &what) == 0 && getpid() == 1 && getuid() == NOBODY &&
                      getgid() == NOBODY
                  ? 0
                  : 1);
    int status = 0;
    DEMAND(waitpid(pid, &status, 0) == pid && status == 0);
}

static void privileges_that_would_be_lost_are_a_reason_to_refuse(void **state) {
    (void)state;
    if (geteuid() != 0) skip();
    in_another_process(is_refused);
}

static void a_user_without_any_gets_a_user_namespace(void **state) {
    (void)state;
    if (geteuid() != 0) skip();
    in_another_process(has_a_user_namespace);
}

static void root_needs_none(void **state) {
    struct scene s;
    (void)state;
    if (geteuid() != 0) skip();
    begin(&s, "exit 0");
    assert_false(s.child.isolate.user_namespace);
    (void)reaped(&s);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_is_reported),
        cmocka_unit_test(a_failed_exec_is_reported_with_its_reason),
        cmocka_unit_test(it_is_the_second_process_and_sees_no_others),
        cmocka_unit_test(everything_dies_with_it_at_once),
        cmocka_unit_test(it_dies_with_the_guard),
        cmocka_unit_test(a_start_that_a_dead_guard_left_behind_begins_nothing),
        cmocka_unit_test(signals_reach_the_command_and_not_its_other_groups),
        cmocka_unit_test(a_stop_is_reported_and_a_signal_continues_it),
        cmocka_unit_test(the_rest_is_signalled_wherever_it_is),
        cmocka_unit_test(signals_wait_for_one_that_is_stopped),
        cmocka_unit_test(what_it_reported_outlives_it_with_something_unread),
        cmocka_unit_test(thousands_of_orphans_are_reaped),
        cmocka_unit_test(privileges_that_would_be_lost_are_a_reason_to_refuse),
        cmocka_unit_test(a_user_without_any_gets_a_user_namespace),
        cmocka_unit_test(root_needs_none),
    };
    sigset_t all; /* as the guard has them */
    sigfillset(&all);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || sigprocmask(SIG_SETMASK, &all, NULL) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
