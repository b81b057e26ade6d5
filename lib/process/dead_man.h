/* The dead man's switch of a run: once keeper or guard has ended, however and even both at once, the kernel kills the
 * command's process group, whoever its users have become, with nobody's help.
 *
 * Socket pairs that nobody ever writes to: the guard holds one end, the keeper the other, and the end of either process
 * hangs up the other's end, whose owner (fcntl(2), F_SETOWN_EX) is the command's group and whose signal is SIGKILL. The
 * owner is a reference of the kernel's, not a number that could be another's later. Two pairs, because one isn't
 * enough: when both processes end at the same instant, each may find the other's end without an owner already. They
 * close their ends one after the other, in opposite orders, so that this can't happen to both pairs.
 *
 * How to use it, in the guard, for each run: dead_man_set(); fork; dead_man_aim() in the new process, before it runs
 * anybody's code; dead_man_let_go() in the guard; dead_man_release() when all is dead. In the keeper: dead_man_forget()
 * when it has heard of that. The keeper's ends lie unread in a socket of its own (the tray, message_pair()), so that
 * they are its from the moment when they are sent, and take no descriptors of its own. */
#ifndef PROCESS_DEAD_MAN_H
#define PROCESS_DEAD_MAN_H

#include <stdbool.h>

#define DEAD_MAN_PAIRS 2

/* The guard's. Only descriptors, close-on-exec, none below 3; 0: none. */
struct dead_man {
    int own[DEAD_MAN_PAIRS];
    int keepers[DEAD_MAN_PAIRS];
};

/* Makes the pairs, without an owner, and sends the keeper's ends into its tray by the guard's end of that. Returns 0,
 * or -errno with nothing left open here. */
int dead_man_set(struct dead_man *dead_man, int tray);

/* From now on the kernel kills the calling process's group (which it must lead), or that process alone. Changes nothing
 * in memory. Returns 0 or -errno. */
int dead_man_aim(const struct dead_man *dead_man, bool group);

/* Closes the keeper's ends here, where they would outlive it. */
void dead_man_let_go(struct dead_man *dead_man);

/* From now on the keeper's end kills nobody. */
void dead_man_release(struct dead_man *dead_man);

/* Closes what is open. Idempotent. */
void dead_man_close(struct dead_man *dead_man);

/* Discards what lies in the keeper's tray. */
void dead_man_forget(int tray);

#endif
