/* Control groups' quotas; see quota.h. */
#include "quota.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "options.h"

#define WHOLE_PPM       INT64_C(1000000)
#define LITTLE_A_TTL_MS INT64_C(1000) /* of a processor, for us and all that the command runs */

/* Reads up to two numbers from a file of folder's. Returns how many there are; "max" is none. */
static int read_numbers(const char *folder, const char *name, int64_t *first, int64_t *second) {
    char path[PATH_MAX];
    if (text_format(path, sizeof path, "%s/%s", folder, name) != 0) return 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    int count = fscanf(file, "%" SCNd64 " %" SCNd64, first, second); /* NOLINT(cert-err34-c): the kernel wrote it */
    (void)fclose(file);
    return count;
}

static int64_t group_ppm(const char *folder) {
    int64_t quota_us = 0, period_us = 0, none;
    bool found = read_numbers(folder, "cpu.max", &quota_us, &period_us) == 2;
    found = found || (read_numbers(folder, "cpu.cfs_quota_us", &quota_us, &none) == 1 &&
                      read_numbers(folder, "cpu.cfs_period_us", &period_us, &none) == 1);
    if (!found || quota_us <= 0 || period_us <= 0 || quota_us > INT64_MAX / WHOLE_PPM) return QUOTA_NONE;
    return quota_us * WHOLE_PPM / period_us;
}

/* The smallest of the group's and those above it, below mount. In a container the path may be one of the host's, which
 * isn't there; the mount itself is the container's group then. */
static int64_t least_ppm(const char *root, const char *mount, const char *group) {
    char folder[PATH_MAX];
    if (text_format(folder, sizeof folder, "%s%s%s", root, mount, group) != 0) return QUOTA_NONE;
    size_t top = strlen(root) + strlen(mount);
    int64_t least = QUOTA_NONE;
    for (;;) {
        int64_t ppm = group_ppm(folder);
        if (ppm < least) least = ppm;
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= top || slash < folder + top) return least;
        *slash = '\0';
    }
}

static bool names_cpu(char *controllers) {
    char *rest = NULL;
    for (char *name = strtok_r(controllers, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        if (strcmp(name, "cpu") == 0) return true;
    }
    return false;
}

/* A line of /proc/PID/cgroup: number:controllers:path. */
static int64_t line_ppm(const char *root, char *line) {
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) return QUOTA_NONE;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (*++controllers != '\0')
        return names_cpu(controllers) ? least_ppm(root, "/sys/fs/cgroup/cpu", group) : QUOTA_NONE;
    int64_t pure = least_ppm(root, "/sys/fs/cgroup", group), mixed = least_ppm(root, "/sys/fs/cgroup/unified", group);
    return pure < mixed ? pure : mixed;
}

int64_t quota_ppm(const char *root) {
    char path[PATH_MAX], *line = NULL;
    size_t room = 0;
    int64_t least = QUOTA_NONE;
    if (text_format(path, sizeof path, "%s/proc/self/cgroup", root) != 0) return QUOTA_NONE;
    FILE *file = fopen(path, "re");
    while (file != NULL && getline(&line, &room, file) > 0) {
        int64_t ppm = line_ppm(root, line);
        if (ppm < least) least = ppm;
    }
    free(line);
    if (file != NULL) (void)fclose(file);
    return least;
}

void quota_explain(const struct options *options, const struct log *log) {
    int policy = sched_getscheduler(0);
    if (log->level < LOG_LEVEL_INFO || policy == SCHED_FIFO || policy == SCHED_RR) return;
    int64_t ppm = quota_ppm("");
    if (ppm == QUOTA_NONE || ppm >= LITTLE_A_TTL_MS * WHOLE_PPM / options->ttl_ms) return;
    char ttl[32], time[32];
    text_format_duration(ttl, sizeof ttl, options->ttl_ms);
    text_format_duration(time, sizeof time, ppm * options->ttl_ms / WHOLE_PPM);
    log_line(log, LOG_LEVEL_INFO,
             "its control group allows %g %% of a processor, for leaderexec and all that the command runs: %s in a ttl "
             "of %s; when they use it up, leadership is lost: allow more, or a longer --ttl",
             (double)ppm * 100 / (double)WHOLE_PPM, time, ttl);
}
