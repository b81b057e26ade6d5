/* Answers taken apart; see response.h. */
#include "s3/response.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "s3/dates.h"

#define VALUE_SIZE 512

void s3_response_init(struct s3_response *response) {
    *response = (struct s3_response){0};
    buffer_init(&response->body, 0);
}

void s3_response_reset(struct s3_response *response, size_t body_limit) {
    struct buffer body = response->body;
    buffer_clear(&body);
    body.limit = body_limit;
    *response = (struct s3_response){.body = body};
}

void s3_response_deinit(struct s3_response *response) { buffer_deinit(&response->body); }

bool s3_region_is_valid(const char *text) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t length = strlen(text);
    return length > 0 && length < S3_REGION_SIZE && strspn(text, allowed) == length;
}

static void take_region(struct s3_response *response, const char *value) {
    if (response->region[0] == '\0' && s3_region_is_valid(value)) {
        (void)text_copy(response->region, sizeof response->region, value);
    }
}

/* Several Date headers, where a proxy added its own: the earliest makes nothing look older than it is. */
static void take_date(struct s3_response *response, const char *value) {
    int64_t ms;
    if (s3_date_parse_http(value, &ms) != 0) return;
    if (response->date_ms == 0 || ms < response->date_ms) response->date_ms = ms;
}

static void take_etag(struct s3_response *response, const char *value) { response->has_etag = value[0] != '\0'; }

/* "null" is the version of what was written while none were kept. */
static void take_version(struct s3_response *response, const char *value) {
    response->has_version = value[0] != '\0' && strcmp(value, "null") != 0;
}

static void take_location(struct s3_response *response, const char *value) {
    text_copy_printable(response->location, sizeof response->location, value);
}

static void take_request_id(struct s3_response *response, const char *value) {
    text_copy_printable(response->request_id, sizeof response->request_id, value);
}

static void take_value(struct s3_response *response, const char *name, size_t name_length, const char *value) {
    static const struct {
        const char *name;
        void (*take)(struct s3_response *response, const char *value);
    } known[] = {{"date", take_date},
                 {"etag", take_etag},
                 {"location", take_location},
                 {"x-amz-bucket-region", take_region},
                 {"x-amz-request-id", take_request_id},
                 {"x-amz-version-id", take_version}};
    if (name_length > 6 && strncasecmp(name, "x-amz-", 6) == 0) response->has_amz = true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) == name_length && strncasecmp(known[i].name, name, name_length) == 0) {
            known[i].take(response, value);
        }
    }
}

/* A new answer begins; what an interim one (100 Continue) said is forgotten. */
static void begin(struct s3_response *response) { s3_response_reset(response, response->body.limit); }

void s3_response_take_header(struct s3_response *response, const char *line, size_t length) {
    char value[VALUE_SIZE];
    if (length >= 5 && strncmp(line, "HTTP/", 5) == 0) {
        begin(response);
        return;
    }
    const char *colon = memchr(line, ':', length);
    if (colon == NULL) return;
    const char *from = colon + 1, *end = line + length;
    while (from < end && (*from == ' ' || *from == '\t')) from++;
    while (end > from && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t')) end--;
    size_t value_length = (size_t)(end - from);
    if (value_length >= sizeof value) value_length = sizeof value - 1;
    memcpy(value, from, value_length);
    value[value_length] = '\0';
    take_value(response, line, (size_t)(colon - line), value);
}

int s3_response_finish(struct s3_response *response) {
    if (response->body.length == 0) return 0;
    int rc = s3_error_parse(&response->error, response->body.data, response->body.length);
    if (rc == -ENOMEM) return rc;
    response->has_error = rc == 0;
    if (response->request_id[0] == '\0') {
        (void)text_copy(response->request_id, sizeof response->request_id, response->error.request_id);
    }
    take_region(response, response->error.region);
    return 0;
}
