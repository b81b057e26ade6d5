/* Lines for people (or JSON for machines) on a descriptor that others share, without ever waiting for it.
 *
 * A reader that doesn't read must not keep a job past its lease, so a line that can't be written at once is dropped.
 * O_NONBLOCK is never set: the descriptor's description belongs to the user's shell as much as to us. Knows no domain.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level {
    LOG_LEVEL_ERROR, /* what ends a command early, or a start; printed even with -q */
    LOG_LEVEL_WARN,  /* printed unless -q */
    LOG_LEVEL_INFO,  /* printed with -v */
};

/* Owned by the caller; plain values, no deinit. */
struct log {
    int fd;
    enum log_level level; /* the most talkative level that is printed */
    bool json;            /* a JSON object a line: time (RFC 3339, UTC), level, message */
};

/* Writes one line of at most PIPE_BUF bytes, prefixed "leaderexec: "; what isn't printable is replaced. Dropped where
 * the descriptor can't take it at once; a terminal may take a part of it. */
void log_line(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
