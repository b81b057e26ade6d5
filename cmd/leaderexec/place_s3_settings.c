/* How a bucket is set up, and getting rid of old versions; see place.h and place_s3.h. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "check_judge.h"
#include "place_s3.h"
#include "record/record.h"
#include "s3/settings.h"
#include "s3/uri.h"

#define QUERY_MAX   (8 * 1024UL)
#define VERSIONS    "200" /* in a page */
#define ROUNDS_MOST 50    /* of listing and deleting */
#define LIST_LANE   0
#define DELETE_LANE 1

/* --- settings --- */

/* Takes a setting's answer; returns as xml_parse(). */
typedef int parse_setting(void *out, const char *bytes, size_t length);

/* Whether the response says anything about what was asked; a busy store's or a cut-off one doesn't. */
static bool is_answer(const struct s3_response *response) {
    if (response->curl_code != 0 || response->status == 429) return false;
    return response->status < 500 || response->status == 501;
}

/* Asks for the setting behind query. none: the error code that says that there is none, which is an answer, too. Sets
 * *known. */
static int ask_setting(struct s3_place *bucket, const char *query, const char *none, parse_setting *parse, void *out,
                       enum setting_known *known) {
    const struct s3_response *response = &bucket->client.lanes[LIST_LANE].response;
    int r = s3_place_ask(bucket, LIST_LANE, S3_LIST, "", query);
    for (int i = 1; i < S3_PLACE_TRIES && r == 0 && !is_answer(response) && !response->timed_out; i++) {
        r = s3_place_pause(bucket);
        if (r == 0) r = s3_place_ask(bucket, LIST_LANE, S3_LIST, "", query);
    }
    *known = is_answer(response) ? SETTING_ABSENT : SETTING_FAILED;
    if (r != 0 || *known == SETTING_FAILED) return r;
    if (response->status == 200 && response->body.length > 0) {
        r = parse(out, response->body.data, response->body.length);
        if (r == 0) *known = SETTING_READ;
        return r == -EPROTO ? 0 : r;
    }
    if (s3_place_is_denial(response)) *known = SETTING_DENIED;
    if (response->has_error && strcmp(response->error.code, none) == 0) *known = SETTING_READ;
    return 0;
}

static int parse_versioning(void *out, const char *bytes, size_t length) {
    return s3_versioning_parse(out, bytes, length);
}

static int parse_object_lock(void *out, const char *bytes, size_t length) {
    return s3_object_lock_parse(out, bytes, length);
}

/* The rules that matter to the lock. */
struct rules {
    const char *folder;
    bool expires;
    struct s3_lifecycle_rule first; /* that expires slots */
    bool deletes_old_versions;
};

static int see_rule(void *context, const struct s3_lifecycle_rule *rule) {
    struct rules *rules = context;
    if (!s3_lifecycle_covers(rule, rules->folder, RECORD_JSON_MAX)) return 0;
    if (rule->old_version_days > 0) rules->deletes_old_versions = true;
    if (!rule->expires || rules->expires) return 0;
    rules->expires = true;
    rules->first = *rule;
    return 0;
}

static int parse_rules(void *out, const char *bytes, size_t length) {
    return s3_lifecycle_parse(bytes, length, see_rule, out);
}

/* Whether answers about slot seq tell of versions. */
static int ask_version(struct s3_place *bucket, int64_t seq, bool *versioned) {
    char name[KEY_SLOT_SIZE], key[S3_KEY_SIZE];
    key_format_slot(name, seq);
    (void)text_format(key, sizeof key, "%s%s", bucket->folder, name);
    int r = s3_place_ask(bucket, LIST_LANE, S3_READ, key, "");
    *versioned = r == 0 && bucket->client.lanes[LIST_LANE].response.has_version;
    return r;
}

int s3_place_settings(struct place *place, struct report *report, int64_t seq, char *reason) {
    struct s3_place *bucket = (struct s3_place *)place;
    struct versioning_seen versioning = {.known = SETTING_ABSENT};
    struct s3_object_lock lock = {.enabled = false};
    struct rules rules = {.folder = bucket->real_folder};
    enum setting_known lock_known, rules_known;
    reason[0] = '\0';
    int r = ask_setting(bucket, "versioning=", "", parse_versioning, &versioning.versioning, &versioning.known);
    if (r == 0 && seq > 0) r = ask_version(bucket, seq, &versioning.version_ids);
    if (r == 0) {
        r = ask_setting(bucket, "object-lock=", "ObjectLockConfigurationNotFoundError", parse_object_lock, &lock,
                        &lock_known);
    }
    if (r == 0)
        r = ask_setting(bucket, "lifecycle=", "NoSuchLifecycleConfiguration", parse_rules, &rules, &rules_known);
    if (r != 0) {
        if (r != -EINTR) (void)text_format(reason, TEXT_REASON_SIZE, "the bucket can't be asked: %s", strerror(-r));
        return r;
    }
    versioning.creates_twice = report_level(report, "race") == FINDING_FAIL;
    versioning.old_versions_rule = rules_known == SETTING_READ && rules.deletes_old_versions;
    bucket->versioned = bucket->versioned || versioning.version_ids ||
                        (versioning.known == SETTING_READ && versioning.versioning != S3_VERSIONING_OFF);
    judge_versioning(report_add(report), &versioning, bucket->real_folder);
    report_print(report);
    judge_object_lock(report_add(report), lock_known, &lock, place->options->ttl_ms);
    report_print(report);
    judge_expiry(report_add(report), rules_known, rules.expires ? &rules.first : NULL, bucket->real_folder);
    report_print(report);
    return 0;
}

/* --- old versions --- */

struct purge {
    struct s3_place *bucket;
    int seen;
    bool denied;
    bool foreign; /* keys were listed that weren't asked for */
    char *reason;
};

static int purge_one(void *context, const struct s3_version *version) {
    struct purge *purge = context;
    struct buffer query;
    const struct s3_parameter id = {"versionId", version->id};
    /* Nobody's but our own, whatever a store lists. */
    if (strncmp(version->key, purge->bucket->folder, strlen(purge->bucket->folder)) != 0) {
        purge->foreign = true;
        return 0;
    }
    purge->seen++;
    buffer_init(&query, QUERY_MAX);
    int r = s3_uri_append_query(&query, &id, 1);
    if (r == 0) r = s3_place_ask(purge->bucket, DELETE_LANE, S3_DELETE, version->key, query.data);
    buffer_deinit(&query);
    if (r != 0) return r;
    const struct s3_response *response = &purge->bucket->client.lanes[DELETE_LANE].response;
    enum s3_verdict verdict = s3_place_judge(purge->bucket, DELETE_LANE, S3_DELETE, version->key, purge->reason);
    if (verdict == S3_FINE || verdict == S3_ABSENT) return 0;
    if (s3_place_is_denial(response)) {
        (void)text_copy(purge->reason, TEXT_REASON_SIZE,
                        "old versions can't be deleted (403 AccessDenied): a retention keeps them, or "
                        "s3:DeleteObjectVersion is missing");
    }
    purge->denied = true;
    return -EACCES;
}

/* Deletes a page of versions. */
static int purge_page(struct purge *purge) {
    struct s3_place *bucket = purge->bucket;
    struct buffer query;
    const struct s3_response *response = &bucket->client.lanes[LIST_LANE].response;
    const struct s3_parameter parameters[] = {
        {"encoding-type", "url"}, {"max-keys", VERSIONS}, {"prefix", bucket->folder}, {"versions", ""}};
    buffer_init(&query, QUERY_MAX);
    int r = s3_uri_append_query(&query, parameters, sizeof parameters / sizeof *parameters);
    if (r == 0) r = s3_place_ask(bucket, LIST_LANE, S3_LIST, "", query.data);
    buffer_deinit(&query);
    if (r != 0) return r;
    purge->seen = 0;
    if (response->curl_code != 0 || response->status != 200) {
        purge->denied = true;
        (void)text_format(purge->reason, TEXT_REASON_SIZE,
                          "its old versions can't be listed (%d %s): s3:ListBucketVersions and s3:DeleteObjectVersion "
                          "would let check delete them",
                          response->status, response->error.code);
        return 0;
    }
    r = s3_versions_parse(response->body.data != NULL ? response->body.data : "", response->body.length, purge_one,
                          purge);
    return r == -EACCES && purge->denied ? 0 : r;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): reason is written to, through purge */
int s3_place_purge(struct s3_place *bucket, bool *allowed, char *reason) {
    struct purge purge = {.bucket = bucket, .reason = reason};
    int r = 0;
    for (int i = 0; i < ROUNDS_MOST && r == 0 && !purge.denied; i++) {
        r = purge_page(&purge);
        if (purge.seen == 0) break;
    }
    if (r == 0 && purge.foreign && !purge.denied) {
        (void)text_format(reason, TEXT_REASON_SIZE, "its list of versions has keys that aren't below %.300s",
                          bucket->folder);
    }
    *allowed = !purge.denied;
    return r;
}
