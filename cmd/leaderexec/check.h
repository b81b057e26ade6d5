/* leaderexec check: whether a lock can be kept in a bucket or a directory, found out by trying, in a lock of its own
 * that is gone afterwards. */
#ifndef CHECK_H
#define CHECK_H

struct log;
struct options;

/* Prints a line an item, or one JSON object, on stdout; blocks signals. Returns the exit code: 0 all is well, with or
 * without warnings; 1 no lock can be kept there; 125 it couldn't be found out, with the reason in log; 128 + N where
 * signal N ended it. */
int check_command(const struct options *options, char *const *environment, const struct log *log);

#endif
