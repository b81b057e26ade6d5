/* Header lines; see headers.h. */
#include "s3/headers.h"

#include <errno.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#include "base/text.h"

#define LINE_MAX_SIZE (24 * 1024UL) /* the longest tokens have some 20 KiB */

int s3_headers_add(struct curl_slist **headers, const char *name, const char *value) {
    char line[LINE_MAX_SIZE];
    int rc = text_format(line, sizeof line, "%s:%s%s", name, value[0] != '\0' ? " " : "", value) == 0 ? 0 : -EMSGSIZE;
    if (rc == 0) {
        struct curl_slist *longer = curl_slist_append(*headers, line);
        if (longer == NULL) rc = -ENOMEM;
        if (longer != NULL) *headers = longer;
    }
    mbedtls_platform_zeroize(line, sizeof line);
    return rc;
}

void s3_headers_free(struct curl_slist **headers) {
    for (struct curl_slist *line = *headers; line != NULL; line = line->next) {
        mbedtls_platform_zeroize(line->data, strlen(line->data));
    }
    curl_slist_free_all(*headers);
    *headers = NULL;
}
