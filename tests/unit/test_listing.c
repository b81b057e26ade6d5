/* S3's XML, from stores that mean well and from those that don't; dates and percent-encoding as they stand in it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "s3/dates.h"
#include "s3/error.h"
#include "s3/listing.h"
#include "s3/uri.h"
#include "s3/xml.h"

#define PREFIX "locks/leader/"
#define PAGE   "<ListBucketResult><Prefix>locks/leader/</Prefix>"

struct seen {
    size_t count;
    char keys[8][64];
    int64_t sizes[8];
    int64_t modified_ms[8];
};

static int on_object(void *context, const struct s3_object *object) {
    struct seen *seen = context;
    assert_true(seen->count < 8);
    (void)snprintf(seen->keys[seen->count], sizeof seen->keys[0], "%s", object->key);
    seen->sizes[seen->count] = object->size;
    seen->modified_ms[seen->count++] = object->modified_ms;
    return 0;
}

static int parse(struct s3_page *page, struct seen *seen, const char *text) {
    *seen = (struct seen){0};
    return s3_listing_parse(page, text, strlen(text), PREFIX, on_object, seen);
}

/* As Ceph 16 writes it. */
static const char ceph[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult "
                           "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
                           "<Prefix>locks%2Fleader%2F</Prefix><MaxKeys>10</MaxKeys><EncodingType>url</"
                           "EncodingType><IsTruncated>false</IsTruncated>"
                           "<Contents><Key>locks%2Fa%2Bb%20c</Key><LastModified>2026-11-23T22:29:10.084Z</"
                           "LastModified><ETag>&quot;41&quot;</ETag><Size>1</Size>"
                           "<StorageClass>STANDARD</StorageClass><Owner><ID>t</ID><DisplayName>t</DisplayName></"
                           "Owner><Type>Normal</Type></Contents>"
                           "<Contents><Key>locks%2Fd+e</Key><LastModified>2026-11-23T22:29:09.932Z</"
                           "LastModified><ETag>&quot;aa&quot;</ETag><Size>5497558138880</Size>"
                           "</Contents><KeyCount>2</KeyCount></ListBucketResult>";

static void a_listing_shows_keys_sizes_and_times(void **state) {
    (void)state;
    struct s3_page page;
    struct seen seen;
    assert_int_equal(parse(&page, &seen, ceph), 0);
    assert_false(page.truncated);
    assert_int_equal(page.count, 2);
    assert_string_equal(seen.keys[0], "locks/a+b c");
    assert_int_equal(seen.sizes[0], 1);
    assert_int_equal(seen.modified_ms[0], INT64_C(1795472950084));
    assert_string_equal(seen.keys[1], "locks/d e");
    assert_int_equal(seen.sizes[1], INT64_C(5497558138880));
    assert_string_equal(page.last_key, "locks/d e");
}

static void keys_are_decoded_only_where_the_answer_says_that_they_are_encoded(void **state) {
    (void)state;
    struct s3_page page;
    struct seen seen;
    assert_int_equal(
        parse(&page, &seen,
              PAGE "<IsTruncated>true</IsTruncated><Contents><Key>a%2Fb+&amp;</Key>"
                   "<LastModified>2026-11-23T22:29:10Z</LastModified><Size>0</Size></Contents></ListBucketResult>"),
        0);
    assert_string_equal(seen.keys[0], "a%2Fb+&");
    assert_true(page.truncated);
    /* The word may stand behind the keys that it is about. */
    assert_int_equal(
        parse(&page, &seen,
              PAGE "<IsTruncated>true</IsTruncated><Contents><Key>a%2Fb</"
                   "Key><LastModified>2026-11-23T22:29:10Z"
                   "</LastModified><Size>0</Size></Contents><EncodingType>url</EncodingType></ListBucketResult>"),
        0);
    assert_string_equal(seen.keys[0], "a/b");
}

static void common_prefixes_and_other_things_are_no_objects(void **state) {
    (void)state;
    struct s3_page page;
    struct seen seen;
    assert_int_equal(parse(&page, &seen,
                           "<a:ListBucketResult "
                           "xmlns:a=\"x\"><a:Prefix>locks/leader/</a:Prefix><a:IsTruncated>false</"
                           "a:IsTruncated><a:CommonPrefixes><a:Prefix>p/</a:Prefix>"
                           "</a:CommonPrefixes></a:ListBucketResult>"),
                     0);
    assert_int_equal(page.count, 0);
    assert_string_equal(page.last_key, "");
}

static void what_is_no_whole_listing_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "not XML",
        "<ListBucketResult>",
        PAGE "</ListBucketResult>",
        PAGE "<IsTruncated>perhaps</IsTruncated></ListBucketResult>",
        "<html><IsTruncated>false</IsTruncated></html>",
        "<Error><Code>NoSuchBucket</Code></Error>",
        PAGE "<IsTruncated>false</IsTruncated></ListBucketResult><more/>",
        PAGE "<IsTruncated>false</IsTruncated><Contents/></ListBucketResult>",
        PAGE "<IsTruncated>false</IsTruncated><Contents><Key>a</Key><LastModified>2026-11-23T22:29:10Z</"
             "LastModified>"
             "<Size>99999999999999999999</Size></Contents></ListBucketResult>",
        PAGE "<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents><Key>a%zz</Key>"
             "<LastModified>2026-11-23T22:29:10Z</LastModified><Size>1</Size></Contents></ListBucketResult>",
        "<!DOCTYPE ListBucketResult>" PAGE "<IsTruncated>false</IsTruncated></ListBucketResult>",
        "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b "
        "\"&a;&a;\">]>" PAGE "<IsTruncated>false</IsTruncated><Name>&b;</Name>"
        "</ListBucketResult>",
        PAGE "<IsTruncated>&undefined;</IsTruncated></ListBucketResult>",
        PAGE "<IsTruncated>false</IsTruncated><a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a></"
             "ListBucketResult>",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct s3_page page;
        struct seen seen;
        if (parse(&page, &seen, texts[i]) != -EPROTO) fail_msg("taken for a listing: %s", texts[i]);
    }
}

static void a_listing_of_another_prefix_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *prefix;
        int result;
    } cases[] = {
        {"<Prefix>locks/leader/</Prefix>", 0},
        {"<Prefix>locks%2Fleader%2F</Prefix>", 0}, /* encoded like the keys, or not */
        {"", -EPROTO},
        {"<Prefix/>", -EPROTO},
        {"<Prefix>locks/leader</Prefix>", -EPROTO},
        {"<Prefix>locks/leader/9</Prefix>", -EPROTO},
        {"<Prefix>locks/other/</Prefix>", -EPROTO},
        {"<CommonPrefixes><Prefix>locks/leader/</Prefix></CommonPrefixes>", -EPROTO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct s3_page page;
        struct seen seen;
        char text[200];
        (void)snprintf(text, sizeof text, "<ListBucketResult>%s<IsTruncated>false</IsTruncated></ListBucketResult>",
                       cases[i].prefix);
        if (parse(&page, &seen, text) != cases[i].result) fail_msg("wrong about %s", cases[i].prefix);
    }
}

static void a_listing_cut_anywhere_is_refused(void **state) {
    (void)state;
    for (size_t length = 0; length < sizeof ceph - 1; length++) {
        struct s3_page page;
        struct seen seen = {0};
        char *copy = malloc(length + 1); /* of its own, so that reading past its end is noticed */
        assert_non_null(copy);
        memcpy(copy, ceph, length);
        assert_int_equal(s3_listing_parse(&page, copy, length, PREFIX, on_object, &seen), -EPROTO);
        free(copy);
    }
}

static int ignore(void *context, const char *path, const char *text) {
    (void)context, (void)path, (void)text;
    return 0;
}

static void endless_text_and_names_are_refused(void **state) {
    (void)state;
    static char text[3 * XML_TEXT_SIZE];
    (void)snprintf(text, sizeof text, "<a>%0*d</a>", XML_TEXT_SIZE - 1, 0);
    assert_int_equal(xml_parse(text, strlen(text), ignore, NULL), 0);
    (void)snprintf(text, sizeof text, "<a>%0*d</a>", XML_TEXT_SIZE, 0);
    assert_int_equal(xml_parse(text, strlen(text), ignore, NULL), -EPROTO);
    (void)snprintf(text, sizeof text, "<a%0*d/>", XML_PATH_SIZE, 0);
    assert_int_equal(xml_parse(text, strlen(text), ignore, NULL), -EPROTO);
}

static int say_no(void *context, const char *path, const char *text) {
    int *calls = context;
    (void)path, (void)text;
    ++*calls;
    return -ECANCELED;
}

static void a_callers_no_ends_the_reading(void **state) {
    (void)state;
    static const char text[] = "<a><b/><c/></a>";
    int calls = 0;
    assert_int_equal(xml_parse(text, sizeof text - 1, say_no, &calls), -ECANCELED);
    assert_int_equal(calls, 1);
}

static void an_error_says_code_message_request_and_region(void **state) {
    (void)state;
    struct s3_error error;
    static const char text[] =
        "<?xml version=\"1.0\"?>\n<Error><Code>AuthorizationHeaderMalformed</Code><Message>bad\nregion</Message>"
        "<Region>eu-west-3</Region><RequestId>4F2A</RequestId><HostId>x</HostId></Error>";
    assert_int_equal(s3_error_parse(&error, text, sizeof text - 1), 0);
    assert_string_equal(error.code, "AuthorizationHeaderMalformed");
    assert_string_equal(error.message, "bad?region");
    assert_string_equal(error.region, "eu-west-3");
    assert_string_equal(error.request_id, "4F2A");
}

static void what_has_no_code_is_no_error(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "<html/>",
                                        "<Error/>",
                                        "<Error><Code></Code></Error>",
                                        "<Error><Code>x</Code>",
                                        "{}",
                                        "<Answer><Error><Code>x</Code></Error></Answer>"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct s3_error error;
        assert_int_equal(s3_error_parse(&error, texts[i], strlen(texts[i])), -EPROTO);
        assert_string_equal(error.code, "");
    }
}

static void times_are_read_to_the_millisecond(void **state) {
    (void)state;
    int64_t ms;
    assert_int_equal(s3_date_parse_iso8601("1970-01-01T00:00:00Z", &ms), 0);
    assert_int_equal(ms, 0);
    assert_int_equal(s3_date_parse_iso8601("2026-11-23T22:29:10.084Z", &ms), 0);
    assert_int_equal(ms, INT64_C(1795472950084));
    assert_int_equal(s3_date_parse_iso8601("2026-11-23T22:29:10.0849999999Z", &ms), 0);
    assert_int_equal(ms, INT64_C(1795472950084));
    assert_int_equal(s3_date_parse_iso8601("2026-11-23T22:29:10.5Z", &ms), 0);
    assert_int_equal(ms, INT64_C(1795472950500));
    assert_int_equal(s3_date_parse_iso8601("2024-02-29T12:00:00Z", &ms), 0);
    assert_int_equal(s3_date_parse_http("Mon, 23 Nov 2026 22:29:10 GMT", &ms), 0);
    assert_int_equal(ms, INT64_C(1795472950000));
}

static void what_is_no_time_is_refused(void **state) {
    (void)state;
    static const char *const iso[] = {"",
                                      "2026-11-23",
                                      "2026-11-23T22:29:10",
                                      "2026-11-23T22:29:10+01:00",
                                      "2026-11-23 22:29:10Z",
                                      "2026-02-29T22:29:10Z",
                                      "2026-13-01T22:29:10Z",
                                      "2026-00-01T22:29:10Z",
                                      "2026-11-31T22:29:10Z",
                                      "2026-11-23T24:29:10Z",
                                      "2026-11-23T22:60:10Z",
                                      "2026-11-23T22:29:61Z",
                                      "2026-11-23T22:29:10.Z",
                                      "2026-11-23T22:29:10.5",
                                      "1969-12-31T23:59:59Z",
                                      "-026-11-23T22:29:10Z",
                                      "2026-11-23T22:29:1 Z"};
    static const char *const http[] = {"",
                                       "Mon, 23 Nov 2026 22:29:10",
                                       "Monday, 23-Nov-26 22:29:10 GMT",
                                       "Mon, 23 Xxx 2026 22:29:10 GMT",
                                       "Mon, 23 Nov 2026 22:29:10 UTC",
                                       "Mon, 32 Nov 2026 22:29:10 GMT",
                                       "Mon Nov 23 22:29:10 2026 GMT  "};
    int64_t ms;
    for (size_t i = 0; i < sizeof iso / sizeof *iso; i++) assert_int_equal(s3_date_parse_iso8601(iso[i], &ms), -EINVAL);
    for (size_t i = 0; i < sizeof http / sizeof *http; i++) assert_int_equal(s3_date_parse_http(http[i], &ms), -EINVAL);
}

static void times_are_written_for_signatures(void **state) {
    (void)state;
    char out[17];
    assert_int_equal(s3_date_format_signing(out, INT64_C(1369353600999)), 0);
    assert_string_equal(out, "20130524T000000Z");
    assert_int_equal(s3_date_format_signing(out, -1), -EINVAL);
    assert_int_equal(s3_date_format_signing(out, INT64_C(253402300800000)), -EINVAL);
}

static void text_is_encoded_as_s3_signs_it(void **state) {
    (void)state;
    struct buffer out;
    buffer_init(&out, 64);
    assert_int_equal(s3_uri_append(&out, "a/B-._~ +%\xc3\xa9", true), 0);
    assert_string_equal(out.data, "a/B-._~%20%2B%25%C3%A9");
    buffer_clear(&out);
    const struct s3_parameter parameters[] = {{"list-type", "2"}, {"prefix", "a/b=&"}};
    assert_int_equal(s3_uri_append_query(&out, parameters, 2), 0);
    assert_string_equal(out.data, "list-type=2&prefix=a%2Fb%3D%26");
    assert_int_equal(s3_uri_append(&out, "012345678901234567890123456789012345678901234567890123456789", true),
                     -EMSGSIZE);
    buffer_deinit(&out);
}

static void encoded_text_is_decoded_and_nonsense_refused(void **state) {
    (void)state;
    char out[8];
    assert_int_equal(s3_uri_decode(out, sizeof out, "a%2Fb%2b+", true), 0);
    assert_string_equal(out, "a/b+ ");
    assert_int_equal(s3_uri_decode(out, sizeof out, "+", false), 0);
    assert_string_equal(out, "+");
    assert_int_equal(s3_uri_decode(out, sizeof out, "%", true), -EINVAL);
    assert_int_equal(s3_uri_decode(out, sizeof out, "%4", true), -EINVAL);
    assert_int_equal(s3_uri_decode(out, sizeof out, "%g0", true), -EINVAL);
    assert_int_equal(s3_uri_decode(out, sizeof out, "%00", true), -EINVAL);
    assert_int_equal(s3_uri_decode(out, sizeof out, "1234567", true), 0);
    assert_int_equal(s3_uri_decode(out, sizeof out, "12345678", true), -ENOSPC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listing_shows_keys_sizes_and_times),
        cmocka_unit_test(keys_are_decoded_only_where_the_answer_says_that_they_are_encoded),
        cmocka_unit_test(common_prefixes_and_other_things_are_no_objects),
        cmocka_unit_test(what_is_no_whole_listing_is_refused),
        cmocka_unit_test(a_listing_of_another_prefix_is_refused),
        cmocka_unit_test(a_listing_cut_anywhere_is_refused),
        cmocka_unit_test(endless_text_and_names_are_refused),
        cmocka_unit_test(a_callers_no_ends_the_reading),
        cmocka_unit_test(an_error_says_code_message_request_and_region),
        cmocka_unit_test(what_has_no_code_is_no_error),
        cmocka_unit_test(times_are_read_to_the_millisecond),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(times_are_written_for_signatures),
        cmocka_unit_test(text_is_encoded_as_s3_signs_it),
        cmocka_unit_test(encoded_text_is_decoded_and_nonsense_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
