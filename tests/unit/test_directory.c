/* The directory store and what lies about in folders. What every store promises is in tests/contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "directory_disk.h"
#include "record/record.h"

static bool is_there(const struct fixture *fixture, const char *name) {
    char path[256];
    struct stat status;
    path_in_folder(fixture, path, name);
    return lstat(path, &status) == 0;
}

static void put_file(const struct fixture *fixture, const char *name, size_t length) {
    char path[256];
    path_in_folder(fixture, path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)length), 0);
    (void)close(fd);
}

static void remove_file(const struct fixture *fixture, const char *name) {
    char path[256];
    path_in_folder(fixture, path, name);
    assert_int_equal(unlink(path), 0);
}

static void set_age(const struct fixture *fixture, const char *name, int64_t age_s) {
    char path[256];
    path_in_folder(fixture, path, name);
    const struct timespec then = {.tv_sec = time(NULL) - age_s};
    const struct timespec times[2] = {then, then};
    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* Root may read and write everything by two capabilities, which can be laid down for a while; the workers inherit what
 * is left. */
static void set_privileges(bool wanted) {
    const uint32_t bits = 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    assert_int_equal(syscall(SYS_capget, &header, data), 0);
    data[0].effective = wanted ? data[0].effective | (bits & data[0].permitted) : data[0].effective & ~bits;
    assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

/* Whatever became of the test. */
static int restore_and_tear_down(void **state) {
    const struct fixture *fixture = *state;
    set_privileges(true);
    (void)chmod(fixture->root, 0755);
    (void)chmod(fixture->folder, 0755);
    return tear_down(state);
}

/* --- folders --- */

static void it_has_nothing_to_say_of_itself(void **state) {
    struct fixture *fixture = *state;
    struct store_notice notice;
    assert_false(store_take_notice(fixture->store, &notice));
}

static void only_an_append_makes_folders(void **state) {
    struct fixture *fixture = *state;
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_true(answer.listing.empty);
    assert_int_equal(ask(fixture->store, a_read(1)).outcome, OUTCOME_ABSENT);
    assert_int_equal(ask(fixture->store, a_trim(1, 0)).outcome, OUTCOME_DONE);
    assert_int_equal(access(fixture->directory, F_OK), -1);
    append_all(fixture, 1, 1);
    assert_int_equal(count_names(fixture->folder), 1);
    assert_true(is_there(fixture, "999999999998-1"));
}

static void an_append_that_goes_on_makes_no_folder_anew(void **state) {
    struct fixture *fixture = *state;
    struct log_request renewal = an_append(2);
    renewal.goes_on = true;
    append_all(fixture, 1, 1);
    assert_int_equal(ask(fixture->store, renewal).outcome, OUTCOME_DONE);
    remove_file(fixture, "999999999998-1");
    remove_file(fixture, "999999999997-2");
    assert_int_equal(rmdir(fixture->folder), 0);
    renewal.seq = 3;
    struct log_answer answer = ask(fixture->store, renewal);
    assert_int_equal(answer.outcome, OUTCOME_UNKNOWN);
    assert_non_null(strstr(answer.reason, "somebody deleted it"));
    assert_int_equal(access(fixture->folder, F_OK), -1);
    append_all(fixture, 1, 1); /* a claim does */
}

static void a_relative_directory_is_one_below_the_working_directory(void **state) {
    struct fixture *fixture = *state;
    char reason[TEXT_REASON_SIZE], before[1024];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(fixture->root), 0);
    struct store *store = store_open_directory("./here", "", "leader", reason);
    assert_non_null(store);
    assert_int_equal(ask(store, an_append(1)).outcome, OUTCOME_DONE);
    store_close(store);
    assert_int_equal(access("here/leader/999999999998-1", F_OK), 0);
    assert_int_equal(chdir(before), 0);
}

static void names_that_are_no_folder_are_refused_when_it_is_opened(void **state) {
    (void)state;
    char reason[TEXT_REASON_SIZE], longest[5000];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    static const char *const names[] = {"", ".", "..", "a/b", "a\nb"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        reason[0] = '\0';
        assert_null(store_open_directory("/tmp", "locks/", names[i], reason));
        assert_string_not_equal(reason, "");
    }
    assert_null(store_open_directory("", "locks/", "leader", reason));
    assert_null(store_open_directory(longest, "locks/", "leader", reason));
}

static void assert_refused(struct store *store, struct log_request request) {
    struct log_answer answer = ask(store, request);
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    assert_string_not_equal(answer.reason, "");
}

static void a_file_in_place_of_the_folder_is_refused(void **state) {
    struct fixture *fixture = *state;
    int fd = open(fixture->directory, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_refused(fixture->store, a_listing());
    assert_refused(fixture->store, a_read(1));
    assert_refused(fixture->store, an_append(1));
    assert_refused(fixture->store, a_trim(1, 0));
}

static void a_folder_without_permission_is_refused(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 3);
    assert_int_equal(chmod(fixture->folder, 0), 0);
    set_privileges(false);
    assert_refused(fixture->store, a_listing());
    assert_refused(fixture->store, a_read(1));
    assert_refused(fixture->store, an_append(4));
    assert_refused(fixture->store, a_trim(3, 0));
}

static void a_listings_date_is_from_before_its_names(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    disk.listing_takes_ms = 100; /* the head was seen then, and is no older than that */
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_true(answer.listing.date_ms > 0);
    assert_true(disk_listing_ms() > 0 && answer.listing.date_ms <= disk_listing_ms());
}

static void a_read_only_folder_is_listed_but_has_no_clock(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 3);
    assert_int_equal(chmod(fixture->folder, 0555), 0);
    set_privileges(false);
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.outcome, OUTCOME_DONE);
    assert_int_equal(answer.listing.head_seq, 3);
    assert_int_equal(answer.listing.date_ms, 0);
    assert_int_equal(ask(fixture->store, a_read(3)).slot.kind, SLOT_VACANCY);
    assert_refused(fixture->store, an_append(4));
    assert_refused(fixture->store, a_trim(3, 0));
}

static void a_place_where_nothing_can_be_made_is_refused(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(chmod(fixture->root, 0555), 0);
    set_privileges(false);
    assert_true(ask(fixture->store, a_listing()).listing.empty);
    assert_refused(fixture->store, an_append(1));
}

static void a_folder_that_may_only_be_searched_is_refused(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(mkdir(fixture->directory, 0311), 0);
    set_privileges(false);
    struct log_answer answer = ask(fixture->store, a_listing()); /* is there a log in it or none? */
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    assert_non_null(strstr(answer.reason, fixture->directory));
    assert_int_equal(ask(fixture->store, an_append(1)).outcome, OUTCOME_DONE); /* made and synced below it */
    assert_int_equal(ask(fixture->store, a_listing()).listing.head_seq, 1);
}

static void a_slot_that_may_not_be_read_is_refused_and_named(void **state) {
    struct fixture *fixture = *state;
    char path[256];
    append_all(fixture, 1, 2);
    path_in_folder(fixture, path, "999999999997-2");
    assert_int_equal(chmod(path, 0), 0);
    set_privileges(false);
    struct log_answer answer = ask(fixture->store, a_read(2));
    assert_int_equal(answer.outcome, OUTCOME_REFUSED);
    assert_non_null(strstr(answer.reason, "read slot 2 in"));
}

/* --- things in the way --- */

static void only_names_of_slots_count(void **state) {
    struct fixture *fixture = *state;
    static const char *const names[] = {
        "0", "leader", ".hidden", "999999999997-2x", "999999999990-8", "000000000000-999999999999", "999999999995-04"};
    append_all(fixture, 1, 2);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) put_file(fixture, names[i], 100);
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.listing.head_seq, 2);
    assert_int_equal(answer.listing.previous_seq, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) set_age(fixture, names[i], 100000);
    assert_int_equal(ask(fixture->store, a_trim(2, 0)).outcome, OUTCOME_DONE);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_true(is_there(fixture, names[i]));
}

static void what_is_no_file_takes_a_slot_unread_and_stays(void **state) {
    struct fixture *fixture = *state;
    static const char *const names[] = {"999999999997-2", "999999999996-3", "999999999995-4", "999999999994-5"};
    char paths[4][256];
    append_all(fixture, 1, 1);
    for (size_t i = 0; i < 4; i++) path_in_folder(fixture, paths[i], names[i]);
    assert_int_equal(mkdir(paths[0], 0755), 0);
    assert_int_equal(mkfifo(paths[1], 0644), 0);
    assert_int_equal(symlink("999999999998-1", paths[2]), 0);
    assert_int_equal(symlink("/dev/zero", paths[3]), 0);
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.listing.head_seq, 5);
    assert_int_equal(answer.listing.head_size, 0);
    for (int64_t seq = 2; seq <= 5; seq++) {
        answer = ask(fixture->store, a_read(seq));
        assert_int_equal(answer.outcome, OUTCOME_DONE);
        assert_int_equal(answer.slot.kind, SLOT_UNREADABLE);
        assert_int_equal(ask(fixture->store, an_append(seq)).outcome, OUTCOME_EXISTS);
    }
    append_all(fixture, 6, 8);
    for (size_t i = 0; i < 4; i++) set_age(fixture, names[i], 100000);
    set_age(fixture, "999999999998-1", 100000);
    set_age(fixture, "999999999993-6", 100000);
    assert_int_equal(ask(fixture->store, a_trim(8, 1000)).outcome, OUTCOME_DONE);
    assert_false(is_there(fixture, "999999999998-1"));
    assert_false(is_there(fixture, "999999999993-6"));
    for (size_t i = 0; i < 4; i++) assert_true(is_there(fixture, names[i]));
}

static void a_megabyte_and_nothing_at_all_are_unreadable(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    put_file(fixture, "999999999997-2", 1 << 20);
    put_file(fixture, "999999999996-3", 0);
    assert_int_equal(ask(fixture->store, a_read(2)).slot.kind, SLOT_UNREADABLE);
    assert_int_equal(ask(fixture->store, a_read(3)).slot.kind, SLOT_UNREADABLE);
    struct log_answer answer = ask(fixture->store, a_listing());
    assert_int_equal(answer.listing.head_seq, 3);
    assert_int_equal(answer.listing.head_size, 0);
}

/* --- trimming --- */

static void trimming_leaves_no_gap_where_a_young_slot_lies_before_an_old_one(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 6);
    set_age(fixture, "999999999998-1", 1000);
    set_age(fixture, "999999999997-2", 1000);
    set_age(fixture, "999999999995-4", 1000);
    assert_int_equal(ask(fixture->store, a_trim(6, 500000)).outcome, OUTCOME_DONE);
    assert_false(is_there(fixture, "999999999998-1"));
    assert_false(is_there(fixture, "999999999997-2"));
    assert_true(is_there(fixture, "999999999996-3"));
    assert_true(is_there(fixture, "999999999995-4"));
}

static void a_clock_that_was_set_forward_makes_nothing_old(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 4);
    set_age(fixture, "999999999998-1", 5000);
    for (int64_t seq = 2; seq <= 4; seq++) {
        char name[64];
        (void)text_format(name, sizeof name, "%012lld-%lld", 999999999999LL - (long long)seq, (long long)seq);
        set_age(fixture, name, 3000); /* the newest, too: since then nobody wrote anything */
    }
    assert_int_equal(ask(fixture->store, a_trim(4, 1000000)).outcome, OUTCOME_DONE);
    assert_false(is_there(fixture, "999999999998-1"));
    assert_true(is_there(fixture, "999999999997-2"));
}

static void no_more_are_trimmed_than_was_asked_for(void **state) {
    struct fixture *fixture = *state;
    struct log_request request = a_trim(9, 1000);
    append_all(fixture, 1, 9);
    for (int64_t seq = 1; seq < 9; seq++) {
        char name[64];
        (void)text_format(name, sizeof name, "%012lld-%lld", 999999999999LL - (long long)seq, (long long)seq);
        set_age(fixture, name, 1000);
    }
    request.trim_most = 3;
    assert_int_equal(ask(fixture->store, request).outcome, OUTCOME_DONE);
    assert_int_equal(count_names(fixture->folder), 6);
    assert_false(is_there(fixture, "999999999996-3"));
}

static void the_oldest_go_first_however_many_there_are(void **state) {
    struct fixture *fixture = *state;
    struct log_request request = a_trim(1200, 1000);
    append_all(fixture, 1200, 1200);
    for (int64_t i = 1; i < 1200; i++) { /* in no order */
        char name[64];
        long long seq = (long long)(i * 7 % 1200);
        (void)text_format(name, sizeof name, "%012lld-%lld", 999999999999LL - seq, seq);
        put_file(fixture, name, 1);
        set_age(fixture, name, 1000);
    }
    request.trim_most = 10000;
    assert_int_equal(ask(fixture->store, request).outcome, OUTCOME_DONE);
    int left = count_names(fixture->folder);
    assert_in_range(left, 600, 1199); /* a trim looks at some 500 */
    for (int64_t seq = 1; seq <= 1200; seq++) {
        char name[64];
        (void)text_format(name, sizeof name, "%012lld-%lld", 999999999999LL - (long long)seq, (long long)seq);
        assert_int_equal(is_there(fixture, name), seq > 1200 - left);
    }
}

static void trimming_a_long_log_goes_on_where_it_stopped(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    for (int64_t seq = 2; seq <= 1200; seq++) {
        char name[64];
        if (seq == 1200) (void)usleep(20 * 1000); /* the newest tells what time it is */
        (void)text_format(name, sizeof name, "%012lld-%lld", 999999999999LL - (long long)seq, (long long)seq);
        put_file(fixture, name, 1);
    }
    for (int i = 0; i < 12; i++) assert_int_equal(ask(fixture->store, a_trim(1200, 1)).outcome, OUTCOME_DONE);
    assert_int_equal(count_names(fixture->folder), 2);
    assert_int_equal(ask(fixture->store, a_listing()).listing.previous_seq, 1199);
}

static void what_a_crash_left_is_removed_after_an_hour(void **state) {
    struct fixture *fixture = *state;
    append_all(fixture, 1, 1);
    put_file(fixture, ".leaderexec-0123456789abcdef.tmp", 5);
    put_file(fixture, ".leaderexec-fedcba9876543210.tmp", 5);
    put_file(fixture, ".leaderexec-notes.tmp", 5);
    put_file(fixture, ".leaderexec-0123456789abcdeg.tmp", 5);
    set_age(fixture, ".leaderexec-0123456789abcdef.tmp", 3700);
    set_age(fixture, ".leaderexec-fedcba9876543210.tmp", 3000);
    set_age(fixture, ".leaderexec-notes.tmp", 3700);
    set_age(fixture, ".leaderexec-0123456789abcdeg.tmp", 3700);
    assert_int_equal(ask(fixture->store, a_trim(1, 1000)).outcome, OUTCOME_DONE);
    assert_false(is_there(fixture, ".leaderexec-0123456789abcdef.tmp"));
    assert_true(is_there(fixture, ".leaderexec-fedcba9876543210.tmp"));
    assert_true(is_there(fixture, ".leaderexec-notes.tmp"));
    assert_true(is_there(fixture, ".leaderexec-0123456789abcdeg.tmp"));
}

int main(void) {
    (void)alarm(300);
#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, restore_and_tear_down)
    static const struct CMUnitTest tests[] = {
        STORE_TEST(it_has_nothing_to_say_of_itself),
        STORE_TEST(only_an_append_makes_folders),
        STORE_TEST(an_append_that_goes_on_makes_no_folder_anew),
        STORE_TEST(a_relative_directory_is_one_below_the_working_directory),
        STORE_TEST(names_that_are_no_folder_are_refused_when_it_is_opened),
        STORE_TEST(a_file_in_place_of_the_folder_is_refused),
        STORE_TEST(a_folder_without_permission_is_refused),
        STORE_TEST(a_listings_date_is_from_before_its_names),
        STORE_TEST(a_read_only_folder_is_listed_but_has_no_clock),
        STORE_TEST(a_place_where_nothing_can_be_made_is_refused),
        STORE_TEST(only_names_of_slots_count),
        STORE_TEST(what_is_no_file_takes_a_slot_unread_and_stays),
        STORE_TEST(a_megabyte_and_nothing_at_all_are_unreadable),
        STORE_TEST(trimming_leaves_no_gap_where_a_young_slot_lies_before_an_old_one),
        STORE_TEST(a_folder_that_may_only_be_searched_is_refused),
        STORE_TEST(a_slot_that_may_not_be_read_is_refused_and_named),
        STORE_TEST(a_clock_that_was_set_forward_makes_nothing_old),
        STORE_TEST(no_more_are_trimmed_than_was_asked_for),
        STORE_TEST(the_oldest_go_first_however_many_there_are),
        STORE_TEST(trimming_a_long_log_goes_on_where_it_stopped),
        STORE_TEST(what_a_crash_left_is_removed_after_an_hour),
    };
    return cmocka_run_group_tests_name("directory", tests, NULL, NULL);
}
