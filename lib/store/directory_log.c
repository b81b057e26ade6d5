/* Newest, read, append, trim on files; see directory_log.h. */
#include "store/directory_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/directory_error.h"
#include "store/directory_file.h"
#include "store/key.h"

#define OLDEST_MAX       512 /* slots that one trim looks at */
#define TEMPORARY_AGE_MS INT64_C(3600000)

/* --- what to say --- */

static void fail_with(struct log_answer *answer, enum outcome outcome, int error, const char *tried, const char *path) {
    answer->outcome = outcome;
    (void)text_format(answer->reason, sizeof answer->reason, "can't %s %s: %s%s", tried, path, strerror(error),
                      directory_error_advice(error));
}

static void fail(struct log_answer *answer, int error, const char *tried, const char *path) {
    fail_with(answer, directory_error_passes(error) ? OUTCOME_UNKNOWN : OUTCOME_REFUSED, error, tried, path);
}

/* --- the folder --- */

static int open_folder(const char *path) { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

/* Opens the lock's folder. Returns its descriptor; -1 with answer filled where it can't be used, or -1 with *missing
 * where nothing was appended yet. DIR itself may be missing, too: the first append makes it. */
static int open_log(const struct directory_log *log, struct log_answer *answer, bool *missing) {
    *missing = false;
    int fd = open_folder(log->folder);
    if (fd >= 0) return fd;
    if (errno != ENOENT) {
        fail(answer, errno, "open the folder", log->folder);
        return -1;
    }
    fd = open_folder(log->directory);
    if (fd < 0 && errno != ENOENT) {
        fail(answer, errno, "open the folder", log->directory);
        return -1;
    }
    if (fd >= 0) (void)close(fd);
    *missing = true;
    return -1;
}

typedef void visit_name(void *context, const char *name);

/* Calls visit for each name in the folder. Returns 0 or -errno. */
static int each_name(int folder_fd, visit_name *visit, void *context) {
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    DIR *names = fdopendir(fd);
    if (names == NULL) {
        int error = -errno;
        (void)close(fd);
        return error;
    }
    const struct dirent *entry;
    for (errno = 0; (entry = readdir(names)) != NULL; errno = 0) visit(context, entry->d_name);
    int error = -errno;
    (void)closedir(names);
    return error;
}

static int64_t modified_ms(const struct stat *status) {
    return (int64_t)status->st_mtim.tv_sec * MS_PER_S + status->st_mtim.tv_nsec / NS_PER_MS;
}

/* Looks at a slot's file without following or opening it. Returns 0 or -errno. */
static int look_at_slot(int folder_fd, int64_t seq, struct stat *status) {
    char name[KEY_SLOT_SIZE];
    key_format_slot(name, seq);
    return fstatat(folder_fd, name, status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

/* --- newest --- */

struct newest {
    int64_t head;     /* 0: none */
    int64_t previous; /* likewise */
};

static void note_newest(void *context, const char *name) {
    struct newest *newest = context;
    int64_t seq;
    if (!key_parse_slot(name, &seq)) return;
    if (seq > newest->head) {
        newest->previous = newest->head;
        newest->head = seq;
    } else if (seq > newest->previous) {
        newest->previous = seq;
    }
}

static void list(const struct directory_log *log, int folder_fd, struct log_answer *answer) {
    struct listing *listing = &answer->listing;
    struct newest newest = {0};
    struct stat status;
    /* Before the names: an earlier date makes the head look younger. A folder that can't be written in has no clock. */
    (void)directory_file_clock(folder_fd, &listing->date_ms);
    int error = each_name(folder_fd, note_newest, &newest);
    if (error == 0 && newest.head != 0) error = look_at_slot(folder_fd, newest.head, &status);
    if (error != 0) {
        fail(answer, -error, "list", log->folder);
        return;
    }
    answer->outcome = OUTCOME_DONE;
    listing->empty = newest.head == 0;
    if (listing->empty) return;
    listing->head_seq = newest.head;
    /* A link, a folder or a pipe has no content that counts, but it takes the slot's place. */
    listing->head_size = S_ISREG(status.st_mode) ? (int64_t)status.st_size : 0;
    listing->head_modified_ms = modified_ms(&status);
    if (newest.previous == 0 || look_at_slot(folder_fd, newest.previous, &status) != 0) return; /* trimmed just now */
    listing->previous_seq = newest.previous;
    listing->previous_modified_ms = modified_ms(&status);
}

static void run_newest(const struct directory_log *log, struct log_answer *answer) {
    bool missing;
    int folder_fd = open_log(log, answer, &missing);
    if (missing) {
        answer->outcome = OUTCOME_DONE;
        answer->listing.empty = true;
    }
    if (folder_fd < 0) return;
    list(log, folder_fd, answer);
    (void)close(folder_fd);
}

/* --- read --- */

/* Returns the number of bytes, at most size, or -errno. */
static ssize_t read_up_to(int fd, char *bytes, size_t size) {
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, bytes + length, size - length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        if (got == 0) break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* Returns the length of the slot's content; 0 for what isn't a file; or -errno. */
static ssize_t read_slot(int folder_fd, int64_t seq, char *bytes, size_t size) {
    struct stat status;
    char name[KEY_SLOT_SIZE];
    int error = look_at_slot(folder_fd, seq, &status);
    if (error != 0) return error;
    if (!S_ISREG(status.st_mode)) return 0;
    key_format_slot(name, seq);
    /* Should it have become a pipe meanwhile, opening it doesn't wait. */
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return errno == ELOOP || errno == ENXIO ? 0 : -errno;
    ssize_t length = read_up_to(fd, bytes, size);
    (void)close(fd);
    return length;
}

static void run_read(const struct directory_log *log, const struct log_request *request, struct log_answer *answer) {
    char bytes[RECORD_JSON_MAX + 1]; /* one more than is readable */
    char tried[64];
    bool missing;
    int folder_fd = open_log(log, answer, &missing);
    if (missing) answer->outcome = OUTCOME_ABSENT;
    if (folder_fd < 0) return;
    ssize_t length = read_slot(folder_fd, request->seq, bytes, sizeof bytes);
    (void)close(folder_fd);
    int error = length < 0 ? (int)length : slot_parse(&answer->slot, bytes, (size_t)length, request->seq);
    if (error == -ENOENT) {
        answer->outcome = OUTCOME_ABSENT;
    } else if (error != 0) {
        (void)text_format(tried, sizeof tried, "read slot %" PRId64 " in", request->seq);
        fail(answer, -error, tried, log->folder);
    } else {
        answer->outcome = OUTCOME_DONE;
    }
}

/* --- append --- */

/* A log that has begun isn't begun again by its holder: where somebody deleted it, the next claim does that. */
static int open_or_make_folder(const struct directory_log *log, bool goes_on, struct log_answer *answer) {
    int folder_fd = open_folder(log->folder);
    if (folder_fd < 0 && errno == ENOENT && !goes_on) {
        int error = directory_file_make_folders(log->folder);
        if (error != 0) {
            fail(answer, -error, "make the folder", log->folder);
            return -1;
        }
        folder_fd = open_folder(log->folder);
    }
    if (folder_fd < 0) fail(answer, errno, "open the folder", log->folder);
    return folder_fd;
}

static void run_append(const struct directory_log *log, const struct log_request *request, struct log_answer *answer) {
    char name[KEY_SLOT_SIZE], tried[64];
    bool linked;
    int folder_fd = open_or_make_folder(log, request->goes_on, answer);
    if (folder_fd < 0) return;
    key_format_slot(name, request->seq);
    int error = directory_file_create(folder_fd, name, request->body, request->body_length, &linked);
    (void)close(folder_fd);
    if (error == 0) {
        answer->outcome = OUTCOME_DONE;
    } else if (error == -EEXIST) {
        answer->outcome = OUTCOME_EXISTS;
    } else {
        (void)text_format(tried, sizeof tried, "append slot %" PRId64 " to", request->seq);
        if (linked) fail_with(answer, OUTCOME_UNKNOWN, -error, tried, log->folder);
        if (!linked) fail(answer, -error, tried, log->folder);
    }
}

/* --- trim --- */

/* The oldest slots of a folder, in their order, and its newest. */
struct census {
    struct newest newest;
    int64_t oldest[OLDEST_MAX];
    size_t count;
    int folder_fd;
    int64_t now_ms;
};

static void remove_stale_temporary(const struct census *census, const char *name) {
    struct stat status;
    if (!directory_file_is_temporary(name) || fstatat(census->folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    if (!S_ISREG(status.st_mode) || census->now_ms - modified_ms(&status) < TEMPORARY_AGE_MS) return;
    (void)unlinkat(census->folder_fd, name, 0); /* best effort */
}

static void note_for_census(void *context, const char *name) {
    struct census *census = context;
    int64_t seq;
    remove_stale_temporary(census, name);
    note_newest(&census->newest, name);
    if (!key_parse_slot(name, &seq)) return;
    if (census->count == OLDEST_MAX) {
        if (seq > census->oldest[OLDEST_MAX - 1]) return;
        census->count--;
    }
    size_t at = census->count++;
    for (; at > 0 && census->oldest[at - 1] > seq; at--) census->oldest[at] = census->oldest[at - 1];
    census->oldest[at] = seq;
}

/* Deletes from the oldest on and stops at the first that is kept, so that what is kept has no gap. Returns 0 or -errno.
 */
static int remove_oldest(const struct census *census, const struct log_request *request) {
    int removed = 0;
    for (size_t i = 0; i < census->count && removed < request->trim_most; i++) {
        int64_t seq = census->oldest[i];
        char name[KEY_SLOT_SIZE];
        struct stat status;
        if (seq >= request->seq || seq >= census->newest.previous) break;
        int error = look_at_slot(census->folder_fd, seq, &status);
        if (error == -ENOENT) continue; /* somebody else trims, too */
        if (error != 0) return error;
        if (!S_ISREG(status.st_mode)) continue; /* we never wrote that */
        if (census->now_ms - modified_ms(&status) < request->retention_ms) break;
        key_format_slot(name, seq);
        if (unlinkat(census->folder_fd, name, 0) != 0 && errno != ENOENT) return -errno;
        removed++;
    }
    return 0;
}

/* A clock that was just set forward makes nothing old: not before the newest slot was written by it, too. */
static void mind_newest(struct census *census) {
    struct stat status;
    if (census->newest.head == 0 || look_at_slot(census->folder_fd, census->newest.head, &status) != 0) return;
    if (modified_ms(&status) < census->now_ms) census->now_ms = modified_ms(&status);
}

static void run_trim(const struct directory_log *log, const struct log_request *request, struct log_answer *answer) {
    struct census census = {.count = 0};
    bool missing;
    census.folder_fd = open_log(log, answer, &missing);
    if (missing) answer->outcome = OUTCOME_DONE;
    if (census.folder_fd < 0) return;
    int error = directory_file_clock(census.folder_fd, &census.now_ms);
    if (error == 0) error = each_name(census.folder_fd, note_for_census, &census);
    if (error == 0) mind_newest(&census);
    if (error == 0) error = remove_oldest(&census, request);
    (void)close(census.folder_fd);
    if (error != 0) {
        fail(answer, -error, "trim", log->folder);
    } else {
        answer->outcome = OUTCOME_DONE;
    }
}

void directory_log_run(const struct directory_log *log, const struct log_request *request, struct log_answer *answer) {
    switch (request->op) {
    case LOG_NEWEST:
        run_newest(log, answer);
        return;
    case LOG_READ:
        run_read(log, request, answer);
        return;
    case LOG_APPEND:
        run_append(log, request, answer);
        return;
    case LOG_TRIM:
        run_trim(log, request, answer);
        return;
    }
}
