/* S3's answers and others'; see genuine.h. */
#include "s3/genuine.h"

static bool is_empty(const struct s3_response *response) {
    return response->body.length == 0 && !response->too_large; /* what is too large isn't kept */
}

static bool is_genuine_success(const struct s3_response *response, enum s3_action action) {
    switch (action) {
    case S3_LIST:
    case S3_READ:
        return true;
    case S3_CREATE:
        return response->has_etag && is_empty(response);
    case S3_DELETE:
        return is_empty(response);
    }
    return false;
}

bool s3_answer_is_genuine(const struct s3_response *response, enum s3_action action) {
    if (response->status / 100 == 2) return is_genuine_success(response, action);
    return response->has_error || (is_empty(response) && response->has_amz);
}
