/* Names of slots and folders: one name for each slot, one slot for each name, and no other name taken for one. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "record/record.h"
#include "store/key.h"
#include "store/look.h"

static void check_name(const char *name) {
    int64_t seq = -1;
    char again[KEY_SLOT_SIZE];
    if (!key_parse_slot(name, &seq)) {
        CHECK(seq == -1, "a name that isn't a slot's tells no number");
        return;
    }
    CHECK(seq >= 1 && seq <= RECORD_SEQ_MAX, "a slot's number is within its bounds");
    key_format_slot(again, seq);
    CHECK(strcmp(again, name) == 0, "a slot has one name only");
}

static void check_number(int64_t seq, int64_t other) {
    char name[KEY_SLOT_SIZE], older[KEY_SLOT_SIZE];
    int64_t again = 0;
    key_format_slot(name, seq);
    key_format_slot(older, other);
    CHECK(key_parse_slot(name, &again) && again == seq, "a slot's name is read back");
    CHECK((strcmp(name, older) < 0) == (seq > other), "newer slots sort in front");
}

static void check_folder(const char *prefix, const char *lock, const char *tail) {
    char folder[KEY_FOLDER_SIZE], key[2 * KEY_FOLDER_SIZE];
    int rc = key_format_folder(folder, sizeof folder, prefix, lock);
    if (rc != 0 || strlen(tail) >= KEY_FOLDER_SIZE) return;
    size_t length = strlen(folder);
    CHECK(length >= 2 && folder[length - 1] == '/', "a lock's folder ends with a slash");
    CHECK(strchr(folder + strlen(prefix), '/') == folder + length - 1, "a lock's name adds one folder");
    memcpy(key, folder, length);
    memcpy(key + length, tail, strlen(tail) + 1);
    CHECK(look_tail(folder, key) == key + length, "a key in a folder is known as such");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size}, numbers = {data, size};
    char *name = fuzz_text(&input, '\n'), *prefix = fuzz_text(&input, '\n'), *lock = fuzz_text(&input, '\n');
    char *tail = fuzz_text(&input, '\n');
    check_name(name);
    check_folder(prefix, lock, tail);
    int64_t seq = 1 + fuzz_number(&numbers, RECORD_SEQ_MAX - 1), other = 1 + fuzz_number(&numbers, RECORD_SEQ_MAX - 1);
    check_number(seq, other);
    check_number(seq, seq < RECORD_SEQ_MAX ? seq + 1 : 1);
    (void)look_tail(prefix, lock);
    free(name);
    free(prefix);
    free(lock);
    free(tail);
    return 0;
}
