/* Log lines on descriptors that others share: whole lines, and never a wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define PATIENCE_S 20 /* then a wait that never ends ends the test */
#define MANY       3000
#define LONG_LINE                                                                                                      \
    "a line of some length, so that what is left of a buffer isn't enough for it .........................."

static struct log log_on(int fd) { return (struct log){.fd = fd, .level = LOG_LEVEL_WARN}; }

static void expect_no_wait(int fd) {
    struct log log = log_on(fd);
    (void)alarm(PATIENCE_S);
    for (int i = 0; i < MANY; i++) log_line(&log, LOG_LEVEL_WARN, "%s", LONG_LINE);
    (void)alarm(0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

static void expect_a_line(int from) {
    static const char line[] = "leaderexec: " LONG_LINE "\n";
    char text[sizeof line] = "";
    assert_int_equal(read(from, text, sizeof line - 1), sizeof line - 1);
    assert_string_equal(text, line);
}

static void a_pipe_that_nobody_reads_is_never_waited_for(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    expect_no_wait(ends[1]);
    expect_a_line(ends[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_socket_that_nobody_reads_is_never_waited_for(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    expect_no_wait(ends[1]);
    expect_a_line(ends[0]);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_terminal_that_nobody_reads_is_never_waited_for(void **state) {
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    expect_no_wait(terminal);
    char text[16];
    assert_int_equal(read(master, text, 12), 12);
    assert_memory_equal(text, "leaderexec: ", 12);
    (void)close(terminal);
    (void)close(master);
}

static void a_file_is_appended_to(void **state) {
    (void)state;
    char name[] = "/tmp/leaderexec-log-XXXXXX";
    int file = mkstemp(name);
    assert_true(file >= 0);
    int log_file = open(name, O_WRONLY | O_APPEND);
    struct log log = log_on(log_file);
    for (int i = 0; i < 2; i++) log_line(&log, LOG_LEVEL_WARN, "%s", LONG_LINE);
    for (int i = 0; i < 2; i++) expect_a_line(file);
    (void)close(file);
    (void)close(log_file);
    (void)unlink(name);
}

static void nobody_to_tell_is_no_trouble(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    (void)signal(SIGPIPE, SIG_IGN);
    expect_no_wait(ends[1]);
    (void)close(ends[1]);
    struct log log = log_on(ends[1]);
    log_line(&log, LOG_LEVEL_WARN, "%s", LONG_LINE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_that_nobody_reads_is_never_waited_for),
        cmocka_unit_test(a_socket_that_nobody_reads_is_never_waited_for),
        cmocka_unit_test(a_terminal_that_nobody_reads_is_never_waited_for),
        cmocka_unit_test(a_file_is_appended_to),
        cmocka_unit_test(nobody_to_tell_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
