/* Processes as /proc shows them; see procfs.h. */
#include "process/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "process/descriptors.h"

#define STAT_SIZE 2048
#define PATH_SIZE 64

/* Fields of stat, counted as proc(5) does, and by their distance from the first one after the name. */
enum { FIELD_FIRST = 4, FIELD_LAST = 49 };
enum { FIELD_PARENT = 4, FIELD_GROUP = 5, FIELD_SESSION = 6, FIELD_THREADS = 20, FIELD_BORN = 22 };
enum { FIELD_EXIT_SIGNAL = 38, FIELD_ARGUMENTS_START = 48, FIELD_ARGUMENTS_END = 49 };

int procfs_open(void) {
    int proc = descriptor_raise(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (proc < 0) return proc;
    char self[PATH_SIZE], expected[PATH_SIZE];
    ssize_t length = readlinkat(proc, "self", self, sizeof self - 1);
    int error = length < 0 ? -errno : 0;
    if (error == 0) {
        self[length] = '\0';
        error = text_format(expected, sizeof expected, "%d", (int)getpid());
    }
    if (error == 0 && strcmp(self, expected) != 0) error = -EXDEV;
    if (error == 0) return proc;
    (void)close(proc);
    return error;
}

/* Reads a small file whole. Returns its length, or -errno. */
static ssize_t read_file(int proc, const char *path, char *out, size_t size) {
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t got;
    do {
        got = read(fd, out, size - 1);
    } while (got < 0 && errno == EINTR);
    ssize_t result = got < 0 ? -errno : got;
    (void)close(fd);
    if (result >= 0) out[result] = '\0';
    return result;
}

/* The next decimal number in text; the sign is applied modulo 2^64. Sets *text behind it. */
static uint64_t next_number(const char **text) {
    const char *at = *text;
    while (*at == ' ') at++;
    bool negative = *at == '-';
    if (negative) at++;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++) value = value * 10 + (uint64_t)(*at - '0');
    *text = at;
    return negative ? 0 - value : value;
}

static bool parse_stat(const char *text, struct process_info *info) {
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (open == NULL || close == NULL || close < open || strlen(close) < 4) return false;
    size_t length = (size_t)(close - open - 1);
    if (length >= sizeof info->name) length = sizeof info->name - 1;
    memcpy(info->name, open + 1, length);
    info->name[length] = '\0';

    uint64_t field[FIELD_LAST - FIELD_FIRST + 1] = {0};
    const char *at = close + 3; /* ") S" */
    for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
        if (*at != ' ') return false;
        field[i] = next_number(&at);
    }
    info->parent = (pid_t)field[FIELD_PARENT - FIELD_FIRST];
    info->group = (pid_t)field[FIELD_GROUP - FIELD_FIRST];
    info->session = (pid_t)field[FIELD_SESSION - FIELD_FIRST];
    info->threads = (int)field[FIELD_THREADS - FIELD_FIRST];
    info->born = (int64_t)field[FIELD_BORN - FIELD_FIRST];
    info->exit_signal = (int)field[FIELD_EXIT_SIGNAL - FIELD_FIRST];
    info->arguments_start = (uintptr_t)field[FIELD_ARGUMENTS_START - FIELD_FIRST];
    info->arguments_end = (uintptr_t)field[FIELD_ARGUMENTS_END - FIELD_FIRST];
    return true;
}

int procfs_read(int proc, pid_t pid, struct process_info *info) {
    char path[PATH_SIZE], text[STAT_SIZE];
    int error = text_format(path, sizeof path, "%d/stat", (int)pid);
    if (error != 0) return error;
    ssize_t length = read_file(proc, path, text, sizeof text);
    if (length < 0) return (int)length;
    return parse_stat(text, info) ? 0 : -EPROTO;
}

/* Calls visit for every number in a list that is longer than any buffer of ours. */
static int visit_numbers(int fd, procfs_visit *visit, void *context) {
    char text[4096];
    uint64_t number = 0;
    for (;;) {
        ssize_t got = read(fd, text, sizeof text);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? -errno : 0;
        for (ssize_t i = 0; i < got; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                number = number * 10 + (uint64_t)(text[i] - '0');
            } else {
                if (number != 0 && !visit(context, (pid_t)number)) return 0;
                number = 0;
            }
        }
    }
}

static int thread_children(int proc, pid_t pid, pid_t thread, procfs_visit *visit, void *context) {
    char path[PATH_SIZE];
    int error = text_format(path, sizeof path, "%d/task/%d/children", (int)pid, (int)thread);
    if (error != 0) return error;
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    error = visit_numbers(fd, visit, context);
    (void)close(fd);
    return error;
}

/* As readdir(3), which allocates. */
static int visit_folder(int fd, procfs_visit *visit, void *context) {
    char entries[4096] __attribute__((aligned(8)));
    for (;;) {
        long got = syscall(SYS_getdents64, fd, entries, sizeof entries);
        if (got <= 0) return got < 0 ? -errno : 0;
        for (long at = 0; at < got;) {
            const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
            const char *name = entry->d_name;
            uint64_t number = next_number(&name);
            if (number != 0 && *name == '\0' && !visit(context, (pid_t)number)) return 0;
            at += entry->d_reclen;
        }
    }
}

struct threads_visit {
    int proc;
    pid_t pid;
    procfs_visit *visit;
    void *context;
    int error;
    bool any;
};

static bool visit_thread(void *context, pid_t thread) {
    struct threads_visit *v = context;
    int error = thread_children(v->proc, v->pid, thread, v->visit, v->context);
    if (error == 0) v->any = true;
    /* Absent: a thread that has just ended, or a kernel without these files. Anything else leaves the list too short.
     */
    if (error != 0 && error != -ENOENT && error != -ESRCH) v->error = error;
    return true;
}

int procfs_children(int proc, pid_t pid, int threads, procfs_visit *visit, void *context) {
    int error = -ENOENT;
    if (threads == 1) error = thread_children(proc, pid, pid, visit, context);
    if (error == 0) return 0;

    char path[PATH_SIZE];
    error = text_format(path, sizeof path, "%d/task", (int)pid);
    if (error != 0) return error;
    int folder = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -errno;
    struct threads_visit v = {.proc = proc, .pid = pid, .visit = visit, .context = context};
    error = visit_folder(folder, visit_thread, &v);
    (void)close(folder);
    if (error == 0) error = v.error;
    return error == 0 && !v.any ? -ENOTSUP : error;
}

int procfs_open_list(int proc) {
    char path[PATH_SIZE];
    pid_t thread = (pid_t)syscall(SYS_gettid); /* in a clone a library may have the caller's */
    int error = text_format(path, sizeof path, "%d/task/%d/children", (int)getpid(), (int)thread);
    if (error != 0) return error;
    int list = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (list < 0) return errno == ENOENT ? -ENOTSUP : -errno;
    list = descriptor_raise(list);
    char byte;
    if (list < 0 || read(list, &byte, sizeof byte) >= 0)
        return list; /* the kernel has the memory for its answers now */
    error = -errno;
    (void)close(list);
    return error;
}

int procfs_list(int list, procfs_visit *visit, void *context) {
    if (lseek(list, 0, SEEK_SET) < 0) return -errno;
    return visit_numbers(list, visit, context);
}

int procfs_all(int proc, procfs_visit *visit, void *context) {
    int folder = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -errno;
    int error = visit_folder(folder, visit, context);
    (void)close(folder);
    return error;
}
