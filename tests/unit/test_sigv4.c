/* Signatures against what Amazon published, each step of them.
 *
 * "suite": the AWS Signature Version 4 test suite (aws-sig-v4-test-suite); "guide": the examples of "Signature
 * Calculations for the Authorization Header" in the Amazon S3 API reference, and of the AWS General Reference's
 * "Deriving the signing key". Only the values were taken over. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "s3/sigv4.h"

#define EMPTY_HASH   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define GUIDE_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define HEADERS(...) {__VA_ARGS__}, sizeof((struct sigv4_header[]){__VA_ARGS__}) / sizeof(struct sigv4_header)
#define SUITE_HOST                                                                                                     \
    { "host", "example.amazonaws.com" }
#define SUITE_DATE                                                                                                     \
    { "x-amz-date", "20150830T123600Z" }
#define GUIDE_HOST                                                                                                     \
    { "host", "examplebucket.s3.amazonaws.com" }
#define GUIDE_EMPTY                                                                                                    \
    { "x-amz-content-sha256", EMPTY_HASH }
#define GUIDE_DATE                                                                                                     \
    { "x-amz-date", "20130524T000000Z" }
#define PUT_HASH "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

struct vector {
    const char *name, *secret, *service;
    const char *method, *path, *query;
    struct sigv4_header headers[8];
    size_t header_count;
    const char *payload_hash;
    const char *canonical_hash; /* of the canonical request */
    const char *signature;
};

static const struct vector vectors[] = {
    {"suite: get-vanilla", SUITE_SECRET, "service", "GET", "/", "", HEADERS(SUITE_HOST, SUITE_DATE), EMPTY_HASH,
     "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"suite: get-vanilla-query-order-key-case", SUITE_SECRET, "service", "GET", "/", "Param1=value1&Param2=value2",
     HEADERS(SUITE_HOST, SUITE_DATE), EMPTY_HASH, "816cd5b414d056048ba4f7c5386d6e0533120fb1fcfa93762cf0fc39e2cf19e0",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"suite: get-utf8", SUITE_SECRET, "service", "GET", "/%E1%88%B4", "", HEADERS(SUITE_HOST, SUITE_DATE), EMPTY_HASH,
     "2a0a97d02205e45ce2e994789806b19270cfbbb0921b278ccf58f5249ac42102",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"suite: post-vanilla", SUITE_SECRET, "service", "POST", "/", "", HEADERS(SUITE_HOST, SUITE_DATE), EMPTY_HASH,
     "553f88c9e4d10fc9e109e2aeb65f030801b70c2f6468faca261d401ae622fc87",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"guide: GET object", GUIDE_SECRET, "s3", "GET", "/test.txt", "",
     HEADERS(GUIDE_HOST, {"range", "bytes=0-9"}, GUIDE_EMPTY, GUIDE_DATE), EMPTY_HASH,
     "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"guide: PUT object", GUIDE_SECRET, "s3", "PUT", "/test%24file.text", "",
     HEADERS({"date", "Fri, 24 May 2013 00:00:00 GMT"}, GUIDE_HOST, {"x-amz-content-sha256", PUT_HASH}, GUIDE_DATE,
             {"x-amz-storage-class", "REDUCED_REDUNDANCY"}),
     PUT_HASH, "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"guide: GET bucket lifecycle", GUIDE_SECRET, "s3", "GET", "/",
     "lifecycle=", HEADERS(GUIDE_HOST, GUIDE_EMPTY, GUIDE_DATE), EMPTY_HASH,
     "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"guide: list objects", GUIDE_SECRET, "s3", "GET", "/", "max-keys=2&prefix=J",
     HEADERS(GUIDE_HOST, GUIDE_EMPTY, GUIDE_DATE), EMPTY_HASH,
     "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static struct sigv4_request request_of(const struct vector *vector) {
    return (struct sigv4_request){.method = vector->method,
                                  .path = vector->path,
                                  .query = vector->query,
                                  .headers = vector->headers,
                                  .header_count = vector->header_count,
                                  .payload_hash = vector->payload_hash};
}

static struct sigv4_scope scope_of(const struct vector *vector) {
    struct sigv4_scope scope = {.region = "us-east-1", .service = vector->service};
    strcpy(scope.date, strcmp(vector->service, "s3") == 0 ? "20130524T000000Z" : "20150830T123600Z");
    return scope;
}

static void the_canonical_request_of_the_guides_get_reads_as_published(void **state) {
    (void)state;
    struct sigv4_request request = request_of(&vectors[4]);
    struct buffer out;
    buffer_init(&out, 4096);
    assert_int_equal(sigv4_canonical_request(&out, &request), 0);
    assert_string_equal(
        out.data,
        "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\nx-amz-content-sha256:" EMPTY_HASH
        "\nx-amz-date:20130524T000000Z\n\nhost;range;x-amz-content-sha256;x-amz-date\n" EMPTY_HASH);
    buffer_deinit(&out);
}

static void every_step_of_every_vector_is_as_published(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const struct vector *vector = &vectors[i];
        struct sigv4_request request = request_of(vector);
        struct sigv4_scope scope = scope_of(vector);
        struct buffer canonical;
        char to_sign[SIGV4_TO_SIGN_SIZE], expected[SIGV4_TO_SIGN_SIZE], signature[SIGV4_HEX_SIZE];
        uint8_t key[SIGV4_HASH_SIZE];
        print_message("%s\n", vector->name);
        buffer_init(&canonical, 4096);
        assert_int_equal(sigv4_canonical_request(&canonical, &request), 0);
        assert_int_equal(sigv4_string_to_sign(to_sign, &scope, canonical.data), 0);
        (void)text_format(expected, sizeof expected, "AWS4-HMAC-SHA256\n%s\n%.8s/us-east-1/%s/aws4_request\n%s",
                          scope.date, scope.date, vector->service, vector->canonical_hash);
        assert_string_equal(to_sign, expected);
        assert_int_equal(sigv4_signing_key(key, vector->secret, &scope), 0);
        assert_int_equal(sigv4_signature(signature, key, to_sign), 0);
        assert_string_equal(signature, vector->signature);
        buffer_deinit(&canonical);
    }
}

static void the_authorization_header_reads_as_published(void **state) {
    (void)state;
    struct sigv4_request request = request_of(&vectors[4]);
    struct sigv4_scope scope = scope_of(&vectors[4]);
    struct buffer out;
    buffer_init(&out, SIGV4_AUTHORIZATION_MAX);
    assert_int_equal(sigv4_authorization(&out, &request, &scope, "AKIAIOSFODNN7EXAMPLE", GUIDE_SECRET), 0);
    assert_string_equal(out.data, "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                                  "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                                  "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    buffer_deinit(&out);
}

static void the_signing_key_is_derived_as_published(void **state) {
    (void)state;
    struct sigv4_scope scope = {.date = "20150830T123600Z", .region = "us-east-1", .service = "iam"};
    uint8_t key[SIGV4_HASH_SIZE];
    char hex[SIGV4_HEX_SIZE];
    assert_int_equal(sigv4_signing_key(key, SUITE_SECRET, &scope), 0);
    text_to_hex(hex, key, sizeof key);
    assert_string_equal(hex, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

static void a_hash_is_sha256(void **state) {
    (void)state;
    char hex[SIGV4_HEX_SIZE];
    assert_int_equal(sigv4_hash_hex(hex, "", 0), 0);
    assert_string_equal(hex, EMPTY_HASH);
    assert_int_equal(sigv4_hash_hex(hex, "Welcome to Amazon S3.", 21), 0); /* the guide's PUT */
    assert_string_equal(hex, PUT_HASH);
}

static void headers_out_of_order_or_twice_are_refused(void **state) {
    (void)state;
    const struct sigv4_header disordered[] = {SUITE_DATE, SUITE_HOST}, doubled[] = {SUITE_HOST, SUITE_HOST};
    struct sigv4_request request = request_of(&vectors[0]);
    struct buffer out;
    buffer_init(&out, 4096);
    request.header_count = 2;
    request.headers = disordered;
    assert_int_equal(sigv4_canonical_request(&out, &request), -EINVAL);
    request.headers = doubled;
    assert_int_equal(sigv4_canonical_request(&out, &request), -EINVAL);
    buffer_deinit(&out);
}

static void what_is_too_long_is_refused_not_cut(void **state) {
    (void)state;
    char secret[1024];
    memset(secret, 'k', sizeof secret);
    secret[sizeof secret - 1] = '\0';
    uint8_t key[SIGV4_HASH_SIZE];
    struct sigv4_scope scope = scope_of(&vectors[0]);
    assert_int_equal(sigv4_signing_key(key, secret, &scope), -ENOSPC);
    char to_sign[SIGV4_TO_SIGN_SIZE];
    scope.region = secret;
    assert_int_equal(sigv4_string_to_sign(to_sign, &scope, "x"), -ENOSPC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_request_of_the_guides_get_reads_as_published),
        cmocka_unit_test(every_step_of_every_vector_is_as_published),
        cmocka_unit_test(the_authorization_header_reads_as_published),
        cmocka_unit_test(the_signing_key_is_derived_as_published),
        cmocka_unit_test(a_hash_is_sha256),
        cmocka_unit_test(headers_out_of_order_or_twice_are_refused),
        cmocka_unit_test(what_is_too_long_is_refused_not_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
