/* Percent-encoding; see uri.h. */
#include "s3/uri.h"

#include <errno.h>
#include <string.h>

static bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

int s3_uri_append(struct buffer *out, const char *text, bool keep_slashes) {
    static const char hex[] = "0123456789ABCDEF";
    int rc = 0;
    for (; *text != '\0' && rc == 0; text++) {
        if (is_unreserved(*text) || (keep_slashes && *text == '/')) {
            rc = buffer_append(out, text, 1);
        } else {
            unsigned char c = (unsigned char)*text;
            char encoded[3] = {'%', hex[c >> 4], hex[c & 15]};
            rc = buffer_append(out, encoded, sizeof encoded);
        }
    }
    return rc;
}

int s3_uri_append_query(struct buffer *out, const struct s3_parameter *parameters, size_t count) {
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (i > 0) rc = buffer_append_text(out, "&");
        if (rc == 0) rc = s3_uri_append(out, parameters[i].name, false);
        if (rc == 0) rc = buffer_append_text(out, "=");
        if (rc == 0) rc = s3_uri_append(out, parameters[i].value, false);
    }
    return rc;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

int s3_uri_decode(char *out, size_t size, const char *text, bool plus_is_space) {
    size_t length = 0;
    for (; *text != '\0'; text++) {
        char c = *text;
        if (c == '%') {
            int high = hex_value(text[1]);
            int low = high < 0 ? -1 : hex_value(text[2]);
            if (low < 0 || high * 16 + low == 0) return -EINVAL;
            c = (char)(high * 16 + low);
            text += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (length + 1 >= size) return -ENOSPC;
        out[length++] = c;
    }
    if (size == 0) return -ENOSPC;
    out[length] = '\0';
    return 0;
}
