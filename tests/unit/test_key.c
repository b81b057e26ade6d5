/* A slot's name has one form only; everything else in a lock's folder is somebody else's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "record/record.h"
#include "store/key.h"

static void a_slot_is_named_by_its_number_counted_down_and_up(void **state) {
    (void)state;
    char name[KEY_SLOT_SIZE];
    key_format_slot(name, 42);
    assert_string_equal(name, "999999999957-42");
    key_format_slot(name, 1);
    assert_string_equal(name, "999999999998-1");
    key_format_slot(name, RECORD_SEQ_MAX);
    assert_string_equal(name, "000000000001-999999999998");
    assert_int_equal(strlen(name), KEY_SLOT_SIZE - 1);
}

static void what_is_formatted_is_parsed_back(void **state) {
    (void)state;
    const int64_t seqs[] = {1, 2, 9, 10, 99, 1000, 123456789, RECORD_SEQ_MAX - 1, RECORD_SEQ_MAX};
    for (size_t i = 0; i < sizeof seqs / sizeof *seqs; i++) {
        char name[KEY_SLOT_SIZE];
        int64_t seq = 0;
        key_format_slot(name, seqs[i]);
        assert_true(key_parse_slot(name, &seq));
        assert_int_equal(seq, seqs[i]);
    }
}

static void a_newer_slot_sorts_before_an_older_one(void **state) {
    (void)state;
    const int64_t seqs[] = {1, 2, 9, 10, 11, 99, 100, 999999, 1000000, RECORD_SEQ_MAX};
    for (size_t i = 1; i < sizeof seqs / sizeof *seqs; i++) {
        char older[KEY_SLOT_SIZE], newer[KEY_SLOT_SIZE];
        key_format_slot(older, seqs[i - 1]);
        key_format_slot(newer, seqs[i]);
        assert_true(strcmp(newer, older) < 0);
    }
}

static void any_other_name_is_no_slot(void **state) {
    (void)state;
    static const char *const names[] = {
        "",
        "-",
        "42",
        "999999999957",
        "999999999957-",
        "999999999957-43",
        "999999999957-42 ",
        " 999999999957-42",
        "999999999957-042",
        "999999999957-+42",
        "99999999957-42",
        "0999999999957-42",
        "999999999957_42",
        "999999999957-42/",
        "999999999957-42.tmp",
        "999999999999-0",
        "000000000000-999999999999",
        "-00000000001-42",
        "+99999999957-42",
        "999999999957--42",
        "x",
        "000000000001-9999999999980",
        "999999999957-4a",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int64_t seq = -7;
        if (key_parse_slot(names[i], &seq)) fail_msg("taken for a slot: \"%s\"", names[i]);
        assert_int_equal(seq, -7);
    }
}

static void a_folder_is_prefix_and_lock(void **state) {
    (void)state;
    char folder[KEY_FOLDER_SIZE];
    assert_int_equal(key_format_folder(folder, sizeof folder, "locks/", "leader"), 0);
    assert_string_equal(folder, "locks/leader/");
    assert_int_equal(key_format_folder(folder, sizeof folder, "", "a b"), 0);
    assert_string_equal(folder, "a b/");
}

static void a_lock_that_could_reach_into_another_folder_is_refused(void **state) {
    (void)state;
    char folder[KEY_FOLDER_SIZE];
    static const char *const locks[] = {"", ".", "..", "a/b", "/", "a\nb", "a\x7f"};
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++) {
        assert_int_equal(key_format_folder(folder, sizeof folder, "locks/", locks[i]), -EINVAL);
    }
    assert_int_equal(key_format_folder(folder, sizeof folder, "lo\x01/", "a"), -EINVAL);
    assert_int_equal(key_format_folder(folder, 8, "locks/", "leader"), -ENAMETOOLONG);
    char lock[2 * KEY_FOLDER_SIZE], room[2 * KEY_FOLDER_SIZE];
    memset(lock, 'a', sizeof lock);
    lock[KEY_FOLDER_SIZE] = '\0';
    assert_int_equal(key_format_folder(room, sizeof room, "", lock), -ENAMETOOLONG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_is_named_by_its_number_counted_down_and_up),
        cmocka_unit_test(what_is_formatted_is_parsed_back),
        cmocka_unit_test(a_newer_slot_sorts_before_an_older_one),
        cmocka_unit_test(any_other_name_is_no_slot),
        cmocka_unit_test(a_folder_is_prefix_and_lock),
        cmocka_unit_test(a_lock_that_could_reach_into_another_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
