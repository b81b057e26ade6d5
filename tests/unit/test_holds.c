/* LEADEREXEC_HOLDS: whose lock counts as held by somebody above us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/environment.h"
#include "holds.h"

#define VARIABLES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What a child finds of a lock that its parent (holds_add was called there), or somebody else, holds. */
static bool child_finds(char *const *environment, const char *identity) {
    pid_t child = fork();
    if (child == 0) _exit(holds_contains(environment, identity) ? 1 : 0);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 1;
}

static void a_lock_that_we_run_under_is_known(void **state) {
    (void)state;
    const char *const *none = VARIABLES("A=b");
    assert_false(child_finds((char *const *)none, "s3://bucket/locks/leader"));
    static char **once, **twice; /* where valgrind finds them in the children, too */
    once = holds_add((char *const *)none, "s3://bucket/locks/leader");
    assert_non_null(once);
    assert_true(child_finds(once, "s3://bucket/locks/leader"));
    assert_false(child_finds(once, "s3://bucket/locks/lead"));
    assert_false(child_finds(once, "s3://bucket/locks/leader2"));
    twice = holds_add(once, "file:/x/locks/y");
    assert_non_null(twice);
    assert_true(child_finds(twice, "s3://bucket/locks/leader"));
    assert_true(child_finds(twice, "file:/x/locks/y"));
    const char *text = environment_get(twice, "LEADEREXEC_HOLDS");
    assert_memory_equal(text, "s3://bucket/locks/leader#", strlen("s3://bucket/locks/leader#"));
    assert_non_null(strstr(text, " file:/x/locks/y#"));
    assert_string_equal(environment_get(twice, "A"), "b");
    assert_string_equal(twice[0], "A=b");
    assert_null(twice[2]);
    free(twice);
    free(once);
}

/* Us, with something about us changed: nobody above the child, unless that can't be told. */
static void a_lock_counts_only_while_its_holder_lives_above_us(void **state) {
    (void)state;
    static char **ours;
    ours = holds_add((char *const *)VARIABLES("A=b"), "file:/l");
    int pid, length = (int)strlen("file:/l#");
    unsigned long long born, space;
    const char *mark = environment_get(ours, "LEADEREXEC_HOLDS") + length;
    assert_int_equal(sscanf(mark, "%d.%llu.%llu", &pid, &born, &space), 3);
    pid_t dead = fork();
    if (dead == 0) _exit(0);
    assert_int_equal(waitpid(dead, NULL, 0), dead);
    const struct {
        int pid;
        unsigned long long born, space;
        const char *behind;
        bool counts;
    } cases[] = {
        {pid, born, space, "", true},      {pid, born + 1, space, "", false}, /* a number used again */
        {dead, born, space, "", false},    {1, born, space, "", false},
        {pid, born, space + 1, "", true}, /* another PID namespace's: can't be looked for */
        {pid, born, space, "x", false},   /* a lock of another name */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        assert_in_range(snprintf(text, sizeof text, "LEADEREXEC_HOLDS=file:/k file:/l#%d.%llu.%llu%s", cases[i].pid,
                                 cases[i].born, cases[i].space, cases[i].behind),
                        1, sizeof text - 1);
        if (child_finds((char *const *)VARIABLES(text), "file:/l") != cases[i].counts) fail_msg("%s", text);
    }
    assert_true(child_finds((char *const *)VARIABLES("LEADEREXEC_HOLDS=file:/l"), "file:/l"));
    free(ours);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_that_we_run_under_is_known),
        cmocka_unit_test(a_lock_counts_only_while_its_holder_lives_above_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
