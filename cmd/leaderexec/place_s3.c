/* A bucket to check; see place.h. Its own requests go out one at a time, over a client of its own; writers have theirs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "bucket.h"
#include "check_judge.h"
#include "place.h"
#include "place_s3.h"
#include "record/record.h"
#include "s3/client.h"
#include "s3/keys.h"
#include "s3/listing.h"
#include "s3/uri.h"
#include "s3/verdict.h"
#include "store/key.h"
#include "store/store.h"

#define TIMEOUT_MS 10000
#define QUERY_MAX  (8 * 1024UL)
#define PAUSE_MS   300

static struct s3_place *self(struct place *place) { return (struct s3_place *)place; }

/* --- one request --- */

static int wait_for(struct s3_place *bucket, int timeout_ms) {
    struct pollfd wake = {.fd = bucket->place.wake_fd, .events = POLLIN};
    int r = s3_client_wait(&bucket->client, &wake, wake.fd >= 0 ? 1 : 0, timeout_ms);
    return r == 0 && wake.fd >= 0 && wake.revents != 0 ? -EINTR : r;
}

int s3_place_ask(struct s3_place *bucket, int lane, enum s3_action action, const char *key, const char *query) {
    struct s3_call call = {.action = action, .key = key, .query = query};
    int r = s3_client_start(&bucket->client, lane, &call, RECORD_JSON_MAX, TIMEOUT_MS);
    while (r == 0) {
        if (s3_client_next(&bucket->client) == lane) return 0;
        r = wait_for(bucket, TIMEOUT_MS);
    }
    s3_client_cancel(&bucket->client, lane);
    return r;
}

enum s3_verdict s3_place_judge(const struct s3_place *bucket, int lane, enum s3_action action, const char *key,
                               char *reason) {
    struct s3_subject subject = {.action = action,
                                 .bucket = bucket->client.config.bucket,
                                 .key = key,
                                 .endpoint = &bucket->client.endpoint,
                                 .keys_fixed = bucket->client.keys.current.fixed};
    return s3_judge(&bucket->client.lanes[lane].response, &subject, reason);
}

bool s3_place_is_denial(const struct s3_response *response) {
    if (response->curl_code != 0 || response->status != 403) return false;
    return response->has_error ? strcmp(response->error.code, "AccessDenied") == 0 : response->body.length == 0;
}

int s3_place_pause(struct s3_place *bucket) {
    int64_t end_ns = clock_now().wait_ns + PAUSE_MS * NS_PER_MS;
    int r = 0;
    for (int64_t left_ns; r == 0 && (left_ns = end_ns - clock_now().wait_ns) > 0;)
        r = wait_for(bucket, (int)(left_ns / NS_PER_MS) + 1);
    return r;
}

/* As s3_place_ask() on lane 0, again where the answer says neither yes nor no. Sets *verdict. key: what is listed, for
 * S3_LIST. */
static int ask_until_known(struct s3_place *bucket, enum s3_action action, const char *key, const char *query,
                           enum s3_verdict *verdict, char *reason) {
    int r = 0;
    for (int i = 0; i < S3_PLACE_TRIES && r == 0; i++) {
        if (i > 0) r = s3_place_pause(bucket);
        if (r == 0) r = s3_place_ask(bucket, 0, action, action == S3_LIST ? "" : key, query);
        if (r == 0) *verdict = s3_place_judge(bucket, 0, action, key, reason);
        if (r == 0 && (*verdict != S3_UNKNOWN || bucket->client.lanes[0].response.timed_out)) return 0;
    }
    return r;
}

/* --- who and where --- */

static void report_credentials(const struct s3_place *bucket, struct report *report) {
    char who[TEXT_REASON_SIZE / 2];
    s3_keys_describe(who, sizeof who, &bucket->client.keys.current);
    finding_set(report_add(report), "credentials", FINDING_OK, "%s", who);
    report_print(report);
}

/* Writers have the keys and the region that the first request took: one that had to fetch its own wouldn't race. */
static int share_keys(struct s3_place *bucket) {
    for (int i = 0; i < bucket->place.endpoints; i++) {
        struct s3_config *config = &bucket->configs[i];
        config->credentials = bucket->client.keys.current;
        if (config->region[0] != '\0') continue;
        if (text_copy(config->region, sizeof config->region, bucket->client.region) != 0) return -ENAMETOOLONG;
    }
    return 0;
}

static void report_endpoint(const struct s3_place *bucket, struct report *report) {
    const struct s3_endpoint *endpoint = &bucket->client.endpoint;
    char more[48] = "", moved[160] = "";
    if (bucket->place.endpoints > 1) (void)text_format(more, sizeof more, " and %d more", bucket->place.endpoints - 1);
    if (strcmp(bucket->client.region, bucket->configs[0].region) != 0) {
        (void)text_format(moved, sizeof moved, " (not in %.60s: give --region, and requests need no second try)",
                          bucket->configs[0].region);
    }
    finding_set(report_add(report), "endpoint", FINDING_OK, "%s://%.300s%.200s%s, region %s%s", endpoint->scheme,
                endpoint->host, endpoint->base_path, more, bucket->client.region, moved);
    report_print(report);
}

static int count_object(void *context, const struct s3_object *object) {
    (void)object;
    int *count = context;
    (*count)++;
    return 0;
}

/* Lists a part of the check's lock. Sets *verdict, and *found: some of what is there. */
static int list(struct s3_place *bucket, enum s3_verdict *verdict, int *found, char *reason) {
    struct buffer query;
    struct s3_page page;
    const struct s3_parameter parameters[] = {
        {"encoding-type", "url"}, {"list-type", "2"}, {"max-keys", "10"}, {"prefix", bucket->folder}};
    const struct s3_response *response = &bucket->client.lanes[0].response;
    buffer_init(&query, QUERY_MAX);
    int r = s3_uri_append_query(&query, parameters, sizeof parameters / sizeof *parameters);
    if (r == 0) r = ask_until_known(bucket, S3_LIST, bucket->folder, query.data, verdict, reason);
    buffer_deinit(&query);
    *found = 0;
    if (r != 0 || *verdict != S3_FINE) return r;
    r = s3_listing_parse(&page, response->body.data != NULL ? response->body.data : "", response->body.length,
                         bucket->folder, count_object, found);
    if (r != -EPROTO) return r;
    struct s3_subject subject = {.action = S3_LIST,
                                 .bucket = bucket->client.config.bucket,
                                 .key = bucket->folder,
                                 .endpoint = &bucket->client.endpoint};
    *verdict = s3_judge_garbled(response, &subject, reason);
    return 0;
}

static int look(struct place *place, struct report *report, char *reason) {
    struct s3_place *bucket = self(place);
    enum s3_verdict verdict = S3_UNKNOWN;
    int found;
    int r = list(bucket, &verdict, &found, reason);
    if (r == 0) r = share_keys(bucket);
    if (r != 0) return r;
    bucket->may_list = verdict == S3_FINE;
    if (!bucket->may_list && !s3_place_is_denial(&bucket->client.lanes[0].response)) return -EIO;
    report_credentials(bucket, report);
    report_endpoint(bucket, report);
    return 0;
}

static struct store *open_store(struct place *place, int who, char *reason) {
    struct s3_place *bucket = self(place);
    return store_open_s3(&bucket->configs[who % place->endpoints], place->options->prefix, place->lock, reason);
}

/* --- deleting --- */

static void format_key(const struct s3_place *bucket, int64_t seq, char out[S3_KEY_SIZE]) {
    char name[KEY_SLOT_SIZE];
    key_format_slot(name, seq);
    (void)text_format(out, S3_KEY_SIZE, "%s%s", bucket->folder, name);
}

static int remove_slot(struct place *place, int64_t seq, bool *allowed, char *reason) {
    char key[S3_KEY_SIZE];
    enum s3_verdict verdict = S3_UNKNOWN;
    format_key(self(place), seq, key);
    int r = ask_until_known(self(place), S3_DELETE, key, "", &verdict, reason);
    *allowed = verdict == S3_FINE || verdict == S3_ABSENT;
    /* Perhaps it ends before the settings are read, or they may not be. */
    if (r == 0 && self(place)->client.lanes[0].response.has_version) self(place)->versioned = true;
    return r;
}

/* Deletes by name. Returns as remove_slot(), at the first that isn't allowed. */
static int remove_slots(struct place *place, int64_t first, int64_t last, bool *allowed, char *reason) {
    int r = 0;
    *allowed = true;
    for (int64_t seq = first; seq <= last && r == 0 && *allowed; seq++) r = remove_slot(place, seq, allowed, reason);
    return r;
}

#define LATE_TRIES 3 /* a write that was given up may still arrive */

/* Deletes by name until nothing is listed. Sets *gone; else why says what is in the way. */
static int empty_folder(struct place *place, int64_t last, bool *gone, char *why) {
    struct s3_place *bucket = self(place);
    int found = 0;
    *gone = false;
    for (int i = 0; i <= LATE_TRIES; i++) {
        enum s3_verdict verdict = S3_FINE;
        bool allowed = false;
        int r = i > 0 ? s3_place_pause(bucket) : 0;
        if (r == 0) r = remove_slots(place, 1, last, &allowed, why);
        if (r == 0 && allowed && bucket->may_list) r = list(bucket, &verdict, &found, why);
        if (r != 0 || !allowed || verdict != S3_FINE) return r;
        *gone = found == 0;
        if (*gone) return 0;
    }
    (void)text_copy(why, TEXT_REASON_SIZE, "what was deleted is listed on");
    return 0;
}

static int clean(struct place *place, int64_t last, char *reason) {
    struct s3_place *bucket = self(place);
    char why[TEXT_REASON_SIZE] = "", why_old[TEXT_REASON_SIZE] = "";
    bool gone = false, purged = true;
    reason[0] = '\0';
    int r = bucket->versioned ? s3_place_purge(bucket, &purged, why_old) : 0;
    if (r == 0) r = empty_folder(place, last, &gone, why);
    /* Delete markers, but not where they hide what must stay: that would be listed again. */
    if (r == 0 && bucket->versioned && purged) r = s3_place_purge(bucket, &purged, why_old);
    if (r == 0 && gone && purged && why_old[0] == '\0') return 0;
    (void)text_format(reason, TEXT_REASON_SIZE, "something is left below %.100s: %.380s", bucket->folder,
                      r == -EINTR ? "interrupted"
                      : r != 0    ? strerror(-r)
                      : !gone     ? why
                                  : why_old);
    return r;
}

/* --- the rest --- */

static void close_place(struct place *place) {
    struct s3_place *bucket = self(place);
    s3_client_deinit(&bucket->client);
    for (int i = 0; i < place->endpoints; i++) s3_config_deinit(&bucket->configs[i]);
    free(bucket);
}

static const struct place_ops ops = {look, open_store, remove_slot, s3_place_settings, clean, close_place};

static int load(struct s3_place *bucket, char *reason) {
    const struct options *options = bucket->place.options;
    int count = options->endpoint_count > 0 ? options->endpoint_count : 1, r = 0;
    for (int i = 0; i < count && r == 0; i++) {
        struct options one = *options;
        if (options->endpoint_count > 0) one.endpoint_url = options->endpoint_urls[i];
        r = bucket_load_config(&bucket->configs[i], &one, bucket->environment, reason);
        if (r == 0) bucket->place.endpoints++;
    }
    if (r == 0 &&
        (key_format_folder(bucket->folder, sizeof bucket->folder, options->prefix, bucket->place.lock) != 0 ||
         key_format_folder(bucket->real_folder, sizeof bucket->real_folder, options->prefix, options->lock) != 0)) {
        (void)text_copy(reason, TEXT_REASON_SIZE, "prefix and lock are too long together: correct --lock or --prefix");
        r = -ENAMETOOLONG;
    }
    return r == 0 ? s3_client_init(&bucket->client, &bucket->configs[0], reason) : r;
}

struct place *place_open_s3(const struct options *options, char *const *environment, const char *lock, char *reason) {
    struct s3_place *bucket = calloc(1, sizeof *bucket);
    if (bucket == NULL) {
        (void)text_copy(reason, TEXT_REASON_SIZE, "out of memory");
        return NULL;
    }
    bucket->environment = environment;
    bucket->place = (struct place){.ops = &ops,
                                   .options = options,
                                   .wake_fd = -1,
                                   .get = "s3:GetObject",
                                   .put = "s3:PutObject",
                                   .list = "s3:ListBucket",
                                   .remove = "s3:DeleteObject",
                                   .coarse_date = true,
                                   .signs = true};
    (void)text_copy(bucket->place.lock, sizeof bucket->place.lock, lock);
    if (load(bucket, reason) == 0) {
        bucket->place.priced = !bucket->client.endpoint.custom;
        return &bucket->place;
    }
    close_place(&bucket->place);
    return NULL;
}
