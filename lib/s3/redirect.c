/* Answers that ask for another signature; see redirect.h. */
#include "s3/redirect.h"

#include <string.h>

static bool has_code(const struct s3_response *response, const char *code) {
    return response->has_error && strcmp(response->error.code, code) == 0;
}

bool s3_redirect_is_to_region(const struct s3_response *response, const char *region) {
    if (response->region[0] == '\0' || strcmp(response->region, region) == 0) return false;
    int status = response->status;
    if (status == 301 || status == 307 || status == 308) return true;
    return status == 400 && (has_code(response, "AuthorizationHeaderMalformed") ||
                             has_code(response, "IllegalLocationConstraintException") ||
                             has_code(response, "IllegalLocationConstraint"));
}

bool s3_redirect_is_to_time(const struct s3_response *response) {
    return response->status == 403 && response->date_ms != 0 && has_code(response, "RequestTimeTooSkewed");
}

bool s3_redirect_is_expiry(const struct s3_response *response) {
    return response->status / 100 == 4 && (has_code(response, "ExpiredToken") || has_code(response, "InvalidToken") ||
                                           has_code(response, "TokenRefreshRequired"));
}

bool s3_redirect_is_to_keys(const struct s3_response *response) {
    return s3_redirect_is_expiry(response) || (response->status == 403 && has_code(response, "InvalidAccessKeyId"));
}
