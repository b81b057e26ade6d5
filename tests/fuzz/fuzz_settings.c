/* What a bucket is set to do: XML of a store's, read as each kind of setting in turn, leads to values within their
 * bounds or to a refusal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "s3/settings.h"

#define FOLDER     "locks/leader/"
#define MOST       INT64_C(4096)        /* bytes of a slot */
#define DAYS_MOST  INT64_C(365000)      /* of a retention: a thousand years */
#define SLOTS_MOST (INT64_C(43200) * 3) /* a day's, at the shortest TTL */

/* How many were told, and after how many to stop; 0: never. */
struct seen {
    int count;
    int stop_after;
};

static int go_on(struct seen *seen) { return ++seen->count == seen->stop_after ? -ECANCELED : 0; }

static int on_rule(void *context, const struct s3_lifecycle_rule *rule) {
    CHECK(strlen(rule->id) < sizeof rule->id && fuzz_is_printable(rule->id), "a rule's name can be shown");
    CHECK(strlen(rule->prefix) < sizeof rule->prefix, "a prefix ends within its array");
    CHECK(rule->days >= 0 && rule->old_version_days >= 0, "ages aren't negative");
    CHECK(rule->larger_than >= -1 && rule->smaller_than >= -1, "sizes aren't negative");
    bool covers = s3_lifecycle_covers(rule, FOLDER, MOST);
    CHECK(!covers || (rule->enabled && !rule->tagged), "a rule that is off, or for tagged objects, deletes no slot");
    CHECK(covers || !rule->enabled || rule->tagged || rule->prefix[0] != '\0' || rule->larger_than >= 0 ||
              rule->smaller_than >= 0,
          "a rule for everything is for slots");
    return go_on(context);
}

static int on_version(void *context, const struct s3_version *version) {
    CHECK(strlen(version->key) < sizeof version->key, "a key ends within its array");
    CHECK(strlen(version->id) < sizeof version->id, "a version's name ends within its array");
    return go_on(context);
}

/* rc of a parser that called back and was told to stop after so many. */
static void check_calls(int rc, const struct seen *seen) {
    CHECK(rc == 0 || rc == -EPROTO || rc == -ECANCELED, "parsing says 0, garbled or what it was told to");
    CHECK((rc == -ECANCELED) == (seen->stop_after > 0 && seen->count == seen->stop_after), "a stop is a stop");
}

static void check_lock(const char *bytes, size_t length) {
    struct s3_object_lock lock;
    int rc = s3_object_lock_parse(&lock, bytes, length);
    CHECK(rc == 0 || rc == -EPROTO, "parsing says 0 or garbled");
    CHECK(strlen(lock.mode) < sizeof lock.mode && fuzz_is_printable(lock.mode), "a mode can be shown");
    CHECK(lock.days >= 0 && lock.days <= DAYS_MOST, "a retention can be multiplied with the slots of a day");
    CHECK(lock.days * SLOTS_MOST >= 0, "slots of a retention are a number");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct seen rules = {.stop_after = 0}, versions = {.stop_after = 0};
    enum s3_versioning versioning;
    size_t length;
    /* '0' to '9' in front: stop after so many. */
    if (input.left > 0 && *input.next >= '0' && *input.next <= '9') {
        rules.stop_after = versions.stop_after = fuzz_byte(&input) - '0';
    }
    char *bytes = fuzz_block(&input, '\0', &length);
    int rc = s3_versioning_parse(&versioning, bytes, length);
    CHECK(rc == 0 || rc == -EPROTO, "parsing says 0 or garbled");
    CHECK(versioning <= S3_VERSIONING_SUSPENDED, "versioning is off, on or suspended");
    check_lock(bytes, length);
    check_calls(s3_lifecycle_parse(bytes, length, on_rule, &rules), &rules);
    check_calls(s3_versions_parse(bytes, length, on_version, &versions), &versions);
    free(bytes);
    return 0;
}
