/* What is locked into memory, as /proc tells: the program, libc, the loader, errno and the stack;
 * and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <expat.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/memory.h"

#define STACK_BYTES (100 * 1024) /* of what is locked below the caller, at least */

/* Whether the page at address is in a mapping that is locked. */
static bool is_locked(uintptr_t address) {
    char line[512];
    uintptr_t start, end;
    bool inside = false, locked = false;
    FILE *maps = fopen("/proc/self/smaps", "re");
    if (maps == NULL) return false;
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) inside = address >= start && address < end;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) locked = strstr(line, " lo") != NULL;
    }
    (void)fclose(maps);
    return locked;
}

static int locked_kilobytes(void) {
    char line[256];
    int kilobytes = -1;
    FILE *status = fopen("/proc/self/status", "re");
    if (status == NULL) return -1;
    while (fgets(line, sizeof line, status) != NULL) (void)sscanf(line, "VmLck: %d", &kilobytes);
    (void)fclose(status);
    return kilobytes;
}

static int global = 1; /* of the program's data */

/* Exits with the number of the first thing that isn't as it should be. */
static void lock_and_look(rlim_t stack_limit) {
    struct rlimit limit;
    struct memory_map map = {.count = 5}; /* as found in memory */
    char here;
    if (getrlimit(RLIMIT_STACK, &limit) != 0) _exit(1);
    limit.rlim_cur = stack_limit;
    if (setrlimit(RLIMIT_STACK, &limit) != 0 || locked_kilobytes() != 0) _exit(2);
    memory_find(&map);
    if (locked_kilobytes() != 0) _exit(3);
    memory_lock(&map, &here);
    if (!is_locked((uintptr_t)memory_lock) || !is_locked((uintptr_t)&global)) _exit(4);
    if (!is_locked((uintptr_t)poll)) _exit(5);
    if (!is_locked(getauxval(AT_BASE))) _exit(6);
    if (!is_locked((uintptr_t)&errno)) _exit(7);
    if (is_locked((uintptr_t)XML_ParserCreate)) _exit(8);
    bool stack = stack_limit == RLIM_INFINITY;
    if (is_locked((uintptr_t)&here) != stack) _exit(9);
    if (is_locked((uintptr_t)&here - STACK_BYTES) != stack) _exit(10);
    if (locked_kilobytes() > 8 * 1024) _exit(11);
    _exit(EXIT_SUCCESS);
}

static void expect_locks(rlim_t stack_limit) {
    int status;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* it makes mlock(2) do nothing */
#endif
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) lock_and_look(stack_limit);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(WIFEXITED(status));
}

static void what_runs_is_locked(void **state) {
    (void)state;
    expect_locks(RLIM_INFINITY);
}

static void a_small_stack_isnt_used_up(void **state) {
    (void)state;
    expect_locks(512 * 1024);
}

static void no_more_areas_are_noted_than_there_is_room_for(void **state) {
    (void)state;
    struct memory_map map;
    memory_find(&map);
    assert_in_range(map.count, 3, MEMORY_AREAS_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_runs_is_locked),
        cmocka_unit_test(a_small_stack_isnt_used_up),
        cmocka_unit_test(no_more_areas_are_noted_than_there_is_room_for),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
