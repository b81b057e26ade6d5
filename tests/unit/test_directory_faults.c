/* The directory store on a disk that fails, lies and hangs, and the processes that hang in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory_disk.h"
#include "record/record.h"

#define STUCK_MOST 8 /* as many workers may hang; see DYING_MAX in directory.c */

/* Our first child, a worker where the tests use it; 0: there is none. */
static pid_t find_worker(void) {
    char path[64];
    int pid = 0;
    (void)text_format(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    assert_non_null(children);
    if (fscanf(children, "%d", &pid) != 1) pid = 0;
    (void)fclose(children);
    return pid;
}

/* Waits until the workers that are about to end are gone, and their zombies, too. */
static void assert_no_worker_stays(struct store *store) {
    for (int i = 0; i < 100 && find_worker() != 0; i++) assert_int_equal(store_wait(store, NULL, 0, 100), 0);
    assert_int_equal(find_worker(), 0);
}

static char process_state(pid_t pid) {
    char path[64], state = 'X';
    (void)text_format(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 'X';
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
    (void)fclose(file);
    return state;
}

static bool ends_soon(pid_t pid) {
    for (int i = 0; i < 1000; i++) {
        char state = process_state(pid);
        if (state == 'X' || state == 'Z') return true;
        (void)usleep(10 * 1000);
    }
    return false;
}

/* --- a disk that fails --- */

static void a_write_that_fails_is_unknown_and_leaves_nothing(void **state) {
    struct fixture *fixture = *state;
    static const int errors[] = {EIO, ENOSPC, EDQUOT, ESTALE};
    append_all(fixture, 1, 1);
    for (int named = 0; named < 2; named++) {
        disk.no_tmpfile = named == 1;
        for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
            disk.fsync_errno = errors[i];
            struct log_answer answer = ask(fixture->store, an_append(2));
            assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
            assert_non_null(strstr(answer.reason, "slot 2"));
            assert_non_null(strstr(answer.reason, strerror(errors[i])));
            assert_int_equal(count_names(fixture->folder), 1);
        }
        disk.fsync_errno = 0;
    }
    append_all(fixture, 2, 2);
}

static void a_link_whose_answer_is_lost_is_unknown_and_then_exists(void **state) {
    struct fixture *fixture = *state;
    static const int errors[] = {EIO, EROFS, ESTALE};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        int64_t seq = (int64_t)i + 1;
        disk.link_errno = errors[i];
        assert_int_equal(ask(fixture->store, an_append(seq)).outcome, OUTCOME_UNKNOWN);
        disk.link_errno = 0;
        assert_int_equal(ask(fixture->store, a_read(seq)).slot.kind, SLOT_VACANCY);
        assert_int_equal(ask(fixture->store, an_append(seq)).outcome, OUTCOME_EXISTS);
    }
}

/* Waiting won't help: a disk without hard links says so in many ways. */
static void a_disk_that_makes_no_links_is_refused_with_what_to_do(void **state) {
    struct fixture *fixture = *state;
    static const int errors[] = {EPERM, EACCES, EOPNOTSUPP, ENOSYS, EXDEV, EMLINK, EROFS, EINVAL};
    for (size_t i = 0; i < 2 * sizeof errors / sizeof *errors; i++) {
        disk.no_tmpfile = i % 2 == 0;
        disk.no_link_errno = errors[i / 2];
        struct log_answer answer = ask(fixture->store, an_append(1));
        bool certain = errors[i / 2] != EROFS; /* which may come after the link */
        assert_int_equal(answer.outcome, certain ? OUTCOME_REFUSED : OUTCOME_UNKNOWN);
        assert_non_null(strstr(answer.reason, strerror(errors[i / 2])));
        assert_int_equal(count_names(fixture->folder), 0);
    }
    disk.no_link_errno = EOPNOTSUPP;
    assert_non_null(strstr(ask(fixture->store, an_append(1)).reason, "another file system"));
}

static void a_slot_that_a_power_cut_might_take_is_unknown(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    disk.folder_fsync_errno = EIO;
    assert_int_equal(ask(fixture->store, an_append(2)).outcome, OUTCOME_UNKNOWN);
    assert_int_equal(ask(fixture->store, an_append(2)).outcome, OUTCOME_UNKNOWN); /* there, but no more certain */
    disk.folder_fsync_errno = 0;
    assert_int_equal(ask(fixture->store, an_append(2)).outcome, OUTCOME_EXISTS);
}

static void it_works_without_proc_and_without_files_that_have_no_name(void **state) {
    struct fixture *fixture = *state;
    for (int way = 0; way < 3; way++) {
        disk.no_proc = way != 1;
        disk.no_tmpfile = way != 0;
        append_all(fixture, 2 * way + 1, 2 * way + 2);
        assert_int_equal(ask(fixture->store, an_append(2 * way + 1)).outcome, OUTCOME_EXISTS);
        struct log_answer answer = ask(fixture->store, a_listing());
        assert_int_equal(answer.listing.head_seq, 2 * way + 2);
        assert_true(answer.listing.date_ms >= answer.listing.head_modified_ms);
        assert_int_equal(count_names(fixture->folder), 2 * way + 2);
    }
}

static void a_killed_append_leaves_a_whole_slot_or_none(void **state) {
    struct fixture *fixture = *state;
    char body[RECORD_JSON_MAX];
    int whole = 0;
    memset(body, 'x', sizeof body);
    append_all(fixture, 1, 1);
    for (int64_t seq = 2; seq <= 121; seq++) {
        char name[64], path[256];
        struct stat status;
        struct log_request append = an_append(seq);
        append.body = body;
        append.body_length = sizeof body;
        disk.no_tmpfile = seq % 2 == 0;
        submit(fixture->store, append);
        (void)usleep((useconds_t)(seq * 20)); /* from before its first step to behind its last */
        assert_int_equal(ask(fixture->store, a_read(1)).outcome, OUTCOME_DONE); /* ends the append */
        assert_no_worker_stays(fixture->store); /* killed ones take a while to die where the processor is busy */
        (void)text_format(name, sizeof name, "%012lld-%lld", 999999999999LL - (long long)seq, (long long)seq);
        path_in_folder(fixture, path, name);
        if (stat(path, &status) != 0) continue;
        assert_int_equal(status.st_size, sizeof body);
        whole++;
    }
    assert_true(count_names(fixture->folder) >= whole + 1); /* and temporary files, which a trim removes */
}

/* --- a disk that hangs --- */

static void a_hanging_append_is_unknown_in_time_and_hinders_no_other_lane(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    struct log_request hopeless = an_append(2);
    hopeless.timeout_ms = 4000;
    hopeless.id = 9;
    disk.fsync_hangs = true;
    int64_t start_ns = clock_now().wait_ns;
    submit(fixture->store, hopeless);
    struct log_answer answer;
    for (int i = 0; i < 5; i++) {
        struct log_request read = a_read(1);
        read.lane = LOG_LANE_1;
        submit(fixture->store, read);
        assert_true(wait_for_answer(fixture->store, &answer, TIMEOUT_MS));
        assert_int_equal(answer.lane, LOG_LANE_1);
        assert_int_equal(answer.slot.kind, SLOT_VACANCY);
    }
    assert_true(wait_for_answer(fixture->store, &answer, TIMEOUT_MS));
    assert_true(clock_now().wait_ns - start_ns >= 4000 * NS_PER_MS);
    assert_int_equal(answer.id, 9);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    char expected[256];
    (void)text_format(expected, sizeof expected, "append of slot 2 to file:%s didn't return within 4s",
                      fixture->directory);
    assert_string_equal(answer.reason, expected);
    assert_no_worker_stays(fixture->store);
    disk.fsync_hangs = false;
    append_all(fixture, 2, 2);
}

/* Appends slot 1, and then hangs in the append of slot 2. Returns the worker that does. */
static pid_t hang(struct fixture *fixture) {
    append_all(fixture, 1, 1);
    assert_no_worker_stays(fixture->store);
    disk.fsync_hangs = true;
    submit(fixture->store, an_append(2));
    disk.fsync_hangs = false;
    pid_t worker = find_worker();
    assert_true(worker > 0);
    for (int i = 0; i < 1000 && disk_hanging() != worker; i++) (void)usleep(10 * 1000);
    assert_int_equal(disk_hanging(), worker);
    return worker;
}

static void a_worker_holds_no_descriptor_of_ours(void **state) {
    struct fixture *fixture = *state;
    int ours[2];
    assert_int_equal(pipe(ours), 0); /* no O_CLOEXEC, as a user's pipe */
    pid_t worker = hang(fixture);
    int pipes = 0, files = 0, folders = 0;
    for (int fd = 0; fd < 256; fd++) {
        char path[64];
        struct stat status;
        (void)text_format(path, sizeof path, "/proc/%d/fd/%d", (int)worker, fd);
        if (stat(path, &status) != 0) continue;
        bool is_pipe = S_ISFIFO(status.st_mode);
        assert_true(fd > STDERR_FILENO || is_pipe);
        pipes += is_pipe;
        folders += S_ISDIR(status.st_mode);
        files += S_ISREG(status.st_mode) && status.st_nlink == 0;
    }
    assert_int_equal(pipes, 4); /* nobody's as 0, 1 and 2, and the answer's */
    assert_int_equal(folders, 1);
    assert_int_equal(files, 1);
    /* The pipe has no writer but us: with our end closed its reader sees the end at once. */
    char byte;
    (void)close(ours[1]);
    assert_int_equal(fcntl(ours[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(read(ours[0], &byte, 1), 0);
    (void)close(ours[0]);
}

static void a_worker_has_a_name_and_blocks_signals(void **state) {
    char path[64], line[256], name[64] = "";
    unsigned long long blocked = 0;
    (void)text_format(path, sizeof path, "/proc/%d/status", (int)hang(*state));
    FILE *status = fopen(path, "re");
    assert_non_null(status);
    while (fgets(line, sizeof line, status) != NULL) {
        (void)sscanf(line, "Name: %63s", name);
        (void)sscanf(line, "SigBlk: %llx", &blocked);
    }
    (void)fclose(status);
    assert_string_equal(name, "leaderexec-io");
    assert_true(blocked & (1ULL << (SIGTERM - 1)));
    assert_true(blocked & (1ULL << (SIGINT - 1)));
    assert_true(blocked & (1ULL << (SIGTSTP - 1)));
}

static void note_child(int signal) {
    (void)signal;
    disk.fsync_errno = -1;
}

static void whoever_waits_for_children_sees_no_worker(void **state) {
    struct fixture *fixture = *state;
    assert_ptr_not_equal(signal(SIGCHLD, note_child), SIG_ERR);
    pid_t worker = hang(fixture);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(kill(worker, SIGKILL), 0);
    struct log_answer answer;
    assert_true(wait_for_answer(fixture->store, &answer, TIMEOUT_MS));
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_non_null(strstr(answer.reason, "was killed"));
    assert_no_worker_stays(fixture->store);
    assert_int_equal(disk.fsync_errno, 0);
}

static void somebody_else_may_reap_the_workers(void **state) {
    struct fixture *fixture = *state;
    for (int64_t seq = 1; seq <= 5; seq++) {
        submit(fixture->store, an_append(seq));
        assert_true(waitpid(-1, NULL, __WALL) > 0);
        struct log_answer answer;
        assert_true(wait_for_answer(fixture->store, &answer, TIMEOUT_MS));
        assert_int_equal(answer.outcome, OUTCOME_DONE);
    }
}

static void a_worker_ends_with_the_process_that_started_it(void **state) {
    struct fixture *fixture = *state;
    int tell[2];
    pid_t worker = 0;
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    pid_t keeper = fork();
    assert_true(keeper >= 0);
    if (keeper == 0) {
        worker = hang(fixture);
        if (write(tell[1], &worker, sizeof worker) == sizeof worker) (void)pause();
        _exit(EXIT_FAILURE);
    }
    assert_int_equal(read(tell[0], &worker, sizeof worker), sizeof worker);
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
    assert_true(ends_soon(worker));
    (void)close(tell[0]);
    (void)close(tell[1]);
}

static void a_worker_of_a_stopped_process_ends_by_itself(void **state) {
    struct fixture *fixture = *state;
    int tell[2];
    pid_t worker = 0;
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    pid_t keeper = fork();
    assert_true(keeper >= 0);
    if (keeper == 0) {
        struct log_request request = an_append(1);
        request.timeout_ms = 300;
        disk.fsync_hangs = true;
        submit(fixture->store, request);
        worker = find_worker();
        if (write(tell[1], &worker, sizeof worker) == sizeof worker) (void)raise(SIGSTOP);
        _exit(EXIT_FAILURE);
    }
    assert_int_equal(read(tell[0], &worker, sizeof worker), sizeof worker);
    assert_true(ends_soon(worker));
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
    (void)close(tell[0]);
    (void)close(tell[1]);
}

static void closing_ends_what_hangs(void **state) {
    struct fixture *fixture = *state;
    char reason[TEXT_REASON_SIZE];
    pid_t worker = hang(fixture);
    store_close(fixture->store);
    assert_true(ends_soon(worker));
    fixture->store = store_open_directory(fixture->directory, "locks/", "leader", reason);
    assert_non_null(fixture->store);
    assert_int_equal(ask(fixture->store, a_read(2)).outcome, OUTCOME_ABSENT);
}

static void a_disk_that_holds_many_workers_for_ever_gets_no_more(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    assert_no_worker_stays(fixture->store);
    disk.fsync_hangs = disk.unkillable = true;
    for (int i = 0; i < STUCK_MOST; i++) submit(fixture->store, an_append(2)); /* each replaces the one before */
    int64_t start_ns = clock_now().wait_ns;
    struct log_answer answer = ask(fixture->store, an_append(2));
    assert_true(clock_now().wait_ns - start_ns < TIMEOUT_MS * NS_PER_MS / 2);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_non_null(strstr(answer.reason, "hang"));
    disk.fsync_hangs = disk.unkillable = false;
    assert_int_equal(ask(fixture->store, an_append(2)).outcome, OUTCOME_UNKNOWN);
    int killed = 0;
    for (pid_t worker; (worker = find_worker()) != 0; killed++) {
        assert_int_equal(kill(worker, SIGKILL), 0);
        for (int i = 0; i < 100 && find_worker() == worker; i++)
            assert_int_equal(store_wait(fixture->store, NULL, 0, 50), 0);
        assert_int_not_equal(find_worker(), worker);
    }
    assert_int_equal(killed, STUCK_MOST);
    append_all(fixture, 2, 2); /* the disk is back */
}

int main(void) {
    (void)alarm(300);
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        STORE_TEST(a_write_that_fails_is_unknown_and_leaves_nothing),
        STORE_TEST(a_link_whose_answer_is_lost_is_unknown_and_then_exists),
        STORE_TEST(a_disk_that_makes_no_links_is_refused_with_what_to_do),
        STORE_TEST(a_slot_that_a_power_cut_might_take_is_unknown),
        STORE_TEST(it_works_without_proc_and_without_files_that_have_no_name),
        STORE_TEST(a_killed_append_leaves_a_whole_slot_or_none),
        STORE_TEST(a_hanging_append_is_unknown_in_time_and_hinders_no_other_lane),
        STORE_TEST(a_worker_holds_no_descriptor_of_ours),
        STORE_TEST(a_worker_has_a_name_and_blocks_signals),
        STORE_TEST(whoever_waits_for_children_sees_no_worker),
        STORE_TEST(somebody_else_may_reap_the_workers),
        STORE_TEST(a_worker_ends_with_the_process_that_started_it),
        STORE_TEST(a_worker_of_a_stopped_process_ends_by_itself),
        STORE_TEST(closing_ends_what_hangs),
        STORE_TEST(a_disk_that_holds_many_workers_for_ever_gets_no_more),
    };
    return cmocka_run_group_tests_name("directory faults", tests, NULL, NULL);
}
