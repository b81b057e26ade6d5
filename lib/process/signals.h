/* Signals and terminal as the program was started with them, and as the keeper wants them (design, section 2 "Signals
 * and terminals"). */
#ifndef PROCESS_SIGNALS_H
#define PROCESS_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* How the program was started. */
struct signals_origin {
    sigset_t mask;
    sigset_t ignored;
    bool terminal;      /* there is a controlling terminal */
    bool leads_session; /* we lead its session */
    bool orphaned;      /* no shell is there to continue our process group when the terminal stops it */
};

/* Notes how the program was started and blocks every signal, so that what comes from now on waits. SIGCHLD's
 * disposition is reset, since an inherited ignore loses exit codes. Returns 0 or -errno. */
int signals_remember(struct signals_origin *origin, int proc);

/* Sets the keeper's dispositions and mask. Returns a descriptor (signalfd) for what the keeper takes, or -errno. */
int signals_take(const struct signals_origin *origin);

/* In a process cloned from one that signals_take() changed, every signal blocked: its dispositions are again those of
 * the start, but for SIGCHLD's. Async-signal-safe. Returns 0 or -errno. */
int signals_give_back(const struct signals_origin *origin);

/* TERM, INT or QUIT. */
bool signals_is_shutdown(int signal);

#endif
