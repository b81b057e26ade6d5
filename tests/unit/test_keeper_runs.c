/* Runs under a real keeper and a real guard, and how they end. What befalls the two is in
 * test_keeper_losses.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "keeper_play.h"
#include "process/child.h"
#include "process/guard_step.h"

#define TEST(name)                                                                                 \
    static void name(void **state) {                                                               \
        (void)state;                                                                               \
        play(play_##name, 0);                                                                      \
    }

/* --- by itself --- */

static void play_a_command_ends_with_its_own_code(struct keeper *keeper) {
    begin(keeper, LONG_NS, "exit 7");
    (void)start(keeper, 1);
    CHECK(keeper_start(keeper, 2, clock_now().lease_ns + LONG_NS) == -EBUSY);
    expect_gone(keeper, KEEPER_ENDED, 7);
    CHECK(keeper_extend(keeper, clock_now().lease_ns + LONG_NS) == -ESRCH);
    keeper_deinit(keeper);
    keeper_deinit(keeper);
}
TEST(a_command_ends_with_its_own_code)

static void play_a_signal_that_ends_it_is_in_its_code(struct keeper *keeper) {
    begin(keeper, LONG_NS, "kill -9 $$");
    (void)start(keeper, 1);
    expect_gone(keeper, KEEPER_ENDED, CHILD_EXIT_SIGNALLED + SIGKILL);
    keeper_deinit(keeper);
}
TEST(a_signal_that_ends_it_is_in_its_code)

static void play_each_start_has_its_token_and_the_descriptors(struct keeper *keeper) {
    int inherited = open("/dev/null", O_RDONLY);
    char script[256];
    (void)setenv("LEADEREXEC_TOKEN", "old", 1);
    (void)text_format(script, sizeof script,
                      "env | grep -c LEADEREXEC_TOKEN= >$EAR.1; "
                      "echo $LEADEREXEC_TOKEN $(readlink /proc/self/fd/%d) $(cat $EAR.1) >$EAR; "
                      "rm $EAR.1",
                      inherited);
    struct keeper_options options = usual(LONG_NS, script);
    options.restartable = true;
    begin_with(keeper, &options);
    for (int64_t token = 41; token <= 43; token++) {
        char expected[64];
        (void)start(keeper, token);
        (void)text_format(expected, sizeof expected, "%lld /dev/null 1", (long long)token);
        CHECK(strcmp(hear(), expected) == 0);
        expect_gone(keeper, KEEPER_ENDED, 0);
    }
    keeper_deinit(keeper);
}
TEST(each_start_has_its_token_and_the_descriptors)

static void runs_with(struct keeper *keeper, char *const *argv, int exit_code, int exec_errno) {
    struct keeper_options options = usual(LONG_NS, "");
    options.argv = argv;
    begin_with(keeper, &options);
    (void)start(keeper, 1);
    struct keeper_event event = until_event(keeper);
    CHECK(event.type == KEEPER_GONE && event.end == KEEPER_ENDED);
    CHECK(event.exit_code == exit_code);
    CHECK(event.exec_errno == exec_errno);
    keeper_deinit(keeper);
}

static void play_what_isnt_there_isnt_found(struct keeper *keeper) {
    runs_with(keeper, (char *[]){"no-such-command", NULL}, 127, ENOENT);
    runs_with(keeper, (char *[]){"./no-such-command", NULL}, 127, ENOENT);
    runs_with(keeper, (char *[]){"", NULL}, 127, ENOENT);
    runs_with(keeper, (char *[]){"/etc/passwd", NULL}, 126, EACCES);
}
TEST(what_isnt_there_isnt_found)

/* A folder that isn't one, one that isn't there, one where it may not be run, an empty one (the
 * current), then the right one. */
static void play_it_is_looked_for_as_execvp_does(struct keeper *keeper) {
    char folder[] = "/tmp/leaderexec-path-XXXXXX";
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0 && mkdir("bin", 0755) == 0);
    int fd = open("tool", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
    static const char script[] = "echo \"$0 $1\" >$EAR; exit 9\n"; /* no interpreter line */
    fd = open("bin/tool", O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    CHECK(fd >= 0 && write(fd, script, sizeof script - 1) > 0 && close(fd) == 0);
    char path[128];
    (void)text_format(path, sizeof path, "/etc/passwd:/nowhere::%s/bin:/bin:/usr/bin", folder);
    CHECK(setenv("PATH", path, 1) == 0);
    runs_with(keeper, (char *[]){"tool", "x y", NULL}, 9, 0);
    char expected[128];
    (void)text_format(expected, sizeof expected, "%s/bin/tool x y", folder);
    CHECK(strcmp(hear(), expected) == 0);
    CHECK(setenv("PATH", "/nowhere:", 1) == 0); /* may not be run: worth more than not found */
    runs_with(keeper, (char *[]){"tool", NULL}, 126, EACCES);
    CHECK(unsetenv("PATH") == 0); /* a usual one */
    runs_with(keeper, (char *[]){"sh", "-c", "exit 4", NULL}, 4, 0);
    CHECK(unlink("bin/tool") == 0 && unlink("tool") == 0 && rmdir("bin") == 0 &&
          rmdir(folder) == 0);
}
TEST(it_is_looked_for_as_execvp_does)

/* --- as it was started --- */

static void play_mask_and_dispositions_are_those_of_the_start(struct keeper *keeper) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
    CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR && signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    struct keeper_options options = usual(LONG_NS, "");
    /* No shell: it has ideas of its own. */
    options.argv = (char *[]){"awk",
                              "/^Sig(Blk|Ign)/ { all = all $2 \" \" } "
                              "END { print all > ENVIRON[\"EAR\"] }",
                              "/proc/self/status", NULL};
    begin_with(keeper, &options);
    (void)start(keeper, 1);
    /* WINCH is 28, HUP 1, CHLD 17. */
    CHECK(strcmp(hear(), "0000000008000000 0000000000010001 ") == 0);
    expect_gone(keeper, KEEPER_ENDED, 0);
    keeper_deinit(keeper);
}
TEST(mask_and_dispositions_are_those_of_the_start)

static void play_a_command_leads_its_own_group_and_holds_nothing_of_ours(struct keeper *keeper) {
    int before[64]; /* the stage's own are close-on-exec */
    for (int fd = 3; fd < 64; fd++) before[fd] = fcntl(fd, F_GETFD);
    begin(keeper, LONG_NS,
          "set -- $(cat /proc/$$/stat); echo $(($1 - $5)) $(ls /proc/$$/fd | wc -l) >$EAR");
    for (int fd = 0; fd < 2; fd++) { /* nor do we hold what it got */
        struct stat status, null;
        CHECK(stat("/dev/null", &null) == 0 && fstat(fd, &status) == 0);
        CHECK(status.st_rdev == null.st_rdev);
    }
    (void)start(keeper, 1);
    CHECK(strncmp(hear(), "0 ", 2) == 0);
    expect_gone(keeper, KEEPER_ENDED, 0);
    keeper_deinit(keeper);
    for (int fd = 3; fd < 64; fd++) CHECK(fcntl(fd, F_GETFD) < 0 || before[fd] == FD_CLOEXEC);
}
TEST(a_command_leads_its_own_group_and_holds_nothing_of_ours)

static void play_the_guard_has_a_name_of_its_own(struct keeper *keeper) {
    char path[64], line[256];
    begin(keeper, LONG_NS, "exit 0");
    CHECK(strcmp(name_of(shared->guard), "le-guard") == 0);
    (void)text_format(path, sizeof path, "/proc/%d/cmdline", (int)shared->guard);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, line, sizeof line - 1);
    CHECK(fd >= 0 && got > 0 && close(fd) == 0);
    line[got] = '\0';
    CHECK(strcmp(line, "le-guard") == 0);
    keeper_deinit(keeper);
}
TEST(the_guard_has_a_name_of_its_own)

/* Who reads the other end of a pipe that the command has closed sees its end. */
static void play_neither_keeper_nor_guard_holds_what_the_command_got(struct keeper *keeper) {
    int ours[2];
    char script[128];
    CHECK(pipe(ours) == 0 && fcntl(ours[0], F_SETFD, FD_CLOEXEC) == 0);
    (void)text_format(script, sizeof script, "exec %d>&-; echo closed >$EAR; sleep 100", ours[1]);
    pid_t reader = fork();
    if (reader == 0) {
        char byte;
        (void)close(ours[1]);
        _exit(read(ours[0], &byte, 1) == 0 ? 0 : 1);
    }
    begin(keeper, LONG_NS, script);
    (void)start(keeper, 1);
    CHECK(fcntl(ours[1], F_GETFD) < 0);
    CHECK(strcmp(hear(), "closed") == 0);
    await_dead(reader);
    CHECK(keeper_stop(keeper, KEEPER_STOP_SHUTDOWN, 0, false) == 0);
    expect_gone(keeper, KEEPER_ENDED, CHILD_EXIT_SIGNALLED + SIGTERM);
    keeper_deinit(keeper);
}
TEST(neither_keeper_nor_guard_holds_what_the_command_got)

/* --- at a lease's end --- */

static void play_a_lease_that_isnt_moved_ends_it_in_time(struct keeper *keeper) {
    begin(keeper, SHORT_NS, "trap 'echo asked >$EAR; exit 3' TERM; sleep 100 & wait");
    int64_t end_ns = start(keeper, 1), margin_ns = keeper->options.margin_ns;
    struct guard_config config;
    guard_set_looks(&config, keeper->options.ttl_ns); /* late on a busy machine, it stops the command earlier */
    expect_gone(keeper, KEEPER_OUT_OF_TIME, 3);
    CHECK(clock_now().lease_ns >= end_ns - 2 * margin_ns - config.early_most_ns);
    CHECK(strcmp(hear(), "asked") == 0);
    keeper_deinit(keeper);
}
TEST(a_lease_that_isnt_moved_ends_it_in_time)

static void play_who_ignores_being_asked_is_killed(struct keeper *keeper) {
    begin(keeper, SHORT_NS, "trap '' TERM; sleep 100 & setsid sleep 100 & wait; wait; sleep 100");
    int64_t end_ns = start(keeper, 1), margin_ns = keeper->options.margin_ns;
    expect_gone(keeper, KEEPER_OUT_OF_TIME, CHILD_EXIT_SIGNALLED + SIGKILL);
    CHECK(clock_now().lease_ns >= end_ns - 2 * margin_ns); /* asked late, it is killed early */
    keeper_deinit(keeper);
}
TEST(who_ignores_being_asked_is_killed)

static void play_a_lease_that_is_moved_ends_later(struct keeper *keeper) {
    begin(keeper, SHORT_NS, "exec sleep 100");
    int64_t end_ns = start(keeper, 1) + LONG_NS;
    CHECK(keeper_extend(keeper, end_ns) == 0);
    CHECK(keeper_extend(keeper, end_ns - LONG_NS) == 0); /* never back */
    CHECK(event_within(keeper, SHORT_NS).type == KEEPER_NOTHING);
    await_family(shared->guard, 1);
    CHECK(keeper_stop(keeper, KEEPER_STOP_LOST, 0, false) == 0);
    expect_gone(keeper, KEEPER_ENDED, CHILD_EXIT_SIGNALLED + SIGTERM);
    keeper_deinit(keeper);
}
TEST(a_lease_that_is_moved_ends_later)

/* --- when told to --- */

static void play_who_doesnt_stop_when_told_is_killed_in_time(struct keeper *keeper) {
    struct keeper_options options = usual(LONG_NS, "trap '' TERM; echo ready >$EAR; sleep 100");
    options.stop_timeout_ns = 200 * NS_PER_MS;
    begin_with(keeper, &options);
    (void)start(keeper, 1);
    (void)hear();
    int64_t told_ns = clock_now().lease_ns;
    CHECK(keeper_stop(keeper, KEEPER_STOP_SHUTDOWN, 0, false) == 0);
    expect_gone(keeper, KEEPER_ENDED, CHILD_EXIT_SIGNALLED + SIGKILL);
    CHECK(clock_now().lease_ns - told_ns >= options.stop_timeout_ns);
    keeper_deinit(keeper);
}
TEST(who_doesnt_stop_when_told_is_killed_in_time)

static void play_a_stopped_command_is_continued_to_end(struct keeper *keeper) {
    begin(keeper, LONG_NS, "trap 'exit 3' TERM; echo ready >$EAR; kill -STOP $$; sleep 100");
    (void)start(keeper, 1);
    (void)hear();
    CHECK(event_within(keeper, 50 * NS_PER_MS).type == KEEPER_NOTHING);
    CHECK(keeper_stop(keeper, KEEPER_STOP_SHUTDOWN, 0, false) == 0);
    expect_gone(keeper, KEEPER_ENDED, 3);
    keeper_deinit(keeper);
}
TEST(a_stopped_command_is_continued_to_end)

static void play_what_a_command_leaves_is_asked_and_then_killed(struct keeper *keeper) {
    struct keeper_options options = usual(
        LONG_NS, "(trap 'echo asked >$EAR; exit' TERM; sleep 100 & wait) & "
                 "setsid sh -c 'trap \"\" TERM; echo ready >$EAR; sleep 100' & sleep 0.1; exit 6");
    options.kill_after_ns = 200 * NS_PER_MS;
    begin_with(keeper, &options);
    (void)start(keeper, 1);
    (void)hear();
    expect_gone(keeper, KEEPER_ENDED, 6);
    CHECK(strcmp(hear(), "asked") == 0);
    keeper_deinit(keeper);
}
TEST(what_a_command_leaves_is_asked_and_then_killed)

/* A clone without an exit signal, which waitid(2) doesn't see unless it is told to; as an orphan it
 * is a child like any other. This is the command then. */
static int clone_quietly(void) {
    if (signal(SIGTERM, SIG_IGN) == SIG_ERR) return EXIT_FAILURE;
    if (syscall(SYS_clone, 0, 0, NULL, NULL, NULL) != 0) return EXIT_SUCCESS;
    pause_ms(300);
    int fd = open(getenv("EAR"), O_WRONLY | O_CLOEXEC);
    return write(fd, "left\n", 5) == 5 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void play_a_clone_without_an_exit_signal_is_waited_for(struct keeper *keeper) {
    struct keeper_options options = usual(LONG_NS, "");
    options.argv = (char *[]){"/proc/self/exe", "clone-quietly", NULL};
    begin_with(keeper, &options);
    (void)start(keeper, 1);
    expect_gone(keeper, KEEPER_ENDED, 0);
    CHECK(!nothing_was_heard());
    keeper_deinit(keeper);
}
TEST(a_clone_without_an_exit_signal_is_waited_for)

/* --- signals --- */

#define TRAPS                                                                                      \
    "trap 'echo usr1 >$EAR' USR1; trap 'echo int >$EAR' INT; trap 'echo term >$EAR; exit 3' "      \
    "TERM; "                                                                                       \
    "echo ready >$EAR; while :; do sleep 100 & wait; done"

static void play_signals_are_passed_on(struct keeper *keeper) {
    begin(keeper, LONG_NS, TRAPS);
    CHECK(kill(getpid(), SIGUSR1) == 0); /* to nobody */
    CHECK(event_within(keeper, 20 * NS_PER_MS).type == KEEPER_NOTHING);
    (void)start(keeper, 1);
    CHECK(strcmp(hear(), "ready") == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(event_within(keeper, 20 * NS_PER_MS).type == KEEPER_NOTHING);
    CHECK(strcmp(hear(), "usr1") == 0);
    CHECK(kill(getpid(), SIGTERM) == 0);
    int64_t told_ns = clock_now().lease_ns;
    struct keeper_event event = until_event(keeper);
    CHECK(event.type == KEEPER_SIGNALLED && event.signal == SIGTERM && !event.from_kernel);
    CHECK(clock_now().lease_ns - told_ns < 10 * NS_PER_S); /* it wakes us */
    CHECK(keeper_stop(keeper, KEEPER_STOP_SHUTDOWN, SIGTERM, false) == 0);
    expect_gone(keeper, KEEPER_ENDED, 3);
    CHECK(strcmp(hear(), "term") == 0);
    keeper_deinit(keeper);
}
TEST(signals_are_passed_on)

static void play_the_whole_group_hears_it(struct keeper *keeper) {
    begin(keeper, LONG_NS,
          "trap : USR1; (trap 'echo below >$EAR' USR1; echo ready >$EAR; "
          "while :; do sleep 0.05; done) & while :; do wait; done");
    (void)start(keeper, 1);
    CHECK(strcmp(hear(), "ready") == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(event_within(keeper, 20 * NS_PER_MS).type == KEEPER_NOTHING);
    CHECK(strcmp(hear(), "below") == 0);
    keeper_deinit(keeper);
}
TEST(the_whole_group_hears_it)

static void play_a_second_signal_is_passed_on_and_a_repeated_one_dropped(struct keeper *keeper) {
    begin(keeper, LONG_NS, TRAPS);
    (void)start(keeper, 1);
    CHECK(strcmp(hear(), "ready") == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(kill(getpid(), SIGINT) == 0);
        struct keeper_event event = event_within(keeper, 20 * NS_PER_MS);
        CHECK(event.type == (i == 0 ? KEEPER_SIGNALLED : KEEPER_NOTHING));
        if (i == 1) continue;
        CHECK(event.signal == SIGINT);
        CHECK(keeper_stop(keeper, KEEPER_STOP_SHUTDOWN, SIGINT, false) == 0);
        CHECK(strcmp(hear(), "int") == 0); /* as itself, not as the stop signal */
    }
    CHECK(kill(getpid(), SIGTERM) == 0);
    CHECK(until_event(keeper).signal == SIGTERM);
    expect_gone(keeper, KEEPER_ENDED, 3); /* who stops it already heard of it here */
    keeper_deinit(keeper);
}
TEST(a_second_signal_is_passed_on_and_a_repeated_one_dropped)

/* The terminal's signals reach the command by themselves; it is in our group. */
static void play_a_terminals_command_hears_it_itself(struct keeper *keeper) {
    char expected[64];
    begin(keeper, LONG_NS,
          "trap 'echo int >$EAR; exit 4' INT; set -- $(cat /proc/$$/stat); echo $5 >$EAR; "
          "while :; do sleep 0.05; done");
    CHECK(keeper->foreground);
    (void)start(keeper, 1);
    (void)text_format(expected, sizeof expected, "%d", (int)getpgrp());
    CHECK(strcmp(hear(), expected) == 0);
    shared->press_interrupt = true;
    struct keeper_event event = until_event(keeper);
    CHECK(event.type == KEEPER_SIGNALLED && event.signal == SIGINT && event.from_kernel);
    CHECK(keeper_stop(keeper, KEEPER_STOP_SHUTDOWN, SIGINT, true) == 0);
    CHECK(strcmp(hear(), "int") == 0);
    expect_gone(keeper, KEEPER_ENDED, 4);
    keeper_deinit(keeper);
}

static void a_terminals_command_hears_it_itself(void **state) {
    (void)state;
    play_on_terminal(play_a_terminals_command_hears_it_itself);
}

/* What isn't the terminal's is passed on there, too, and a stop goes to the group: not to us. */
static void play_a_terminals_command_is_stopped_with_its_group(struct keeper *keeper) {
    begin(keeper, LONG_NS, TRAPS);
    (void)start(keeper, 1);
    CHECK(strcmp(hear(), "ready") == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(event_within(keeper, 20 * NS_PER_MS).type == KEEPER_NOTHING);
    CHECK(strcmp(hear(), "usr1") == 0);
    CHECK(keeper_stop(keeper, KEEPER_STOP_LOST, 0, false) == 0);
    CHECK(strcmp(hear(), "term") == 0);
    struct keeper_event event = until_event(keeper);
    while (event.type == KEEPER_SIGNALLED) event = until_event(keeper);
    CHECK(event.type == KEEPER_GONE && event.end == KEEPER_ENDED && event.exit_code == 3);
    keeper_deinit(keeper);
}

static void a_terminals_command_is_stopped_with_its_group(void **state) {
    (void)state;
    play_on_terminal(play_a_terminals_command_is_stopped_with_its_group);
}

static void play_what_was_ignored_at_start_stays_ignored(struct keeper *keeper) {
    CHECK(signal(SIGINT, SIG_IGN) != SIG_ERR);
    begin(keeper, LONG_NS, "echo ready >$EAR; sleep 100");
    (void)start(keeper, 1);
    (void)hear();
    CHECK(kill(getpid(), SIGINT) == 0 && kill(getpid(), SIGPIPE) == 0);
    CHECK(event_within(keeper, 50 * NS_PER_MS).type == KEEPER_NOTHING);
    char reason[TEXT_REASON_SIZE];
    CHECK(keeper_finish(keeper, reason) == 0); /* kills what runs */
    keeper_deinit(keeper);
}
TEST(what_was_ignored_at_start_stays_ignored)

int main(int argc, char **argv) {
    if (argc > 1) return strcmp(argv[1], "clone-quietly") == 0 ? clone_quietly() : EXIT_FAILURE;
    (void)alarm(120);
#define STAGED(test) cmocka_unit_test_setup_teardown(test, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        STAGED(a_command_ends_with_its_own_code),
        STAGED(a_signal_that_ends_it_is_in_its_code),
        STAGED(each_start_has_its_token_and_the_descriptors),
        STAGED(what_isnt_there_isnt_found),
        STAGED(it_is_looked_for_as_execvp_does),
        STAGED(mask_and_dispositions_are_those_of_the_start),
        STAGED(a_command_leads_its_own_group_and_holds_nothing_of_ours),
        STAGED(the_guard_has_a_name_of_its_own),
        STAGED(neither_keeper_nor_guard_holds_what_the_command_got),
        STAGED(a_lease_that_isnt_moved_ends_it_in_time),
        STAGED(who_ignores_being_asked_is_killed),
        STAGED(a_lease_that_is_moved_ends_later),
        STAGED(who_doesnt_stop_when_told_is_killed_in_time),
        STAGED(a_stopped_command_is_continued_to_end),
        STAGED(what_a_command_leaves_is_asked_and_then_killed),
        STAGED(a_clone_without_an_exit_signal_is_waited_for),
        STAGED(signals_are_passed_on),
        STAGED(the_whole_group_hears_it),
        STAGED(a_second_signal_is_passed_on_and_a_repeated_one_dropped),
        STAGED(a_terminals_command_hears_it_itself),
        STAGED(a_terminals_command_is_stopped_with_its_group),
        STAGED(what_was_ignored_at_start_stays_ignored),
    };
    return cmocka_run_group_tests_name("keeper runs", tests, NULL, NULL);
}
