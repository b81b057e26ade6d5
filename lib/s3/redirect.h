/* Which answers mean "ask again, signed otherwise": the bucket's region is another, the store's clock is, or the keys
 * have expired. */
#ifndef S3_REDIRECT_H
#define S3_REDIRECT_H

#include <stdbool.h>

#include "s3/response.h"

/* Whether response says that the bucket is in response->region and a request signed for region was wrong. */
bool s3_redirect_is_to_region(const struct s3_response *response, const char *region);

/* Whether response says that the signature's time is too far from its own, response->date_ms. */
bool s3_redirect_is_to_time(const struct s3_response *response);

/* Whether response says that the session token that it was signed with isn't valid any more. */
bool s3_redirect_is_expiry(const struct s3_response *response);

/* Whether other keys might do better: these have expired, or the store doesn't know them, as when somebody exchanged a
 * key in a file and deleted the old one. */
bool s3_redirect_is_to_keys(const struct s3_response *response);

#endif
