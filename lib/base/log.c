/* Log lines; see log.h. */
#include "base/log.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* Half of PIPE_BUF: JSON escapes of what is left can't double it past the bound (only quotes and backslashes remain).
 */
#define MESSAGE_SIZE (PIPE_BUF / 2 - 256)

static const char *const level_names[] = {"error", "warning", "info"};

static void format_time(char *out, size_t size) {
    int64_t ms = clock_wall_ms();
    time_t seconds = (time_t)(ms / MS_PER_S);
    struct tm utc;
    char date[32] = "";
    if (gmtime_r(&seconds, &utc) == NULL || strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0) date[0] = '\0';
    (void)text_format(out, size, "%s.%03dZ", date, (int)(ms % MS_PER_S));
}

static bool format_json(char *out, size_t size, enum log_level level, const char *message) {
    char when[48];
    format_time(when, sizeof when);
    cJSON *object = cJSON_CreateObject();
    bool ok = cJSON_AddStringToObject(object, "time", when) != NULL &&
              cJSON_AddStringToObject(object, "level", level_names[level]) != NULL &&
              cJSON_AddStringToObject(object, "message", message) != NULL &&
              cJSON_PrintPreallocated(object, out, (int)size - 1, false);
    cJSON_Delete(object);
    if (ok) {
        size_t length = strlen(out);
        out[length] = '\n';
        out[length + 1] = '\0';
    }
    return ok;
}

/* Opens a pipe or a terminal once more, for a description of our own. Returns -1 for anything else, and where that
 * can't be done: another user's, no /proc. */
static int open_again(int fd) {
    struct stat about;
    char path[32];
    if (fstat(fd, &about) != 0 || (!S_ISFIFO(about.st_mode) && isatty(fd) != 1)) return -1;
    if (text_format(path, sizeof path, "/proc/self/fd/%d", fd) != 0) return -1;
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* A line that fails has nobody to tell. Room for a byte isn't room for a line: a terminal would be waited for all the
 * same, and so would a pipe or a socket that another writer fills after poll(2). */
static void write_at_once(int fd, const char *line) {
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    if (poll(&writable, 1, 0) != 1 || (writable.revents & POLLOUT) == 0) return;
    if (send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != ENOTSOCK) return;
    int own = open_again(fd);
    ssize_t ignored = write(own >= 0 ? own : fd, line, strlen(line));
    (void)ignored;
    if (own >= 0) (void)close(own);
}

void log_line(const struct log *log, enum log_level level, const char *format, ...) {
    if (level > log->level) return;
    char message[MESSAGE_SIZE], clean[MESSAGE_SIZE], line[PIPE_BUF];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    text_copy_printable(clean, sizeof clean, message);
    if (!log->json || !format_json(line, sizeof line, level, clean)) {
        (void)text_format(line, sizeof line, "leaderexec: %s\n", clean);
    }
    write_at_once(log->fd, line);
}
