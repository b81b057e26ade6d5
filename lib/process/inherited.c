/* Inherited descriptors; see inherited.h. */
#include "process/inherited.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "process/descriptors.h"

#define FIRST_OTHER_FD 3
#define ROOM           (INHERITED_OWN_MAX + FIRST_OTHER_FD)
#define PROBE_MOST     65536 /* where /proc/self/fd may not be read (a program with capabilities of its own) */

/* Remembers fd where it was inherited. Returns 0 or -errno. */
static int note(struct inherited *inherited, int fd) {
    int flags = fcntl(fd, F_GETFD);
    if (fd < FIRST_OTHER_FD || flags < 0 || (flags & FD_CLOEXEC) != 0) return 0;
    int *more = realloc(inherited->fds, (inherited->count + 1 + ROOM) * sizeof *more);
    if (more == NULL) return -ENOMEM;
    inherited->fds = more;
    inherited->fds[inherited->count++] = fd;
    return 0;
}

static int note_listed(struct inherited *inherited, DIR *folder) {
    int error = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL && error == 0; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') error = note(inherited, (int)strtol(entry->d_name, NULL, 10));
    }
    return error;
}

static int note_all(struct inherited *inherited, int proc) {
    inherited->count = 0;
    inherited->fds = malloc(ROOM * sizeof *inherited->fds);
    if (inherited->fds == NULL) return -ENOMEM;
    int fd = openat(proc, "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL && fd >= 0) (void)close(fd);
    int error = folder != NULL ? note_listed(inherited, folder) : 0;
    for (int probed = FIRST_OTHER_FD; folder == NULL && probed < PROBE_MOST && error == 0; probed++)
        error = note(inherited, probed);
    if (folder != NULL) (void)closedir(folder);
    return error;
}

int inherited_keep(struct inherited *inherited, int proc) {
    for (int i = 0; i < FIRST_OTHER_FD; i++) inherited->standard[i] = -1;
    int error = note_all(inherited, proc);
    for (int i = 0; i < FIRST_OTHER_FD && error == 0; i++) {
        inherited->standard[i] = fcntl(i, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
        if (inherited->standard[i] < 0 && errno != EBADF) error = -errno;
    }
    if (error == 0) error = descriptor_null(STDIN_FILENO, false);
    if (error == 0) error = descriptor_null(STDOUT_FILENO, false);
    if (error == 0) error = descriptor_null(STDERR_FILENO, true);
    if (error != 0) inherited_let_go(inherited);
    return error;
}

int inherited_take_back(struct inherited *inherited, const int *own, size_t count) {
    for (int i = 0; i < FIRST_OTHER_FD; i++) {
        int kept = inherited->standard[i];
        if (kept >= 0 && dup2(kept, i) < 0) return -errno;
        if (kept < 0) (void)close(i);
    }
    for (size_t i = 0; i < count; i++) inherited->fds[inherited->count++] = own[i];
    for (int i = 0; i < FIRST_OTHER_FD; i++) inherited->fds[inherited->count++] = i;
    descriptors_close_others(inherited->fds, inherited->count);
    return 0;
}

void inherited_let_go(struct inherited *inherited) {
    if (inherited->fds == NULL) return;
    for (size_t i = 0; i < inherited->count; i++) (void)close(inherited->fds[i]);
    for (int i = 0; i < FIRST_OTHER_FD; i++) {
        if (inherited->standard[i] >= 0) (void)close(inherited->standard[i]);
    }
    free(inherited->fds);
    *inherited = (struct inherited){.fds = NULL};
}
