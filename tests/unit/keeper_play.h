/* For tests of keeper and guard with real processes. Each scene is played by a process of its own,
 * which becomes a keeper, since keeper_init() changes all of it for good; what a scene leaves
 * behind is found, and fails the test.
 *
 * How to use it: play(scene) from the test; in the scene begin(), start(), until_gone() and their
 * like, and CHECK() in place of cmocka's asserts, which only work in the test's own process. Some
 * of libc's functions are replaced in programs that link this. */
#ifndef UNIT_KEEPER_PLAY_H
#define UNIT_KEEPER_PLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/keeper.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) scene_failed(__FILE__, __LINE__, #condition);                            \
    } while (0)

#define LONG_NS     (60 * NS_PER_S)    /* a lease that ends long after its test */
#define SHORT_NS    (1200 * NS_PER_MS) /* one whose end is waited for */
#define CLOCKS_MOST 16

/* What all processes of a test see, empty at the beginning of each play. */
struct shared {
    pid_t guard;
    pid_t playing;           /* the process that plays */
    int clocks[CLOCKS_MOST]; /* of the timers made by keeper and guard */
    int clock_count;
    int forks;             /* of a command, since a scene or its test set it to 0 */
    bool guard_dies_first; /* right before its command asks to be told of that */
    bool no_fork;          /* in a guard */
    bool seen_through;     /* a scene that is killed has come to its end */
    pid_t untouchable;     /* may not be signalled, as another user's */
    int setup_fails_at;    /* which call of a guard's setting up fails with EPERM; 0: none */
    int stall_ms;          /* so long the guard's next setting of a kernel timer takes */
    int stop_after;        /* so many of these it is stopped; 0: it isn't */
    pid_t frozen;          /* see freeze() */
    bool is_frozen;
    bool press_interrupt; /* Ctrl-C on the terminal of play_on_terminal() */
};

extern struct shared *shared;

typedef void play_scene(struct keeper *keeper);

/* Ends the process that plays, with a line of where. */
void scene_failed(const char *file, int line, const char *condition) __attribute__((noreturn));

/* Setup and teardown of a test. */
int open_stage(void **state);
int close_stage(void **state);

/* Plays scene. Fails the test unless it comes to its end, or is killed by signal where that isn't
 * 0, and nothing that it started lives longer than a moment. */
void play(play_scene *scene, int signal);

/* The same with a controlling terminal. */
void play_on_terminal(play_scene *scene);

/* --- in a scene --- */

/* A command line for the shell, a TTL, a margin and a time to stop in of an eighth of it each. */
struct keeper_options usual(int64_t ttl_ns, const char *script);

/* Becomes a keeper. */
void begin_with(struct keeper *keeper, const struct keeper_options *options);
void begin(struct keeper *keeper, int64_t ttl_ns, const char *script);

/* Starts the command with a lease of the whole TTL from now. Returns when that ends. */
int64_t start(struct keeper *keeper, int64_t token);

/* What the keeper's loop does until something other than a note has come, or for so long. Notes
 * are counted. */
struct keeper_event until_event(struct keeper *keeper);
struct keeper_event next_event(struct keeper *keeper); /* a note, too */
struct keeper_event event_within(struct keeper *keeper, int64_t ns);
extern int notes_heard;

/* Expects the run's end. */
void expect_gone(struct keeper *keeper, enum keeper_end end, int exit_code);

/* What commands wrote into the file "$EAR", once it ends with a newline; forgotten afterwards. */
const char *hear(void);

/* Whether nothing was written there; in the test as well. */
bool nothing_was_heard(void);

/* Waits until so many processes are below pid, directly and indirectly. */
void await_family(pid_t pid, int count);

/* Waits until pid is stopped; until it is gone, or dead and not reaped. */
void await_stopped(pid_t pid);
void await_dead(pid_t pid);
bool is_dead(pid_t pid);

/* Its comm. */
const char *name_of(pid_t pid);

/* Stops pid without its hearing of it, as a debugger does. */
void freeze(pid_t pid);

/* Counts the descriptors of pid. */
int count_descriptors(pid_t pid);

void pause_ms(int ms);

#endif
