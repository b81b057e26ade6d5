/* Single values of options: what is accepted is within its limits, and is read back from how it is written; what isn't
 * has a reason. The text is read as every kind of value. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "bucket.h"
#include "fuzz.h"
#include "record/rfc3339.h"
#include "store/key.h"
#include "values.h"

#define LONGEST_MS INT64_C(31622400000) /* 366 days */

static void check_outcome(int rc, const char *problem) {
    CHECK(rc == 0 || problem[0] != '\0', "what is refused has a reason");
    CHECK(fuzz_is_printable(problem), "a reason is printable");
}

static void check_duration(const char *text) {
    int64_t ms = -1, again = -1;
    char problem[VALUES_PROBLEM_SIZE] = "", written[32];
    int rc = text_parse_duration(text, &ms);
    check_outcome(value_duration(text, 2000, 600000, &again, problem), problem);
    if (rc != 0) return;
    CHECK(ms >= 0 && ms <= LONGEST_MS, "a duration is within its limits");
    text_format_duration(written, sizeof written, ms);
    CHECK(text_parse_duration(written, &again) == 0 && again == ms, "a duration is read back");
}

static void check_numbers(const char *text) {
    char problem[VALUES_PROBLEM_SIZE] = "";
    bool flag;
    int64_t number = -1;
    int signal = -1, rc = value_number(text, 0, 255, &number, problem);
    check_outcome(rc, problem);
    if (rc == 0) CHECK(number >= 0 && number <= 255, "a number is within its limits");
    problem[0] = '\0';
    rc = value_signal(text, &signal, problem);
    check_outcome(rc, problem);
    if (rc == 0) CHECK(signal >= 1 && signal <= SIGRTMAX, "a signal is one");
    if (rc == 0) CHECK(signal != SIGSTOP && signal != SIGTSTP, "a stop signal ends what it reaches");
    problem[0] = '\0';
    check_outcome(value_flag(text, &flag, problem), problem);
}

static void check_names(const char *text) {
    char problem[VALUES_PROBLEM_SIZE] = "", folder[KEY_FOLDER_SIZE], prefix[PREFIX_SIZE], again[PREFIX_SIZE];
    int rc = value_prefix(text, prefix, problem);
    check_outcome(rc, problem);
    if (rc == 0) {
        CHECK(prefix[0] == '\0' || prefix[strlen(prefix) - 1] == '/', "a prefix is a folder");
        CHECK(value_prefix(prefix, again, problem) == 0 && strcmp(prefix, again) == 0, "a prefix is read back");
    }
    problem[0] = '\0';
    rc = value_lock_name(text, problem);
    check_outcome(rc, problem);
    if (rc == 0) CHECK(key_format_folder(folder, sizeof folder, "locks/", text) == 0, "a lock's name can be used");
    problem[0] = '\0';
    check_outcome(value_text(text, 100, problem), problem);
    problem[0] = '\0';
    check_outcome(value_choice(text, "one|two|three", problem), problem);
}

static void check_bucket(const char *text) {
    static struct bucket bucket;
    char problem[VALUES_PROBLEM_SIZE] = "", identity[BUCKET_IDENTITY_SIZE];
    int rc = bucket_parse(&bucket, text, problem);
    check_outcome(rc, problem);
    if (rc != 0) return;
    if (bucket.kind == BUCKET_DIRECTORY) CHECK(bucket.directory[0] == '/', "a directory is an absolute path");
    if (bucket.kind == BUCKET_S3) CHECK(strlen(bucket.name) >= 3, "a bucket has a name");
    CHECK(bucket_identity(identity, sizeof identity, &bucket, "locks/", "leader") == 0, "a lock has an identity");
    CHECK(fuzz_is_printable(identity) && strchr(identity, ' ') == NULL, "an identity is one word");
}

static void check_time(const char *text) {
    char written[RFC3339_SIZE];
    int64_t ms = -1, again = -1;
    if (!rfc3339_parse(text, &ms)) return;
    CHECK(ms >= 0 && ms <= RFC3339_MAX_MS, "a time is from 1970 to 9999");
    rfc3339_format(written, ms);
    CHECK(rfc3339_parse(written, &again) && again == ms, "a time is read back");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    char *text = fuzz_text(&input, '\0');
    uint8_t bytes[4];
    check_duration(text);
    check_numbers(text);
    check_names(text);
    check_bucket(text);
    check_time(text);
    if (text_from_hex(bytes, sizeof bytes, text)) CHECK(strlen(text) == 2 * sizeof bytes, "hex has its length");
    free(text);
    return 0;
}
