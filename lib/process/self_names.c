/* LISTEN_PID and its like; see self_names.h. */
#include "process/self_names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define NUMBER_SIZE 24

enum { LISTEN, LISTEN_PIDFD, WATCHDOG };

static const char *const prefixes[SELF_NAMES_MOST] = {
    [LISTEN] = "LISTEN_PID=", [LISTEN_PIDFD] = "LISTEN_PIDFDID=", [WATCHDOG] = "WATCHDOG_PID="};

static char **find(char **environment, const char *prefix) {
    for (char **variable = environment; *variable != NULL; variable++) {
        if (strncmp(*variable, prefix, strlen(prefix)) == 0) return variable;
    }
    return NULL;
}

static bool names(const char *variable, const char *prefix, pid_t pid) {
    char number[NUMBER_SIZE];
    return text_format(number, sizeof number, "%d", (int)pid) == 0 && strcmp(variable + strlen(prefix), number) == 0;
}

int self_names_find(struct self_names *names_found, char **environment, pid_t pid) {
    bool listens = false;
    *names_found = (struct self_names){{NULL}};
    for (int i = 0; i < SELF_NAMES_MOST; i++) {
        char **variable = find(environment, prefixes[i]);
        if (variable == NULL) continue;
        /* Its own number, an inode's, belongs to the process that LISTEN_PID names. */
        if (i == LISTEN_PIDFD ? !listens : !names(*variable, prefixes[i], pid)) continue;
        if (i == LISTEN) listens = true;
        size_t length = strlen(prefixes[i]);
        char *longer = realloc(*variable, length + NUMBER_SIZE);
        if (longer == NULL) return -ENOMEM;
        *variable = longer;
        longer[length] = '\0';
        names_found->at[i] = longer + length;
    }
    return 0;
}

/* The number of our pidfd's inode, which no later process ever has; 0 where the kernel has none. */
static uint64_t own_pidfd_inode(void) {
    struct stat status;
    int fd = pidfd_open(getpid(), 0);
    if (fd < 0) return 0;
    uint64_t inode = fstat(fd, &status) == 0 ? (uint64_t)status.st_ino : 0;
    (void)close(fd);
    return inode;
}

void self_names_write(const struct self_names *names_found) {
    for (int i = 0; i < SELF_NAMES_MOST; i++) {
        if (names_found->at[i] == NULL) continue;
        unsigned long long number = i == LISTEN_PIDFD ? own_pidfd_inode() : (unsigned long long)getpid();
        (void)text_format(names_found->at[i], NUMBER_SIZE, "%llu", number);
    }
}
