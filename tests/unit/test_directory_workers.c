/* The processes that touch the disk in the directory store's place: how long they are waited for,
 * what they say when they are lost, and that nothing of them stays. What a disk does to them is in
 * test_directory_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory_disk.h"
#include "record/record.h"
#include "store/directory_file.h"

#define STUCK_MOST 8 /* as many workers may hang; see DYING_MAX in directory.c */
#define SHORT_MS   200

static const struct log_request *all_requests(void) {
    static struct log_request requests[4];
    requests[0] = a_listing();
    requests[1] = a_read(1);
    requests[2] = a_trim(1, 1000);
    requests[3] = an_append(1);
    return requests;
}

/* Kills all workers there are. */
static void kill_workers(void) {
    char path[64];
    int pid;
    (void)text_format(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    assert_non_null(children);
    while (fscanf(children, "%d", &pid) == 1) assert_int_equal(kill(pid, SIGKILL), 0);
    (void)fclose(children);
}

/* Until the store holds nothing of any worker's. */
static void let_them_end(struct store *store) {
    while (waitpid(-1, NULL, WNOHANG | __WALL) >= 0)
        assert_int_equal(store_wait(store, NULL, 0, 10), 0);
    assert_int_equal(store_wait(store, NULL, 0, 10), 0);
}

/* --- what is said of one that is lost --- */

static void one_that_is_killed_is_named_by_what_it_did(void **state) {
    struct fixture *fixture = *state;
    static const char *const what[] = {"listing of file:", "read of slot 1 in file:",
                                       "trim of file:", "append of slot 1 to file:"};
    append_all(fixture, 1, 1);
    disk.opening_hangs = true;
    for (size_t i = 0; i < 4; i++) {
        struct log_answer answer;
        char expected[256];
        submit(fixture->store, all_requests()[i]);
        kill_workers();
        assert_true(wait_for_answer(fixture->store, &answer, TIMEOUT_MS));
        assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
        (void)text_format(expected, sizeof expected,
                          "%s%s ended early: the process that did it was killed", what[i],
                          fixture->directory);
        assert_string_equal(answer.reason, expected);
    }
}

static void one_that_cant_be_had_is_unknown(void **state) {
    struct fixture *fixture = *state;
    struct rlimit before, none;
    append_all(fixture, 1, 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct log_answer answer = ask(fixture->store, a_read(1));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_non_null(
        strstr(answer.reason, "can't be tried: no process for it: Too many open files"));
    assert_int_equal(ask(fixture->store, a_read(1)).outcome, OUTCOME_DONE);
}

/* --- waiting --- */

static void waiting_for_ever_ends_when_an_answer_is_due(void **state) {
    struct fixture *fixture = *state;
    struct log_request request = a_listing();
    struct log_answer answer;
    append_all(fixture, 1, 1);
    let_them_end(fixture->store);
    disk.opening_hangs = disk.unkillable = true; /* nothing but the time tells */
    for (int late = 0; late < 2; late++) {
        request.timeout_ms = SHORT_MS;
        request.lane = late == 0 ? LOG_LANE_0 : LOG_LANES - 1;
        int64_t start_ns = clock_now().wait_ns;
        submit(fixture->store, request);
        if (late == 1) (void)usleep(2 * SHORT_MS * 1000);
        while (!store_next(fixture->store, &answer))
            assert_int_equal(store_wait(fixture->store, NULL, 0, -1), 0); /* or the alarm ends us */
        assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
        assert_non_null(strstr(answer.reason, "didn't return within 200ms"));
        assert_true(clock_now().wait_ns - start_ns >= SHORT_MS * NS_PER_MS);
    }
    disk.opening_hangs = disk.unkillable = false;
    kill_workers();
}

static void a_short_wait_stays_short(void **state) {
    struct fixture *fixture = *state;
    struct log_answer answer;
    append_all(fixture, 1, 1);
    let_them_end(fixture->store);
    disk.opening_hangs = true;
    submit(fixture->store, a_listing());
    int64_t start_ns = clock_now().wait_ns;
    assert_int_equal(store_wait(fixture->store, NULL, 0, 10), 0);
    assert_true(clock_now().wait_ns - start_ns < TIMEOUT_MS / 2 * NS_PER_MS);
    assert_false(store_next(fixture->store, &answer));
}

static void an_answer_that_waits_is_not_waited_for(void **state) {
    struct fixture *fixture = *state;
    struct log_answer answer;
    submit(fixture->store, a_listing());
    let_them_end(fixture->store);
    int64_t start_ns = clock_now().wait_ns;
    assert_int_equal(store_wait(fixture->store, NULL, 0, TIMEOUT_MS), 0);
    assert_true(clock_now().wait_ns - start_ns < TIMEOUT_MS / 2 * NS_PER_MS);
    assert_true(store_next(fixture->store, &answer));
}

static void note(int signal) { (void)signal; }

static void a_signal_ends_a_wait_and_no_more(void **state) {
    struct fixture *fixture = *state;
    const struct sigaction action = {.sa_handler = note};
    pid_t parent = getpid();
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    append_all(fixture, 1, 1);
    let_them_end(fixture->store);
    disk.opening_hangs = true;
    submit(fixture->store, a_listing());
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            (void)usleep(10 * 1000);
            (void)kill(parent, SIGUSR1);
        }
    }
    assert_int_equal(store_wait(fixture->store, NULL, 0, 1000), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    disk.opening_hangs = false;
    assert_int_equal(ask(fixture->store, a_listing()).listing.head_seq, 1);
}

/* --- how many, and what stays --- */

static void those_that_run_count_among_those_that_hang(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    disk.opening_hangs = disk.unkillable = true;
    for (int i = 0; i < STUCK_MOST; i++) {
        struct log_request request = a_listing();
        request.lane = i % LOG_LANES;
        submit(fixture->store, request);
    }
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_non_null(strstr(answer.reason, "hang"));
    disk.opening_hangs = disk.unkillable = false;
    kill_workers();
}

static void nothing_stays_open_and_no_signal_blocked(void **state) {
    struct fixture *fixture = *state;
    sigset_t before, after;
    sigemptyset(&before);
    sigaddset(&before, SIGWINCH);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    append_all(fixture, 1, 1);
    let_them_end(fixture->store);
    int descriptors = count_names("/proc/self/fd");
    for (int i = 0; i < 20; i++) (void)ask(fixture->store, all_requests()[i % 4]);
    let_them_end(fixture->store);
    assert_int_equal(count_names("/proc/self/fd"), descriptors);
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &after), 0);
    assert_memory_equal(&before, &after, 8);
}

/* As a daemon's: the first that is opened gets a number that isn't ours to take. */
static void they_work_where_the_standard_descriptors_are_closed(void **state) {
    struct fixture *fixture = *state;
    int kept[3];
    for (int fd = 0; fd < 3; fd++) kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    for (int fd = 0; fd < 3; fd++) (void)close(fd);
    struct log_answer appended = ask(fixture->store, an_append(1)),
                      read = ask(fixture->store, a_read(1));
    let_them_end(fixture->store);
    for (int fd = 0; fd < 3; fd++) {
        if (kept[fd] >= 0) (void)dup2(kept[fd], fd);
        if (kept[fd] >= 0) (void)close(kept[fd]);
    }
    assert_int_equal(appended.outcome, OUTCOME_DONE);
    assert_int_equal(read.slot.kind, SLOT_VACANCY);
}

static void they_let_go_of_ours_without_close_range_too(void **state) {
    struct fixture *fixture = *state;
    int ours[2];
    char byte;
    append_all(fixture, 1, 1);
    disk.no_close_range = true;
    assert_int_equal(ask(fixture->store, a_read(1)).slot.kind, SLOT_VACANCY);
    disk.opening_hangs = true;
    assert_int_equal(pipe(ours), 0); /* no O_CLOEXEC, as a user's pipe */
    submit(fixture->store, a_read(1));
    (void)close(ours[1]);
    assert_int_equal(read(ours[0], &byte, 1), 0); /* or the alarm ends us */
    (void)close(ours[0]);
}

/* --- what they write --- */

static void a_write_that_takes_many_calls_is_whole(void **state) {
    struct fixture *fixture = *state;
    disk.writes_little = true;
    append_all(fixture, 1, 1);
    assert_int_equal(ask(fixture->store, a_read(1)).slot.kind, SLOT_VACANCY);
    assert_int_equal(ask(fixture->store, a_listing()).listing.head_size, RECORD_VACANCY_LENGTH);
}

static void a_file_with_a_temporary_name_is_known_as_one(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    disk.no_tmpfile = disk.fsync_hangs = true;
    submit(fixture->store, an_append(2));
    while (count_names(fixture->folder) < 2) (void)usleep(1000);
    DIR *names = opendir(fixture->folder);
    assert_non_null(names);
    int found = 0;
    for (const struct dirent *entry; (entry = readdir(names)) != NULL;)
        found += directory_file_is_temporary(entry->d_name);
    (void)closedir(names);
    assert_int_equal(found, 1);
}

int main(void) {
    (void)alarm(120);
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        STORE_TEST(one_that_is_killed_is_named_by_what_it_did),
        STORE_TEST(one_that_cant_be_had_is_unknown),
        STORE_TEST(waiting_for_ever_ends_when_an_answer_is_due),
        STORE_TEST(a_short_wait_stays_short),
        STORE_TEST(an_answer_that_waits_is_not_waited_for),
        STORE_TEST(a_signal_ends_a_wait_and_no_more),
        STORE_TEST(those_that_run_count_among_those_that_hang),
        STORE_TEST(nothing_stays_open_and_no_signal_blocked),
        STORE_TEST(they_work_where_the_standard_descriptors_are_closed),
        STORE_TEST(they_let_go_of_ours_without_close_range_too),
        STORE_TEST(a_write_that_takes_many_calls_is_whole),
        STORE_TEST(a_file_with_a_temporary_name_is_known_as_one),
    };
    return cmocka_run_group_tests_name("directory workers", tests, NULL, NULL);
}
