/* Which quota of a processor is read from the files of control groups, of both versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quota.h"

struct file {
    const char *path, *text;
};

/* Writes files below root, with the folders that they need. */
static void lay_out(const char *root, const struct file *files) {
    for (; files->path != NULL; files++) {
        char path[PATH_MAX];
        assert_true(snprintf(path, sizeof path, "%s/%s", root, files->path) < (int)sizeof path);
        for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            (void)mkdir(path, 0700);
            *slash = '/';
        }
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(files->text, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
}

static void expect(int64_t ppm, const struct file *files) {
    char root[] = "/tmp/leaderexec-quota-XXXXXX", remove[64];
    assert_non_null(mkdtemp(root));
    lay_out(root, files);
    assert_true(quota_ppm(root) == ppm);
    assert_true(snprintf(remove, sizeof remove, "rm -r %s", root) > 0);
    assert_int_equal(system(remove), 0); /* NOLINT(cert-env33-c) */
}

static void version_2(void **state) {
    (void)state;
    expect(20000, (struct file[]){
                      {"proc/self/cgroup", "0::/a/b\n"}, {"sys/fs/cgroup/a/b/cpu.max", "2000 100000\n"}, {NULL, NULL}});
    expect(15000, (struct file[]){{"proc/self/cgroup", "0::/a/b\n"}, /* the parent's is smaller */
                                  {"sys/fs/cgroup/a/b/cpu.max", "max 100000\n"},
                                  {"sys/fs/cgroup/a/cpu.max", "1500 100000\n"},
                                  {"sys/fs/cgroup/cpu.max", "50000 100000\n"},
                                  {NULL, NULL}});
    expect(2500000, (struct file[]){{"proc/self/cgroup", "0::/../other\n"}, /* a container's own is the mount */
                                    {"sys/fs/cgroup/cpu.max", "250000 100000\n"},
                                    {NULL, NULL}});
    expect(500000,
           (struct file[]){{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "50000 100000\n"}, {NULL, NULL}});
}

static void version_1(void **state) {
    (void)state;
    expect(30000, (struct file[]){{"proc/self/cgroup", "4:cpuset:/x\n3:cpuacct,cpu:/a\n2:memory:/b\n0::/\n"},
                                  {"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "6000\n"},
                                  {"sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "200000\n"},
                                  {"sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "1\n"}, /* not ours */
                                  {"sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "200000\n"},
                                  {NULL, NULL}});
    expect(10000, (struct file[]){{"proc/self/cgroup", "1:cpu:/docker/0123\n"},
                                  {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "1000\n"},
                                  {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
                                  {NULL, NULL}});
}

static void none(void **state) {
    (void)state;
    expect(QUOTA_NONE, (struct file[]){{NULL, NULL}});
    expect(QUOTA_NONE, (struct file[]){{"proc/self/cgroup", "nonsense\n0\n:\n\n"}, {NULL, NULL}});
    expect(QUOTA_NONE, (struct file[]){{"proc/self/cgroup", "1:cpu:/\n"},
                                       {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
                                       {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
                                       {NULL, NULL}});
    expect(QUOTA_NONE, (struct file[]){{"proc/self/cgroup", "0::/\n"},
                                       {"sys/fs/cgroup/cpu.max", "9223372036854775807 0\n"},
                                       {NULL, NULL}});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(version_2), cmocka_unit_test(version_1),
                                       cmocka_unit_test(none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
