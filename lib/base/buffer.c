/* A bounded byte buffer; see buffer.h. */
#include "base/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t limit) { *buffer = (struct buffer){.limit = limit}; }

/* What passes through here may be a secret. */
static void wipe_and_free(struct buffer *buffer) {
    if (buffer->data != NULL) explicit_bzero(buffer->data, buffer->capacity);
    free(buffer->data);
}

void buffer_deinit(struct buffer *buffer) {
    wipe_and_free(buffer);
    buffer_init(buffer, buffer->limit);
}

void buffer_clear(struct buffer *buffer) {
    buffer->length = 0;
    if (buffer->data != NULL) buffer->data[0] = '\0';
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t length) {
    if (length > buffer->limit - buffer->length) return -EMSGSIZE;
    size_t needed = buffer->length + length + 1;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity * 2;
        if (capacity < needed) capacity = needed;
        char *data = malloc(capacity); /* realloc(3) would leave what it moves from as it is */
        if (data == NULL) return -ENOMEM;
        if (buffer->data != NULL) memcpy(data, buffer->data, buffer->length);
        wipe_and_free(buffer);
        buffer->data = data;
        buffer->capacity = capacity;
    }
    if (length > 0) memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return 0;
}

int buffer_append_text(struct buffer *buffer, const char *text) { return buffer_append(buffer, text, strlen(text)); }
