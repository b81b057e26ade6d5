/* What is wrong with a program that execve(2) refused. Reads the file's beginning; executes nothing. */
#ifndef PROCESS_PROGRAM_H
#define PROCESS_PROGRAM_H

#include <stdbool.h>

/* Returns whether the file at path is a text that a shell may be given as a script, as far as its first line tells:
 * execvp(3) gives a shell whatever the kernel knows no format for, a program for another kind of machine too. Safe
 * between fork(2) and execve(2). */
bool program_is_script(const char *path);

/* Writes a line for people on why name couldn't be run into reason[TEXT_REASON_SIZE]. exec_errno is what execve(2) gave
 * (for a name without a '/': what the search along search_path, a PATH, came to). */
void program_explain(char *reason, const char *name, const char *search_path, int exec_errno);

#endif
