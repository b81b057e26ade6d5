/* Commands run for their output (lib/s3/command.c), where something of ours is in the way. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "s3/command.h"

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RUNS       20
#define PATIENCE_S 20

static atomic_bool over;

/* As libcurl's thread does that looks up a name, only all the time: most of it is spent with a lock of malloc's. */
static void *allocate(void *data) {
    (void)data;
    for (size_t more = 0; !atomic_load(&over); more = (more + 977) % 3000) {
        void *volatile memory = malloc(5000 + more); /* too large for the thread's own cache */
        free(memory);
    }
    return NULL;
}

/* Returns whether line's answer came in time. */
static bool run(struct s3_command *command, struct s3_reply *reply, const char *line) {
    char *environment[] = {"PATH=/usr/bin:/bin", NULL};
    struct priority priority = {.known = false};
    assert_int_equal(s3_command_start(command, line, environment, &priority), 0);
    for (int i = 0; i < PATIENCE_S; i++) {
        struct pollfd fds = {.fd = command->fd, .events = POLLIN};
        if (poll(&fds, 1, 1000) > 0 && s3_command_read(command, reply) == S3_COMMAND_DONE) return true;
    }
    s3_command_cancel(command);
    return false;
}

static void test_a_thread_that_allocates_hangs_no_command(void **state) {
    struct s3_command command;
    struct s3_reply reply;
    pthread_t thread;
    int answered = 0;
    (void)state;
    s3_command_init(&command);
    s3_reply_init(&reply);
    assert_int_equal(pthread_create(&thread, NULL, allocate, NULL), 0);
    while (answered < RUNS && run(&command, &reply, "echo keys")) {
        assert_false(reply.failed);
        assert_int_equal(reply.status, 0);
        assert_string_equal(reply.body.data, "keys\n");
        s3_reply_deinit(&reply);
        answered++;
    }
    atomic_store(&over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    s3_reply_deinit(&reply);
    assert_int_equal(answered, RUNS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_thread_that_allocates_hangs_no_command)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
