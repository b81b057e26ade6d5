/* Words, numbers and times of a transcript's line. Knows nothing of elections. */
#ifndef SCENARIOS_WORDS_H
#define SCENARIOS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_MAX      24
#define WORDS_LINE_MAX 512

/* A line cut at its blanks, read from left to right. Plain values, no deinit. */
struct words {
    char text[WORDS_LINE_MAX];
    char *word[WORDS_MAX];
    size_t count;
    size_t next; /* the word to read next */
};

/* Cuts line into *words; what follows a '#' at a word's start and a blank is a comment. Returns whether it fits. */
bool words_cut(struct words *words, const char *line);

/* The next word, taken; NULL at the end. */
const char *words_take(struct words *words);

/* Takes the next word where it is this one. Returns whether it was. */
bool words_accept(struct words *words, const char *word);

/* Takes the next word and reads it as a whole number or as a duration in ns (as the command line has them, and "us").
 * Returns whether it is one. */
bool words_number(struct words *words, int64_t *number);
bool words_duration_ns(struct words *words, int64_t *ns);

/* The same, of a text. */
bool text_number(const char *text, int64_t *number);
bool text_duration_ns(const char *text, int64_t *ns);

/* Where text is "name=value": the value; else NULL. */
const char *text_value_of(const char *text, const char *name);

/* Writes ns as "10ms" below a second, "2m" or "1h" where it is whole minutes, else exactly in seconds: "30.6s". */
void text_from_ns(char *out, size_t size, int64_t ns);

#endif
