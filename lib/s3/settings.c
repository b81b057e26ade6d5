/* A bucket's settings; see settings.h. */
#include "s3/settings.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "s3/uri.h"
#include "s3/xml.h"

#define DAYS_OF_A_YEAR 365
#define NUMBER_DIGITS  15
#define YEARS_MOST     1000 /* S3 takes 100; what others say must not overflow what is counted with it */

/* Decimal digits only. Returns whether text was that. */
static bool read_number(const char *text, int64_t *number) {
    size_t length = strlen(text);
    if (length == 0 || length > NUMBER_DIGITS || strspn(text, "0123456789") != length) return false;
    for (*number = 0; *text != '\0'; text++) *number = *number * 10 + (*text - '0');
    return true;
}

/* Takes a retention of number times days_each, no longer than can be told from "for ever". */
static int64_t days_of(int64_t number, int64_t days_each) {
    int64_t most = (int64_t)YEARS_MOST * DAYS_OF_A_YEAR;
    return number < most / days_each ? number * days_each : most;
}

/* Returns the part of path behind root, or NULL where it isn't below root. */
static const char *below(const char *path, const char *root) {
    size_t length = strlen(root);
    return strncmp(path, root, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

/* --- versions of objects --- */

struct versioning_reading {
    bool seen;
    enum s3_versioning versioning;
};

static int on_versioning(void *context, const char *path, const char *text) {
    struct versioning_reading *reading = context;
    const char *rest = below(path, "VersioningConfiguration");
    if (strcmp(path, "VersioningConfiguration") == 0) reading->seen = true;
    if (rest == NULL || strcmp(rest, "Status") != 0) return 0;
    if (strcmp(text, "Enabled") == 0) reading->versioning = S3_VERSIONING_ENABLED;
    if (strcmp(text, "Suspended") == 0) reading->versioning = S3_VERSIONING_SUSPENDED;
    return 0;
}

int s3_versioning_parse(enum s3_versioning *versioning, const char *bytes, size_t length) {
    struct versioning_reading reading = {.versioning = S3_VERSIONING_OFF};
    int rc = xml_parse(bytes, length, on_versioning, &reading);
    *versioning = reading.versioning;
    return rc == 0 && !reading.seen ? -EPROTO : rc;
}

struct versions_reading {
    bool seen, encoded;
    bool has_key, has_id;
    struct s3_version version;
    s3_version_seen *call;
    void *context;
};

static int finish_version(struct versions_reading *reading) {
    if (!reading->has_key || !reading->has_id) return -EPROTO;
    reading->has_key = reading->has_id = false;
    return reading->call(reading->context, &reading->version);
}

static int on_version(void *context, const char *path, const char *text) {
    struct versions_reading *reading = context;
    const char *rest = below(path, "ListVersionsResult");
    if (strcmp(path, "ListVersionsResult") == 0) reading->seen = true;
    if (rest == NULL) return 0;
    if (strcmp(rest, "Version") == 0 || strcmp(rest, "DeleteMarker") == 0) return finish_version(reading);
    const char *field = strchr(rest, '/');
    struct s3_version *version = &reading->version;
    if (field == NULL) return 0;
    if (strcmp(field, "/Key") == 0) {
        int rc = reading->encoded ? s3_uri_decode(version->key, sizeof version->key, text, true)
                                  : text_copy(version->key, sizeof version->key, text);
        reading->has_key = rc == 0;
    } else if (strcmp(field, "/VersionId") == 0) {
        reading->has_id = text_copy(version->id, sizeof version->id, text) == 0;
    }
    return 0;
}

static int on_encoding(void *context, const char *path, const char *text) {
    struct versions_reading *reading = context;
    if (strcmp(path, "ListVersionsResult/EncodingType") == 0) reading->encoded = strcmp(text, "url") == 0;
    return 0;
}

int s3_versions_parse(const char *bytes, size_t length, s3_version_seen *seen, void *context) {
    struct versions_reading reading = {.call = seen, .context = context};
    int rc = xml_parse(bytes, length, on_encoding, &reading);
    if (rc == 0) rc = xml_parse(bytes, length, on_version, &reading);
    return rc == 0 && !reading.seen ? -EPROTO : rc;
}

/* --- object lock --- */

struct object_lock_reading {
    bool seen;
    struct s3_object_lock lock;
};

static int on_object_lock(void *context, const char *path, const char *text) {
    struct object_lock_reading *reading = context;
    struct s3_object_lock *lock = &reading->lock;
    const char *rest = below(path, "ObjectLockConfiguration");
    int64_t number;
    if (strcmp(path, "ObjectLockConfiguration") == 0) reading->seen = true;
    if (rest == NULL) return 0;
    if (strcmp(rest, "ObjectLockEnabled") == 0) lock->enabled = strcmp(text, "Enabled") == 0;
    rest = below(rest, "Rule/DefaultRetention");
    if (rest == NULL) return 0;
    if (strcmp(rest, "Mode") == 0) text_copy_printable(lock->mode, sizeof lock->mode, text);
    if (strcmp(rest, "Days") == 0 && read_number(text, &number)) lock->days = days_of(number, 1);
    if (strcmp(rest, "Years") == 0 && read_number(text, &number)) lock->days = days_of(number, DAYS_OF_A_YEAR);
    return 0;
}

int s3_object_lock_parse(struct s3_object_lock *lock, const char *bytes, size_t length) {
    struct object_lock_reading reading = {.seen = false};
    int rc = xml_parse(bytes, length, on_object_lock, &reading);
    *lock = reading.lock;
    return rc == 0 && !reading.seen ? -EPROTO : rc;
}

/* --- expiry --- */

struct lifecycle_reading {
    bool seen;
    struct s3_lifecycle_rule rule;
    s3_lifecycle_seen *call;
    void *context;
};

static void begin_rule(struct s3_lifecycle_rule *rule) {
    *rule = (struct s3_lifecycle_rule){.larger_than = -1, .smaller_than = -1};
}

/* What a rule is for: directly in it (as S3 once had it), in its Filter, or in the And of that. */
static void take_filter(struct s3_lifecycle_rule *rule, const char *field, const char *text) {
    int64_t number;
    const char *filter = below(field, "Filter");
    if (filter != NULL) field = filter;
    const char *and = below(field, "And");
    if (and != NULL) field = and;
    if (strcmp(field, "Prefix") == 0) (void)text_copy(rule->prefix, sizeof rule->prefix, text);
    if (filter == NULL) return;
    if (strcmp(field, "Tag") == 0) rule->tagged = true;
    if (strcmp(field, "ObjectSizeGreaterThan") == 0 && read_number(text, &number)) rule->larger_than = number;
    if (strcmp(field, "ObjectSizeLessThan") == 0 && read_number(text, &number)) rule->smaller_than = number;
}

static int on_lifecycle(void *context, const char *path, const char *text) {
    struct lifecycle_reading *reading = context;
    struct s3_lifecycle_rule *rule = &reading->rule;
    int64_t number;
    if (strcmp(path, "LifecycleConfiguration") == 0) reading->seen = true;
    if (strcmp(path, "LifecycleConfiguration/Rule") == 0) {
        int rc = reading->call(reading->context, rule);
        begin_rule(rule);
        return rc;
    }
    const char *field = below(path, "LifecycleConfiguration/Rule");
    if (field == NULL) return 0;
    if (strcmp(field, "ID") == 0) text_copy_printable(rule->id, sizeof rule->id, text);
    if (strcmp(field, "Status") == 0) rule->enabled = strcmp(text, "Enabled") == 0;
    if (strcmp(field, "Expiration/Date") == 0) rule->expires = true;
    if (strcmp(field, "Expiration/Days") == 0 && read_number(text, &number)) {
        rule->expires = true;
        rule->days = number;
    }
    if (strcmp(field, "NoncurrentVersionExpiration/NoncurrentDays") == 0 && read_number(text, &number))
        rule->old_version_days = number;
    take_filter(rule, field, text);
    return 0;
}

int s3_lifecycle_parse(const char *bytes, size_t length, s3_lifecycle_seen *seen, void *context) {
    struct lifecycle_reading reading = {.call = seen, .context = context};
    begin_rule(&reading.rule);
    int rc = xml_parse(bytes, length, on_lifecycle, &reading);
    return rc == 0 && !reading.seen ? -EPROTO : rc;
}

bool s3_lifecycle_covers(const struct s3_lifecycle_rule *rule, const char *folder, int64_t most) {
    size_t ours = strlen(folder), theirs = strlen(rule->prefix);
    if (!rule->enabled || rule->tagged || rule->larger_than >= most || rule->smaller_than == 0) return false;
    return strncmp(rule->prefix, folder, ours < theirs ? ours : theirs) == 0;
}
