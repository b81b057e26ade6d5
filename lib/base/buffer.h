/* A growing byte buffer with a limit given when it is made, so that no answer from outside can take more memory than
 * planned. Memory that it gives back is wiped: some of what passes through here is secret. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>

struct buffer {
    char *data; /* terminated by a zero byte that isn't counted; NULL while nothing was appended */
    size_t length;
    size_t capacity;
    size_t limit;
};

/* Makes an empty buffer that will hold at most limit bytes. Allocates nothing. */
void buffer_init(struct buffer *buffer, size_t limit);

/* Frees the content; the buffer is empty and usable afterwards. May be called again. */
void buffer_deinit(struct buffer *buffer);

/* Empties the buffer and keeps its memory. */
void buffer_clear(struct buffer *buffer);

/* Appends length bytes. Returns 0, -EMSGSIZE past the limit, or -ENOMEM; on error the content is what it was. */
int buffer_append(struct buffer *buffer, const void *bytes, size_t length);

/* Appends a zero-terminated text; as buffer_append. */
int buffer_append_text(struct buffer *buffer, const char *text);

#endif
