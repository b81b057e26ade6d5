/* Runs one transcript over the election and holds what it does against what the transcript says.
 *
 *   runner FILE...        exit 0: as written; 1: not so, with the first difference; 2: the transcript itself is wrong,
 *                         or the election did what none may ever do. Ends with the first FILE of which one is true
 *   runner --print FILE   the transcript with what really happens in place of what it says: for a writer, who then
 *                         holds every line against the rules; nothing is written to FILE
 *
 * A line that begins with '#' is a comment, one with '>' is what is expected after the line above, any other is an
 * event (script.h). Nothing may happen that isn't expected. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "words.h"

#define LINES_MAX    600
#define CONTEXT_MOST 6

/* A file's lines, and where the reading is. */
struct transcript {
    const char *path;
    char line[LINES_MAX][WORDS_LINE_MAX];
    size_t count;
    size_t expectations;
};

static int load(struct transcript *transcript, const char *path) {
    transcript->path = path;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -EINVAL;
    }
    while (transcript->count < LINES_MAX && fgets(transcript->line[transcript->count], WORDS_LINE_MAX, file) != NULL) {
        char *line = transcript->line[transcript->count++];
        line[strcspn(line, "\r\n")] = '\0';
    }
    bool whole = !ferror(file) && (feof(file) || fgetc(file) == EOF);
    (void)fclose(file);
    if (whole) return 0;
    fprintf(stderr, "%s: can't be read, or has more than %d lines\n", path, LINES_MAX);
    return -EINVAL;
}

static bool is_comment(const char *line) { return line[0] == '#' || line[strspn(line, " \t")] == '\0'; }

static bool is_expectation(const char *line) { return line[0] == '>'; }

/* What an expectation expects: without the mark and the blanks around it. */
static const char *expected_text(char out[WORDS_LINE_MAX], const char *line) {
    line += 1 + strspn(line + 1, " \t");
    size_t length = strlen(line);
    while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t')) length--;
    memcpy(out, line, length);
    out[length] = '\0';
    return out;
}

/* Prints the first difference, unified: the lines above it, those that are as expected, then - expected, + happened. */
static void print_difference(const struct transcript *t, size_t event, size_t first, size_t after,
                             const struct world *world, size_t same) {
    char text[WORDS_LINE_MAX];
    size_t expected = after - first, from = event > CONTEXT_MOST ? event - CONTEXT_MOST : 0;
    size_t tail = 0;
    while (tail < expected - same && tail < world->lines - same &&
           strcmp(expected_text(text, t->line[after - 1 - tail]), world->line[world->lines - 1 - tail]) == 0) {
        tail++;
    }
    fprintf(stderr, "%s:%zu: not as expected\n", t->path, (same < expected ? first + same : event) + 1);
    for (size_t i = from; i < first + same; i++) fprintf(stderr, "  %s\n", t->line[i]);
    for (size_t i = first + same; i < after - tail; i++) fprintf(stderr, "- %s\n", t->line[i]);
    for (size_t i = same; i < world->lines - tail; i++) fprintf(stderr, "+ > %s\n", world->line[i]);
    for (size_t i = after - tail; i < after; i++) fprintf(stderr, "  %s\n", t->line[i]);
}

/* Holds what happened at the line event against the expectations that follow it, up to after. */
static bool as_expected(struct transcript *t, size_t event, size_t after, const struct world *world) {
    char text[WORDS_LINE_MAX];
    size_t first = event + 1, same = 0;
    t->expectations += after - first;
    while (same < after - first && same < world->lines &&
           strcmp(expected_text(text, t->line[first + same]), world->line[same]) == 0) {
        same++;
    }
    if (same == after - first && same == world->lines) return true;
    print_difference(t, event, first, after, world, same);
    return false;
}

static int run(struct transcript *t, struct script *script, bool print) {
    for (size_t i = 0; i < t->count;) {
        size_t event = i++;
        if (is_comment(t->line[event])) {
            if (print) puts(t->line[event]);
            continue;
        }
        if (is_expectation(t->line[event])) {
            fprintf(stderr, "%s:%zu: an expectation must follow its event at once\n", t->path, event + 1);
            return 2;
        }
        script->world.lines = 0;
        const char *wrong = script_do(script, t->line[event]);
        while (i < t->count && is_expectation(t->line[i])) i++;
        if (print) {
            puts(t->line[event]);
            for (size_t n = 0; n < script->world.lines; n++) printf("> %s\n", script->world.line[n]);
        } else if (!as_expected(t, event, i, &script->world)) {
            if (wrong != NULL) fprintf(stderr, "%s:%zu: %s\n", t->path, event + 1, wrong);
            return 1;
        }
        if (wrong != NULL) {
            fprintf(stderr, "%s:%zu: %s\n", t->path, event + 1, wrong);
            return 2;
        }
    }
    if (print || t->expectations > 0) return 0;
    fprintf(stderr, "%s: expects nothing, so it shows nothing\n", t->path);
    return 2;
}

static int run_file(const char *path, bool print) {
    struct transcript *transcript = calloc(1, sizeof *transcript);
    struct script *script = calloc(1, sizeof *script);
    int code = 2;
    if (transcript == NULL || script == NULL)
        fputs("out of memory\n", stderr);
    else if (load(transcript, path) == 0)
        code = run(transcript, script, print);
    free(transcript);
    free(script);
    return code;
}

int main(int argc, char **argv) {
    bool print = argc == 3 && strcmp(argv[1], "--print") == 0;
    if (argc < 2 || (argc == 2 && argv[1][0] == '-')) {
        fprintf(stderr, "usage: %s FILE... | --print FILE\n", argv[0]);
        return 2;
    }
    if (print) return run_file(argv[2], true);
    int code = 0;
    for (int i = 1; i < argc && code == 0; i++) code = run_file(argv[i], false);
    return code;
}
