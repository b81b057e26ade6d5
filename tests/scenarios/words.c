/* Words of a transcript's line; see words.h. */
#include "words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

bool words_cut(struct words *words, const char *line) {
    memset(words, 0, sizeof *words);
    if (text_copy(words->text, sizeof words->text, line) != 0) return false;
    char *rest = NULL;
    for (char *w = strtok_r(words->text, " \t\r\n", &rest); w != NULL; w = strtok_r(NULL, " \t\r\n", &rest)) {
        if (strcmp(w, "#") == 0) break;
        if (words->count == WORDS_MAX) return false;
        words->word[words->count++] = w;
    }
    return true;
}

const char *words_take(struct words *words) { return words->next < words->count ? words->word[words->next++] : NULL; }

bool words_accept(struct words *words, const char *word) {
    if (words->next == words->count || strcmp(words->word[words->next], word) != 0) return false;
    words->next++;
    return true;
}

bool text_number(const char *text, int64_t *number) {
    char *end = NULL;
    if (text == NULL || text[0] < '0' || text[0] > '9') return false;
    *number = strtoll(text, &end, 10);
    return *end == '\0';
}

/* "us" is the transcripts' own: the program's users have no such thing. */
static bool microseconds(const char *text, int64_t *ns) {
    char number[32];
    size_t length = strlen(text);
    if (length < 3 || length - 2 >= sizeof number || strcmp(text + length - 2, "us") != 0) return false;
    memcpy(number, text, length - 2);
    number[length - 2] = '\0';
    if (!text_number(number, ns)) return false;
    *ns *= 1000;
    return true;
}

bool text_duration_ns(const char *text, int64_t *ns) {
    int64_t ms;
    if (text != NULL && microseconds(text, ns)) return true;
    if (text == NULL || text_parse_duration(text, &ms) != 0) return false;
    *ns = ms * NS_PER_MS;
    return true;
}

bool words_number(struct words *words, int64_t *number) { return text_number(words_take(words), number); }

bool words_duration_ns(struct words *words, int64_t *ns) { return text_duration_ns(words_take(words), ns); }

const char *text_value_of(const char *text, const char *name) {
    size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && text[length] == '=' ? text + length + 1 : NULL;
}

void text_from_ns(char *out, size_t size, int64_t ns) {
    int64_t whole_s = ns / NS_PER_S, rest_ns = ns % NS_PER_S;
    if (ns >= 0 && (ns < NS_PER_S || ns % (60 * NS_PER_S) == 0) && ns % NS_PER_MS == 0) {
        text_format_duration(out, size, ns / NS_PER_MS);
        return;
    }
    char fraction[16] = "";
    if (rest_ns != 0) (void)text_format(fraction, sizeof fraction, ".%09" PRId64, rest_ns < 0 ? -rest_ns : rest_ns);
    for (size_t last = strlen(fraction); last > 1 && fraction[last - 1] == '0'; last--) fraction[last - 1] = '\0';
    (void)text_format(out, size, "%s%" PRId64 "%ss", ns < 0 ? "-" : "", whole_s < 0 ? -whole_s : whole_s, fraction);
}
