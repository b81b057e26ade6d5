/* Numbers of descriptors, in a process of its own each: all that are open are closed there.
 * Packets, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/descriptors.h"
#include "process/message.h"

#define FAILED_AT(line) _exit(1 + (line) % 200)
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) FAILED_AT(__LINE__);                                                     \
    } while (0)

static bool no_close_range;

int close_range(unsigned first, unsigned last, int flags) {
    errno = ENOSYS;
    return no_close_range ? -1 : (int)syscall(SYS_close_range, first, last, flags);
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static bool closes_at_exec(int fd) { return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

static void in_a_process(void (*part)(void)) {
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        part();
        (void)syscall(SYS_close_range, 0, ~0U, 0); /* valgrind counts what is left open */
        _exit(EXIT_SUCCESS);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void raise_low_numbers(void) {
    (void)close(0);
    int low = open("/dev/null", O_RDONLY);
    CHECK(low == 0);
    int raised = descriptor_raise(low);
    CHECK(raised >= 3 && closes_at_exec(raised));
    CHECK(!is_open(0));
    int high = fcntl(raised, F_DUPFD, 20);
    CHECK(descriptor_raise(high) == high && closes_at_exec(high));
    errno = EMFILE;
    CHECK(descriptor_raise(-1) == -EMFILE);
    CHECK(descriptor_raise(999) == -EBADF);
}

static void a_low_number_is_raised_and_free_again(void **state) {
    (void)state;
    in_a_process(raise_low_numbers);
}

static void close_others(void) {
    int kept[] = {31, 3, 33, 31};
    for (int fd = 3; fd < 40; fd++) CHECK(dup2(2, fd) == fd);
    descriptors_close_others(kept, sizeof kept / sizeof *kept);
    for (int fd = 0; fd < 64; fd++) CHECK(is_open(fd) == (fd == 3 || fd == 31 || fd == 33));
}

static void all_others_are_closed(void **state) {
    (void)state;
    for (int without = 0; without < 2; without++) {
        no_close_range = without == 1;
        in_a_process(close_others);
    }
    no_close_range = false;
}

static void take_the_place(void) {
    int before = open("/dev/zero", O_RDWR);
    char byte = 'x';
    CHECK(dup2(before, 0) == 0 && dup2(before, 1) == 1);
    (void)close(2);
    CHECK(descriptor_null(0, true) == 0); /* it is open: let it be */
    CHECK(read(0, &byte, 1) == 1 && byte == 0);
    CHECK(descriptor_null(0, false) == 0);
    CHECK(read(0, &byte, 1) == 0);
    CHECK(descriptor_null(2, true) == 0 && is_open(2) && read(2, &byte, 1) == 0);
    (void)close(1);
    CHECK(descriptor_null(1, false) == 0 && is_open(1)); /* the number that is free anyway */
    CHECK(!is_open(before + 1));
}

static void nothing_takes_a_place(void **state) {
    (void)state;
    in_a_process(take_the_place);
}

static void make_a_pair(void) {
    int ends[2];
    (void)close(0);
    (void)close(1);
    CHECK(message_pair(ends) == 0);
    CHECK(ends[0] >= 3 && ends[1] >= 3 && closes_at_exec(ends[0]) && closes_at_exec(ends[1]));
    CHECK(!is_open(0) && !is_open(1));
}

static void a_pair_leaves_low_numbers_free(void **state) {
    (void)state;
    in_a_process(make_a_pair);
}

static void a_packet_is_whole_or_none(void **state) {
    (void)state;
    struct message out = {.type = MESSAGE_NOTE, .sequence = 7}, in;
    int ends[2];
    memset(out.text, 'x', sizeof out.text); /* not terminated */
    assert_int_equal(message_pair(ends), 0);
    assert_int_equal(message_receive(ends[1], &in), 0);
    assert_int_equal(message_send(ends[0], &out), 0);
    assert_int_equal(message_receive(ends[1], &in), 1);
    assert_int_equal(in.sequence, 7);
    assert_int_equal(strlen(in.text), sizeof in.text - 1);
    assert_int_equal(send(ends[0], &out, sizeof out - 1, 0), sizeof out - 1);
    assert_int_equal(message_receive(ends[1], &in), -EPROTO);
    (void)close(ends[0]);
    assert_int_equal(message_receive(ends[1], &in), -EPIPE);
    assert_int_equal(message_send(ends[1], &out), -EPIPE);
    (void)close(ends[1]);
    assert_int_equal(message_send(ends[1], &out), -EBADF);
    assert_int_equal(message_receive(ends[1], &in), -EBADF);
}

int main(void) {
    (void)alarm(60);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_low_number_is_raised_and_free_again),
        cmocka_unit_test(all_others_are_closed),
        cmocka_unit_test(nothing_takes_a_place),
        cmocka_unit_test(a_pair_leaves_low_numbers_free),
        cmocka_unit_test(a_packet_is_whole_or_none),
    };
    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
