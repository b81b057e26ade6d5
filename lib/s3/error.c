/* <Error> documents; see error.h. */
#include "s3/error.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "s3/xml.h"

static int on_element(void *context, const char *path, const char *text) {
    struct s3_error *error = context;
    if (strcmp(path, "Error/Code") == 0) text_copy_printable(error->code, sizeof error->code, text);
    if (strcmp(path, "Error/Message") == 0) text_copy_printable(error->message, sizeof error->message, text);
    if (strcmp(path, "Error/RequestId") == 0) text_copy_printable(error->request_id, sizeof error->request_id, text);
    if (strcmp(path, "Error/Region") == 0) text_copy_printable(error->region, sizeof error->region, text);
    return 0;
}

int s3_error_parse(struct s3_error *error, const char *bytes, size_t length) {
    *error = (struct s3_error){0};
    int rc = xml_parse(bytes, length, on_element, error);
    if (rc == 0 && error->code[0] == '\0') rc = -EPROTO;
    if (rc != 0) *error = (struct s3_error){0};
    return rc;
}
