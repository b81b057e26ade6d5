/* Programs that can't be executed; see program.h. */
#include "process/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define BEGINNING_SIZE 256 /* as much as the kernel reads of a "#!" line (BINPRM_BUF_SIZE, execve(2)) */

/* Reads the beginning of a file, terminated. Returns how many bytes, or -1. */
static ssize_t read_beginning(const char *path, char out[BEGINNING_SIZE + 1]) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t got;
    do {
        got = read(fd, out, BEGINNING_SIZE);
    } while (got < 0 && errno == EINTR);
    (void)close(fd);
    if (got >= 0) out[got] = '\0';
    return got;
}

bool program_is_script(const char *path) {
    char beginning[BEGINNING_SIZE + 1];
    ssize_t length = read_beginning(path, beginning);
    if (length < 0) return true; /* then the shell can't read it either, and says so */
    const char *line_end = memchr(beginning, '\n', (size_t)length);
    size_t line = line_end != NULL ? (size_t)(line_end - beginning) : (size_t)length;
    return memchr(beginning, '\0', line) == NULL;
}

/* Finds the file that name means. Returns whether there is one. */
static bool find_file(const char *name, const char *search_path, char out[PATH_MAX]) {
    struct stat status;
    if (strchr(name, '/') != NULL) return text_copy(out, PATH_MAX, name) == 0 && stat(out, &status) == 0;
    for (const char *folder = search_path;; folder++) {
        size_t length = strcspn(folder, ":");
        bool fits = text_format(out, PATH_MAX, "%.*s%s%s", (int)length, folder, length > 0 ? "/" : "", name) == 0;
        if (fits && access(out, X_OK) == 0 && stat(out, &status) == 0 && S_ISREG(status.st_mode)) return true;
        folder += length;
        if (*folder == '\0') return false;
    }
}

/* A file that is there, and yet execve(2) says ENOENT: it is what the file needs that isn't. */
static void explain_missing(char *reason, const char *file) {
    char beginning[BEGINNING_SIZE + 1], interpreter[BEGINNING_SIZE + 1];
    ssize_t length = read_beginning(file, beginning);
    if (length < 2 || memcmp(beginning, "#!", 2) != 0) {
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "can't run %.300s: it is there, but the loader that it names isn't: it was built for another "
                          "system",
                          file);
        return;
    }
    const char *name = beginning + 2 + strspn(beginning + 2, " \t");
    size_t size = strcspn(name, " \t\n");
    bool has_return = memchr(name, '\r', size) != NULL;
    (void)text_format(reason, TEXT_REASON_SIZE, "%.*s", (int)size, name);
    text_copy_printable(interpreter, sizeof interpreter, reason);
    (void)text_format(reason, TEXT_REASON_SIZE, "can't run %.200s: its interpreter %.200s isn't there%s", file,
                      interpreter, has_return ? "; its lines end as on Windows (CRLF)" : "");
}

void program_explain(char *reason, const char *name, const char *search_path, int exec_errno) {
    char file[PATH_MAX];
    if (exec_errno == ENOENT && *name != '\0' && find_file(name, search_path, file)) {
        explain_missing(reason, file);
    } else if (exec_errno == ENOEXEC) {
        (void)text_format(reason, TEXT_REASON_SIZE,
                          "can't run %.300s on this machine: it is no script, and no program of a kind known here",
                          name);
    } else {
        (void)text_format(reason, TEXT_REASON_SIZE, "can't run %.300s: %s", name, strerror(exec_errno));
    }
}
