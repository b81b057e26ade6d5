/* Whether an answer is S3's at all. The endpoint's address may have begun to lead to something else: a web server that
 * says 200 with an ETag and a page to everything, a proxy's own page, a captive portal. No single status or header is
 * proof, so here, and here only, stands what S3's answers have besides. Knows nothing of what they mean: verdict.h
 * does.
 */
#ifndef S3_GENUINE_H
#define S3_GENUINE_H

#include <stdbool.h>

#include "s3/request.h"
#include "s3/response.h"

/* Whether response, which came whole, has the form of S3's answers to action:
 *
 * - S3_CREATE done: an ETag, and an empty body. AWS's API reference has nothing but headers there; so it is in Ceph
 *   (measured), in the sources of SeaweedFS and Garage, and in moto since its pull request 2875. A page has a body.
 * - S3_DELETE done: an empty body.
 * - S3_LIST and S3_READ done: whatever it is; s3_listing_parse() asks for a whole page of our prefix, and the store
 *   compares an object that is no slot with what the listing says of it.
 * - Everything else: an <Error> with a code, or no body and one of S3's own headers. */
bool s3_answer_is_genuine(const struct s3_response *response, enum s3_action action);

#endif
