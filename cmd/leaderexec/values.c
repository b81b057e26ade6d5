/* Single values; see values.h. */
#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define NAME_CHARACTERS "A-Z a-z 0-9 . _ : @ + = , -"

static int wrong(char *problem, const char *text) {
    (void)text_copy(problem, VALUES_PROBLEM_SIZE, text);
    return -EINVAL;
}

int value_flag(const char *text, bool *flag, char *problem) {
    static const char *const words[][2] = {{"0", "1"}, {"false", "true"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int on = 0; on <= 1; on++) {
            if (strcasecmp(text, words[i][on]) != 0) continue;
            *flag = on == 1;
            return 0;
        }
    }
    return wrong(problem, "must be 1 or 0");
}

int value_duration(const char *text, int64_t least, int64_t most, int64_t *ms, char *problem) {
    int r = text_parse_duration(text, ms);
    if (r == -EINVAL) return wrong(problem, "isn't a duration: write 500ms, 30s, 2m, 1h, or a number of seconds");
    if (r == 0 && *ms >= least && *ms <= most) return 0;
    char shortest[32], longest[32];
    text_format_duration(shortest, sizeof shortest, least);
    text_format_duration(longest, sizeof longest, most);
    (void)text_format(problem, VALUES_PROBLEM_SIZE, "must be from %s to %s", shortest, longest);
    return -EINVAL;
}

/* Returns whether text is decimal digits and nothing else, and no more than fits. */
static bool read_number(const char *text, int64_t *number) {
    if (*text == '\0') return false;
    for (*number = 0; *text >= '0' && *text <= '9' && *number < INT64_C(1000000000); text++) {
        *number = *number * 10 + (*text - '0');
    }
    return *text == '\0';
}

int value_number(const char *text, int64_t least, int64_t most, int64_t *number, char *problem) {
    if (read_number(text, number) && *number >= least && *number <= most) return 0;
    (void)text_format(problem, VALUES_PROBLEM_SIZE, "must be a number from %" PRId64 " to %" PRId64, least, most);
    return -EINVAL;
}

struct signal_name {
    const char *name;
    int number;
};

static const struct signal_name signal_names[] = {
    {"HUP", SIGHUP},       {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ILL", SIGILL},     {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT},     {"BUS", SIGBUS},   {"FPE", SIGFPE},   {"KILL", SIGKILL},   {"USR1", SIGUSR1},
    {"SEGV", SIGSEGV},     {"USR2", SIGUSR2}, {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},   {"TERM", SIGTERM},
    {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD}, {"CONT", SIGCONT}, {"STOP", SIGSTOP},   {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU}, {"URG", SIGURG},   {"XCPU", SIGXCPU},   {"XFSZ", SIGXFSZ},
    {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"IO", SIGIO},     {"WINCH", SIGWINCH}, {"PWR", SIGPWR},
    {"SYS", SIGSYS},
};

/* Returns the signal's number, or 0 where text isn't one's name or number. */
static int find_signal(const char *text) {
    int64_t number;
    if (read_number(text, &number)) {
        bool standard = number >= 1 && number < 32;
        return standard || (number >= SIGRTMIN && number <= SIGRTMAX) ? (int)number : 0;
    }
    if (strncasecmp(text, "SIG", 3) == 0) text += 3;
    if (strcasecmp(text, "RTMIN") == 0) return SIGRTMIN;
    if (strcasecmp(text, "RTMAX") == 0) return SIGRTMAX;
    if (strncasecmp(text, "RTMIN+", 6) == 0 && read_number(text + 6, &number)) {
        return number <= SIGRTMAX - SIGRTMIN ? SIGRTMIN + (int)number : 0;
    }
    for (size_t i = 0; i < sizeof signal_names / sizeof *signal_names; i++) {
        if (strcasecmp(text, signal_names[i].name) == 0) return signal_names[i].number;
    }
    return 0;
}

int value_signal(const char *text, int *signal, char *problem) {
    *signal = find_signal(text);
    if (*signal == 0) return wrong(problem, "isn't a signal: write TERM, SIGTERM or 15");
    if (*signal == SIGSTOP || *signal == SIGTSTP || *signal == SIGTTIN || *signal == SIGTTOU) {
        return wrong(problem, "only pauses a command: choose one that ends it, such as TERM or INT");
    }
    return 0;
}

int value_choice(const char *text, const char *choices, char *problem) {
    size_t length = strlen(text);
    for (const char *choice = choices; choice != NULL;) {
        size_t size = strcspn(choice, "|");
        if (size == length && memcmp(choice, text, size) == 0) return 0;
        choice = choice[size] == '|' ? choice + size + 1 : NULL;
    }
    (void)text_format(problem, VALUES_PROBLEM_SIZE, "must be one of %s", choices);
    return -EINVAL;
}

int value_text(const char *text, int64_t most, char *problem) {
    if (*text == '\0') return wrong(problem, "must not be empty");
    if (strlen(text) > (size_t)most) {
        (void)text_format(problem, VALUES_PROBLEM_SIZE, "must have at most %" PRId64 " bytes", most);
        return -EINVAL;
    }
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) return wrong(problem, "must not hold control characters");
    }
    return 0;
}

/* Tells whether the length bytes at name could name one folder. */
static bool is_name(const char *name, size_t length) {
    if (length == 0 || length > LOCK_NAME_MAX) return false;
    if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'))) return false;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && strchr("._:@+=,-", c) == NULL) return false;
    }
    return true;
}

int value_lock_name(const char *text, char *problem) {
    if (is_name(text, strlen(text))) return 0;
    (void)text_format(problem, VALUES_PROBLEM_SIZE, "must be 1 to %d of %s, without \"/\", and not \".\" or \"..\"",
                      LOCK_NAME_MAX, NAME_CHARACTERS);
    return -EINVAL;
}

int value_prefix(const char *text, char out[PREFIX_SIZE], char *problem) {
    size_t length = strlen(text);
    bool complete = length == 0 || text[length - 1] == '/';
    if (length + (complete ? 0 : 1) > PREFIX_MAX) {
        (void)text_format(problem, VALUES_PROBLEM_SIZE, "must have at most %d bytes, the \"/\" at its end included",
                          PREFIX_MAX);
        return -EINVAL;
    }
    for (const char *folder = text; *folder != '\0';) {
        size_t size = strcspn(folder, "/");
        if (!is_name(folder, size)) {
            (void)text_format(
                problem, VALUES_PROBLEM_SIZE,
                "must be folders such as team/locks/, of %s; no \"/\" in front, no \"//\", \".\" or \"..\"",
                NAME_CHARACTERS);
            return -EINVAL;
        }
        folder += size + (folder[size] == '/' ? 1 : 0);
    }
    return text_format(out, PREFIX_SIZE, "%s%s", text, complete ? "" : "/");
}
