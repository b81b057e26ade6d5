/* leaderexec status: who holds the lock, by one listing and a read or two. Writes nothing to the log and takes no part
 * in the election. */
#ifndef STATUS_H
#define STATUS_H

struct log;
struct options;

/* Prints the lock's state on stdout, one line or one JSON object. Returns the exit code: 0 held or on hold, 1 expired
 * or free, 125 unknown, with the reason in log. */
int status_command(const struct options *options, char *const *environment, const struct log *log);

#endif
