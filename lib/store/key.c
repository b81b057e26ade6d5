/* Slot names; see key.h. */
#include "store/key.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "record/record.h"

#define KEY_SUM        INT64_C(999999999999)
#define KEY_SUM_DIGITS 12

void key_format_slot(char out[KEY_SLOT_SIZE], int64_t seq) {
    (void)text_format(out, KEY_SLOT_SIZE, "%012" PRId64 "-%" PRId64, KEY_SUM - seq, seq);
}

/* Reads decimal digits only, at most KEY_SUM_DIGITS of them; returns how many there were. */
static size_t read_digits(const char *text, int64_t *value) {
    size_t count = 0;
    for (*value = 0; count < KEY_SUM_DIGITS && text[count] >= '0' && text[count] <= '9'; count++) {
        *value = *value * 10 + (text[count] - '0');
    }
    return count;
}

bool key_parse_slot(const char *name, int64_t *seq) {
    int64_t rest, number;
    if (read_digits(name, &rest) != KEY_SUM_DIGITS || name[KEY_SUM_DIGITS] != '-') return false;
    const char *tail = name + KEY_SUM_DIGITS + 1;
    size_t digits = read_digits(tail, &number);
    if (digits == 0 || tail[0] == '0' || tail[digits] != '\0') return false;
    if (number > RECORD_SEQ_MAX || rest + number != KEY_SUM) return false;
    *seq = number;
    return true;
}

static bool has_control(const char *text) {
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return true;
    }
    return false;
}

int key_format_folder(char *out, size_t size, const char *prefix, const char *lock) {
    if (lock[0] == '\0' || strcmp(lock, ".") == 0 || strcmp(lock, "..") == 0) return -EINVAL;
    if (strchr(lock, '/') != NULL || has_control(lock) || has_control(prefix)) return -EINVAL;
    if (size > KEY_FOLDER_SIZE) size = KEY_FOLDER_SIZE;
    return text_format(out, size, "%s%s/", prefix, lock) == 0 ? 0 : -ENAMETOOLONG;
}
