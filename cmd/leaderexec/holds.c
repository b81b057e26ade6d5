/* The list of locks held by those that we run under; see holds.h. */
#include "holds.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/text.h"
#include "process/procfs.h"

#define MARK_SIZE     72   /* "#PID.BORN.NAMESPACE" */
#define ANCESTORS_MAX 4096 /* no line of parents is as long as that */

/* Who holds a lock. */
struct holder {
    pid_t pid;
    int64_t born;
    uint64_t pid_namespace; /* inode */
};

/* Returns 0 where it can't be told. */
static uint64_t our_pid_namespace(int proc) {
    struct stat status;
    return fstatat(proc, "self/ns/pid", &status, 0) == 0 ? (uint64_t)status.st_ino : 0;
}

/* The whole of text[length], behind the lock's name, must be a mark. */
static bool parse_mark(const char *text, size_t length, struct holder *holder) {
    char mark[MARK_SIZE];
    int used = -1;
    if (length >= sizeof mark) return false;
    memcpy(mark, text, length);
    mark[length] = '\0';
    int found = sscanf(mark, "#%d.%" SCNd64 ".%" SCNu64 "%n", &holder->pid, &holder->born,
                       &holder->pid_namespace, &used);
    return found == 3 && used == (int)length;
}

/* Whether that process is one of our ancestors, or may be. */
static bool is_above_us(int proc, const struct holder *holder) {
    if (holder->pid_namespace != our_pid_namespace(proc)) return true;
    pid_t pid = getppid();
    for (int i = 0; i < ANCESTORS_MAX && pid > 0; i++) {
        struct process_info info;
        if (procfs_read(proc, pid, &info) != 0) return true;
        if (pid == holder->pid) return info.born == holder->born;
        pid = info.parent;
    }
    return pid > 0;
}

/* Whether the entry[size] keeps identity for somebody above us. */
static bool entry_counts(int proc, const char *entry, size_t size, const char *identity) {
    size_t length = strlen(identity);
    struct holder holder;
    if (size < length || memcmp(entry, identity, length) != 0) return false;
    if (!parse_mark(entry + length, size - length, &holder)) return size == length; /* written by hand */
    return proc < 0 || is_above_us(proc, &holder);
}

bool holds_contains(char *const *environment, const char *identity) {
    const char *held = environment_get(environment, HOLDS_VARIABLE);
    if (held == NULL) return false;
    int proc = procfs_open();
    bool found = false;
    while (!found && *held != '\0') {
        size_t size = strcspn(held, " ");
        found = entry_counts(proc, held, size, identity);
        held += size + (held[size] == ' ' ? 1 : 0);
    }
    if (proc >= 0) (void)close(proc);
    return found;
}

/* Leaves *out empty where /proc doesn't tell, without which there will be no run either. */
static void format_mark(char out[MARK_SIZE]) {
    struct process_info self;
    int proc = procfs_open();
    out[0] = '\0';
    if (proc < 0) return;
    if (procfs_read(proc, getpid(), &self) == 0) {
        (void)text_format(out, MARK_SIZE, "#%d.%" PRId64 ".%" PRIu64, (int)getpid(), self.born,
                          our_pid_namespace(proc));
    }
    (void)close(proc);
}

char **holds_add(char *const *environment, const char *identity) {
    const char *held = environment_get(environment, HOLDS_VARIABLE);
    char mark[MARK_SIZE];
    format_mark(mark);
    if (held == NULL) held = "";
    size_t size = strlen(held) + 1 + strlen(identity) + sizeof mark;
    char *all = malloc(size);
    if (all == NULL) return NULL;
    (void)text_format(all, size, "%s%s%s%s", held, *held != '\0' ? " " : "", identity, mark);
    char **copy = environment_with(environment, HOLDS_VARIABLE, all);
    free(all);
    return copy;
}
