/* A bucket's settings as stores write them, and rules that are or aren't for a lock's slots. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "s3/settings.h"

#define XMLNS      " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define SLOT_BYTES 4096

static void versioning_is_off_enabled_or_suspended(void **state) {
    (void)state;
    static const struct {
        const char *xml;
        int rc;
        enum s3_versioning expected;
    } cases[] = {
        {"<VersioningConfiguration" XMLNS "/>", 0, S3_VERSIONING_OFF},
        {"<VersioningConfiguration" XMLNS "><Status>Enabled</Status></VersioningConfiguration>", 0,
         S3_VERSIONING_ENABLED},
        {"<VersioningConfiguration><Status>Suspended</Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>",
         0, S3_VERSIONING_SUSPENDED},
        {"<Error><Status>Enabled</Status></Error>", -EPROTO, S3_VERSIONING_OFF},
        {"<VersioningConfiguration><Status>Enabled</Status>", -EPROTO, S3_VERSIONING_ENABLED},
        {"", -EPROTO, S3_VERSIONING_OFF},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum s3_versioning versioning;
        assert_int_equal(s3_versioning_parse(&versioning, cases[i].xml, strlen(cases[i].xml)), cases[i].rc);
        assert_int_equal(versioning, cases[i].expected);
    }
}

static void object_lock_tells_its_default_retention(void **state) {
    (void)state;
    struct s3_object_lock lock;
    static const char days[] = "<ObjectLockConfiguration" XMLNS "><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
                               "<DefaultRetention><Mode>COMPLIANCE</Mode><Days>7</Days></DefaultRetention></Rule>"
                               "</ObjectLockConfiguration>";
    assert_int_equal(s3_object_lock_parse(&lock, days, sizeof days - 1), 0);
    assert_true(lock.enabled);
    assert_string_equal(lock.mode, "COMPLIANCE");
    assert_int_equal(lock.days, 7);
    static const char years[] = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
                                "<DefaultRetention><Mode>GOVERNANCE</Mode><Years>2</Years></DefaultRetention></Rule>"
                                "</ObjectLockConfiguration>";
    assert_int_equal(s3_object_lock_parse(&lock, years, sizeof years - 1), 0);
    assert_int_equal(lock.days, 730);
    static const char ages[] = "<ObjectLockConfiguration><Rule><DefaultRetention><Years>999999999999999</Years>"
                               "</DefaultRetention></Rule></ObjectLockConfiguration>";
    assert_int_equal(s3_object_lock_parse(&lock, ages, sizeof ages - 1), 0);
    assert_int_equal(lock.days, 365000);
    static const char plain[] =
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    assert_int_equal(s3_object_lock_parse(&lock, plain, sizeof plain - 1), 0);
    assert_true(lock.enabled);
    assert_int_equal(lock.days, 0);
    assert_int_equal(s3_object_lock_parse(&lock, "<x/>", 4), -EPROTO);
    assert_false(lock.enabled);
}

struct rules {
    int count;
    struct s3_lifecycle_rule rules[4];
};

static int keep_rule(void *context, const struct s3_lifecycle_rule *rule) {
    struct rules *rules = context;
    if (rules->count == 4) return -ENOSPC;
    rules->rules[rules->count++] = *rule;
    return 0;
}

static struct rules parse_rules(const char *xml) {
    struct rules rules = {.count = 0};
    assert_int_equal(s3_lifecycle_parse(xml, strlen(xml), keep_rule, &rules), 0);
    return rules;
}

static bool covers(const struct s3_lifecycle_rule *rule) {
    return s3_lifecycle_covers(rule, "locks/leader/", SLOT_BYTES);
}

static void a_rule_for_a_prefix_above_or_in_the_folder_covers_it(void **state) {
    (void)state;
    static const struct {
        const char *prefix;
        bool covers;
    } cases[] = {{"", true},
                 {"l", true},
                 {"locks/", true},
                 {"locks/leader/", true},
                 {"locks/b", false},
                 {"locks/leader/9", true},
                 {"locks/leader2/", false},
                 {"logs/", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct s3_lifecycle_rule rule = {.enabled = true, .larger_than = -1, .smaller_than = -1};
        (void)text_copy(rule.prefix, sizeof rule.prefix, cases[i].prefix);
        assert_int_equal(covers(&rule), cases[i].covers);
    }
}

static void every_way_to_write_a_rule_is_read(void **state) {
    (void)state;
    struct rules rules = parse_rules(
        "<LifecycleConfiguration" XMLNS ">"
        "<Rule><ID>old</ID><Prefix>locks/</Prefix><Status>Enabled</Status><Expiration><Days>30</Days></Expiration>"
        "</Rule>"
        "<Rule><ID>filter</ID><Filter><Prefix>locks/</Prefix></Filter><Status>Enabled</Status>"
        "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
        "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>"
        "<Rule><ID>and</ID><Filter><And><Prefix>locks/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter>"
        "<Status>Enabled</Status><Expiration><Date>2027-01-01T00:00:00Z</Date></Expiration></Rule>"
        "<Rule><ID>big</ID><Filter><ObjectSizeGreaterThan>1000000</ObjectSizeGreaterThan></Filter>"
        "<Status>Disabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
        "</LifecycleConfiguration>");
    assert_int_equal(rules.count, 4);
    assert_string_equal(rules.rules[0].id, "old");
    assert_true(covers(&rules.rules[0]) && rules.rules[0].expires);
    assert_int_equal(rules.rules[0].days, 30);
    assert_true(covers(&rules.rules[1]));
    assert_false(rules.rules[1].expires);
    assert_int_equal(rules.rules[1].old_version_days, 1);
    assert_int_equal(rules.rules[0].old_version_days, 0);
    assert_true(rules.rules[2].expires && rules.rules[2].tagged);
    assert_int_equal(rules.rules[2].days, 0);
    assert_false(covers(&rules.rules[2]));
    assert_int_equal(rules.rules[3].larger_than, 1000000);
    assert_false(rules.rules[3].enabled);
    rules.rules[3].enabled = true;
    assert_false(covers(&rules.rules[3]));
    rules.rules[3].larger_than = 1;
    assert_true(covers(&rules.rules[3]));
}

static void what_is_no_lifecycle_is_an_error(void **state) {
    (void)state;
    struct rules rules = {.count = 0};
    assert_int_equal(s3_lifecycle_parse("<Error/>", 8, keep_rule, &rules), -EPROTO);
    static const char five[] = "<LifecycleConfiguration><Rule/><Rule/><Rule/><Rule/><Rule/></LifecycleConfiguration>";
    assert_int_equal(s3_lifecycle_parse(five, sizeof five - 1, keep_rule, &rules), -ENOSPC);
    static const char empty[] = "<LifecycleConfiguration/>";
    rules.count = 0;
    assert_int_equal(s3_lifecycle_parse(empty, sizeof empty - 1, keep_rule, &rules), 0);
    assert_int_equal(rules.count, 0);
}

struct versions {
    int count;
    struct s3_version versions[4];
};

static int keep_version(void *context, const struct s3_version *version) {
    struct versions *versions = context;
    versions->versions[versions->count++] = *version;
    return 0;
}

static void versions_and_delete_markers_are_listed_alike(void **state) {
    (void)state;
    static const char xml[] =
        "<ListVersionsResult" XMLNS "><Name>b</Name><KeyMarker/><EncodingType>url</EncodingType>"
        "<Version><Key>a%2Fb%2B1</Key><VersionId>v1</VersionId><Owner><ID>o</ID></Owner></Version>"
        "<DeleteMarker><Key>a%2Fc</Key><VersionId>null</VersionId></DeleteMarker></ListVersionsResult>";
    struct versions found = {.count = 0};
    assert_int_equal(s3_versions_parse(xml, sizeof xml - 1, keep_version, &found), 0);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.versions[0].key, "a/b+1");
    assert_string_equal(found.versions[0].id, "v1");
    assert_string_equal(found.versions[1].key, "a/c");
    assert_string_equal(found.versions[1].id, "null");
    static const char half[] = "<ListVersionsResult><Version><Key>a</Key></Version></ListVersionsResult>";
    assert_int_equal(s3_versions_parse(half, sizeof half - 1, keep_version, &found), -EPROTO);
    assert_int_equal(s3_versions_parse("<a/>", 4, keep_version, &found), -EPROTO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versioning_is_off_enabled_or_suspended),
        cmocka_unit_test(object_lock_tells_its_default_retention),
        cmocka_unit_test(a_rule_for_a_prefix_above_or_in_the_folder_covers_it),
        cmocka_unit_test(every_way_to_write_a_rule_is_read),
        cmocka_unit_test(what_is_no_lifecycle_is_an_error),
        cmocka_unit_test(versions_and_delete_markers_are_listed_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
