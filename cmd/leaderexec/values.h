/* Single values as users write them: flags, durations with limits, signals, names. Knows no option and no default.
 *
 * Each parser returns 0, or -EINVAL with what is wrong, and what would be right, in problem: the part of the line
 * behind the option and its value. */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stdint.h>

#define VALUES_PROBLEM_SIZE 200

#define LOCK_NAME_MAX 128 /* bytes */
#define PREFIX_MAX    512 /* bytes, the slash at its end included */
#define PREFIX_SIZE   (PREFIX_MAX + 1)

/* A variable's way to say a flag: 1, true, yes, on, or 0, false, no, off. */
int value_flag(const char *text, bool *flag, char *problem);

/* A duration (base/text.h) from least to most ms. */
int value_duration(const char *text, int64_t least, int64_t most, int64_t *ms, char *problem);

/* Decimal digits only, from least to most. */
int value_number(const char *text, int64_t least, int64_t most, int64_t *number, char *problem);

/* TERM, SIGTERM, term, 15, RTMIN+3. Refused are signals that only pause what they reach: it would never end. */
int value_signal(const char *text, int *signal, char *problem);

/* One of choices, "one|two|three". */
int value_choice(const char *text, const char *choices, char *problem);

/* Not empty, no control character, at most `most` bytes. */
int value_text(const char *text, int64_t most, char *problem);

/* A lock's name: 1 to LOCK_NAME_MAX of the letters A-Z a-z, digits and . _ : @ + = , - but neither "." nor "..". No
 * space: LEADEREXEC_HOLDS separates by it. No slash: the lock a must not see the slots of a/0. */
int value_lock_name(const char *text, char *problem);

/* Folders within a bucket: "" or names as a lock's with a slash between. It names a folder, so that a slash missing at
 * its end is added ("locks" and "locks/" on two hosts would otherwise be two locks). Writes the result into out. */
int value_prefix(const char *text, char out[PREFIX_SIZE], char *problem);

#endif
