/* The lines of a transcript that say what happens: read, and done to a world.
 *
 *   config NAME=VALUE...              first: ttl, poll, wait (forever, none or a duration), hold, kill-after,
 *                                     request-timeout, retention, on-loss (exit, rejoin), conflict-exit-code,
 *                                     jitter (0% to 99%; 50%, in the middle, unless said)
 *   start                             time is 0
 *   start leading with token N        the same, where slot N - 1 frees the lock and it is won at once, in silence
 *   start behind SLOT CONTENT         the same, where that is the head, listed and read at once (as in show, below)
 *   at TIME                           time passes until then
 *   at TIME lane N ANSWER             the request under way on lane 0, 1 or 2 (trimming) is answered
 *   at TIME both lanes ANSWER         lane 0, then lane 1
 *   at TIME late lane N ANSWER        so is the one before it, which nobody waits for any more
 *   at TIME signal NAME               TERM, INT or QUIT tells us to shut down
 *   at TIME child ends CODE           all of it is gone, and how: by itself or as asked;
 *   at TIME child out of time CODE      stopped by the guard, whose deadline came;
 *   at TIME child without guard CODE    killed by the keeper, for the guard died
 *   at TIME suspend DURATION          the machine sleeps: the lease clock goes on, the wait clock doesn't
 *   until TIME all is quiet           each append is created and each read finds nothing, at once; counted, not told
 *
 * ANSWER: created, exists, unknown, refused, absent, trimmed, or
 *   list nothing [date=T]
 *   list SLOT [vacancy|empty] [modified=T] [previous=SLOT@T] [date=T]      T: the store's clock
 *   show vacancy|unreadable
 *   show #N                                                                our own append of that number
 *   show claim|renew|evict|hold by NODE token N [ttl D] [nonce-0]          nonce-0: its nonce is all zeros */
#ifndef SCENARIOS_SCRIPT_H
#define SCENARIOS_SCRIPT_H

#include "world.h"

/* Where a transcript is: its world, and whether it has been configured and started. */
struct script {
    struct world world;
    bool configured;
    bool started;
};

/* Does what line says. Returns NULL, or what is wrong with the line. */
const char *script_do(struct script *script, const char *line);

#endif
