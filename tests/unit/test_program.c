/* Why a program couldn't be run, and which numbers of ours it is told instead of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/text.h"
#include "process/program.h"
#include "process/self_names.h"

/* A folder with an executable "tool", and a PATH that passes over what isn't it. */
struct place {
    char folder[64], tool[96], path[256];
};

static int set_up(void **state) {
    struct place *place = calloc(1, sizeof *place);
    if (place == NULL) return -1;
    (void)text_copy(place->folder, sizeof place->folder, "/tmp/leaderexec-program-XXXXXX");
    if (mkdtemp(place->folder) == NULL) return -1;
    (void)text_format(place->tool, sizeof place->tool, "%s/tool", place->folder);
    (void)text_format(place->path, sizeof place->path, "/nowhere:/etc:%s:/bin", place->folder);
    *state = place;
    return 0;
}

static int tear_down(void **state) {
    struct place *place = *state;
    (void)unlink(place->tool);
    int result = rmdir(place->folder);
    free(place);
    return result;
}

static void write_tool(const struct place *place, const char *content, size_t length) {
    int fd = open(place->tool, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, length), (ssize_t)length);
    (void)close(fd);
}

static void expect_reason(const struct place *place, const char *name, int exec_errno,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

static void expect_reason(const struct place *place, const char *name, int exec_errno,
                          const char *format, ...) {
    char reason[TEXT_REASON_SIZE], expected[TEXT_REASON_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    program_explain(reason, name, place->path, exec_errno);
    assert_string_equal(reason, expected);
}

static void what_isnt_there_is_said_in_the_systems_words(void **state) {
    const struct place *place = *state;
    expect_reason(place, "tool", ENOENT, "can't run tool: %s", "No such file or directory");
    expect_reason(place, place->tool, ENOENT, "can't run %s: No such file or directory",
                  place->tool);
    expect_reason(place, "", ENOENT, "can't run : %s", "No such file or directory");
    write_tool(place, "x", 1);
    expect_reason(place, "tool", EACCES, "can't run tool: %s", "Permission denied");
    assert_int_equal(chmod(place->tool, 0644), 0); /* not one that the search would have taken */
    expect_reason(place, "tool", ENOENT, "can't run tool: %s", "No such file or directory");
    expect_reason(
        place, "tool", ENOEXEC,
        "can't run %s on this machine: it is no script, and no program of a kind known here",
        "tool");
}

static void a_missing_interpreter_is_named(void **state) {
    const struct place *place = *state;
    static const char script[] = "#! /no/such/shell -e\nx\n",
                      windows[] = "#!/no/such/shell\r\nx\r\n";
    write_tool(place, script, sizeof script - 1);
    expect_reason(place, "tool", ENOENT, "can't run %s: its interpreter /no/such/shell isn't there",
                  place->tool);
    expect_reason(place, place->tool, ENOENT,
                  "can't run %s: its interpreter /no/such/shell isn't there", place->tool);
    write_tool(place, windows, sizeof windows - 1);
    expect_reason(place, "tool", ENOENT,
                  "can't run %s: its interpreter /no/such/shell? isn't there; its lines end as on "
                  "Windows (CRLF)",
                  place->tool);
}

static void a_missing_loader_is_told_from_a_script(void **state) {
    const struct place *place = *state;
    static const char *const contents[] = {"\177ELF", "#", ""};
    for (size_t i = 0; i < 3; i++) {
        write_tool(place, contents[i], strlen(contents[i]));
        expect_reason(place, "tool", ENOENT,
                      "can't run %s: it is there, but the loader that it names isn't: it was built "
                      "for another system",
                      place->tool);
    }
}

static void the_current_folder_may_be_in_the_path(void **state) {
    struct place *place = *state;
    char before[1024];
    assert_non_null(getcwd(before, sizeof before));
    write_tool(place, "#!/no/such/shell\n", 17);
    assert_int_equal(chdir(place->folder), 0);
    (void)text_copy(place->path, sizeof place->path, "/bin:");
    expect_reason(place, "tool", ENOENT, "can't run tool: its interpreter %s isn't there",
                  "/no/such/shell");
    assert_int_equal(chdir(before), 0);
}

static void a_script_is_a_text_as_far_as_its_first_line_tells(void **state) {
    const struct place *place = *state;
    static const struct {
        const char *content;
        size_t length;
        bool is_script;
    } cases[] = {{"echo x\n", 7, true}, {"", 0, true},       {"\0", 1, false},
                 {"a\0b\n", 4, false},  {"a\nb\0", 4, true}, {"no end", 6, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_tool(place, cases[i].content, cases[i].length);
        assert_int_equal(program_is_script(place->tool), cases[i].is_script);
    }
    assert_true(program_is_script("/no/such/file"));
}

/* --- numbers --- */

static char **environment_of(const char *first, const char *second, const char *third) {
    char **environment = calloc(5, sizeof *environment);
    assert_non_null(environment);
    const char *const texts[] = {"OTHER=1", first, second, third};
    size_t used = 0;
    for (size_t i = 0; i < 4; i++) {
        if (texts[i] != NULL) assert_non_null(environment[used++] = strdup(texts[i]));
    }
    return environment;
}

static void free_environment(char **environment) {
    for (char **variable = environment; *variable != NULL; variable++) free(*variable);
    free(environment);
}

static void what_names_us_names_who_writes(void **state) {
    (void)state;
    char **environment = environment_of("LISTEN_PIDFDID=7", "WATCHDOG_PID=123", "LISTEN_PID=123");
    struct self_names names;
    char expected[64];
    struct stat status = {.st_ino = 0};
    int fd = pidfd_open(getpid(), 0);
    if (fd >= 0) assert_int_equal(fstat(fd, &status), 0);
    if (fd >= 0) (void)close(fd);
    assert_int_equal(self_names_find(&names, environment, 123), 0);
    self_names_write(&names);
    assert_string_equal(environment[0], "OTHER=1");
    (void)text_format(expected, sizeof expected, "LISTEN_PIDFDID=%llu",
                      (unsigned long long)status.st_ino);
    assert_string_equal(environment[1], expected);
    (void)text_format(expected, sizeof expected, "WATCHDOG_PID=%d", (int)getpid());
    assert_string_equal(environment[2], expected);
    (void)text_format(expected, sizeof expected, "LISTEN_PID=%d", (int)getpid());
    assert_string_equal(environment[3], expected);
    free_environment(environment);
}

static void what_names_another_stays(void **state) {
    (void)state;
    char **environment = environment_of("LISTEN_PIDFDID=7", "WATCHDOG_PID=1234", "LISTEN_PID=12");
    struct self_names names;
    memset(&names, 0xff, sizeof names);
    assert_int_equal(self_names_find(&names, environment, 123), 0);
    self_names_write(&names);
    assert_string_equal(environment[1], "LISTEN_PIDFDID=7");
    assert_string_equal(environment[2], "WATCHDOG_PID=1234");
    assert_string_equal(environment[3], "LISTEN_PID=12");
    free_environment(environment);
    environment = environment_of(NULL, NULL, NULL);
    assert_int_equal(self_names_find(&names, environment, 123), 0);
    self_names_write(&names);
    assert_string_equal(environment[0], "OTHER=1");
    free_environment(environment);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_isnt_there_is_said_in_the_systems_words, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_missing_interpreter_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missing_loader_is_told_from_a_script, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_current_folder_may_be_in_the_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_script_is_a_text_as_far_as_its_first_line_tells, set_up,
                                        tear_down),
        cmocka_unit_test(what_names_us_names_who_writes),
        cmocka_unit_test(what_names_another_stays),
    };
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
