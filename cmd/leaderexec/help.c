/* --help, made from the table of options; see options.h. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "option_table.h"
#include "options.h"

#define NAMES_WIDTH 30 /* columns before the texts */

static void print_option(FILE *out, const struct option_spec *spec) {
    char names[NAMES_WIDTH * 2], letter[] = "-x, ";
    letter[1] = spec->letter;
    bool has_value = spec->argument != NULL;
    (void)text_format(names, sizeof names, "  %4s--%s%s%s", spec->letter != '\0' ? letter : "", spec->name,
                      has_value ? " " : "", has_value ? spec->argument : "");
    (void)fprintf(out, "%-*s %s", NAMES_WIDTH, names, spec->help);
    if (spec->fallback != NULL) (void)fprintf(out, " [%s]", spec->fallback);
    (void)fputc('\n', out);
}

void options_print_help(FILE *out) {
    (void)fputs(
        "usage: leaderexec [options] [--] COMMAND [ARG...]   run COMMAND while holding a lock\n"
        "       leaderexec status [options]                  who holds it? exit 0 held, 1 free, 125 unknown\n"
        "       leaderexec check [options]                   will a bucket do? exit 0 yes, 1 no, 125 unknown\n\n",
        out);
    for (int id = 0; id < OPTION_COUNT; id++) print_option(out, &option_table[id]);
    (void)fputs("\nDurations: 500ms, 30s, 2m, 1h; a bare number is seconds. Variables: --kill-after is also\n"
                "LEADEREXEC_KILL_AFTER, and so on. COMMAND gets LEADEREXEC_TOKEN, the fencing token.\n"
                "Exit code: COMMAND's own, or 128+N where signal N ended it. 123: leadership was lost. 124: held by\n"
                "another. 125: leaderexec itself failed. 126, 127: COMMAND can't be run, isn't found.\n",
                out);
}
