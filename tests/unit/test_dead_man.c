/* The dead man's switch by itself: who ends, and in what order, is played with descriptors that are closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "process/dead_man.h"
#include "process/message.h"

#define QUIET_MS    50
#define PATIENCE_MS 3000

/* The keeper's and the guard's end of the tray, the guard's switch, and the group: a leader and its child. */
struct scene {
    int trays[2];
    struct dead_man dead_man;
    pid_t leader, member;
};

static void live_on(void) {
    (void)close_range(3, ~0U, 0);
    for (;;) (void)pause();
}

/* In a new process: the command, and what it started. Never returns. */
static void become_group(const struct scene *scene, bool group, int ready) {
    (void)setpgid(0, 0);
    pid_t member = fork();
    if (member == 0) live_on();
    if (dead_man_aim(&scene->dead_man, group) != 0) _exit(EXIT_FAILURE);
    if (write(ready, &member, sizeof member) != (ssize_t)sizeof member) _exit(EXIT_FAILURE);
    live_on();
}

static struct scene *begin(struct scene *scene, bool group) {
    int ready[2];
    assert_int_equal(message_pair(scene->trays), 0);
    assert_int_equal(dead_man_set(&scene->dead_man, scene->trays[1]), 0);
    assert_int_equal(pipe(ready), 0);
    scene->leader = fork();
    if (scene->leader == 0) become_group(scene, group, ready[1]);
    assert_int_equal(read(ready[0], &scene->member, sizeof scene->member), sizeof scene->member);
    (void)close(ready[0]);
    (void)close(ready[1]);
    dead_man_let_go(&scene->dead_man);
    return scene;
}

static void keeper_ends(struct scene *scene) {
    (void)close(scene->trays[0]);
    scene->trays[0] = -1;
}

static void guard_ends(struct scene *scene) { dead_man_close(&scene->dead_man); }

static void end(struct scene *scene) {
    dead_man_close(&scene->dead_man);
    (void)close(scene->trays[0]);
    (void)close(scene->trays[1]);
    if (scene->leader > 0) (void)kill(scene->leader, SIGKILL);
    if (scene->member > 0) (void)kill(scene->member, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) continue;
    *scene = (struct scene){.trays = {-1, -1}};
}

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    *state = scene;
    return scene != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    end(*state);
    free(*state);
    return 0;
}

static void pause_ms(long ms) {
    struct timespec pause = {.tv_nsec = ms * 1000000};
    (void)nanosleep(&pause, NULL);
}

static void expect_killed(pid_t pid) {
    int status = 0;
    pid_t got = 0;
    for (int tries = 0; tries < PATIENCE_MS && got == 0; tries++) {
        got = waitpid(pid, &status, WNOHANG);
        if (got == 0) pause_ms(1);
    }
    assert_int_equal(got, pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void expect_alive(pid_t pid) {
    pause_ms(QUIET_MS);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
}

static void the_group_dies_with_the_keeper(void **state) {
    struct scene *scene = begin(*state, true);
    expect_alive(scene->leader);
    keeper_ends(scene);
    expect_killed(scene->leader);
    expect_killed(scene->member); /* ours by now */
}

static void the_group_dies_with_the_guard(void **state) {
    struct scene *scene = begin(*state, true);
    guard_ends(scene);
    expect_killed(scene->leader);
    expect_killed(scene->member);
}

static void one_alone_dies_where_it_shares_its_group(void **state) {
    struct scene *scene = begin(*state, false);
    guard_ends(scene);
    expect_killed(scene->leader);
    expect_alive(scene->member);
}

static void nobody_dies_once_the_run_is_over(void **state) {
    struct scene *scene = begin(*state, true);
    dead_man_release(&scene->dead_man);
    dead_man_forget(scene->trays[0]);
    guard_ends(scene);
    keeper_ends(scene);
    expect_alive(scene->leader);
}

static void the_next_run_kills_none_of_the_last(void **state) {
    struct scene *scene = begin(*state, true);
    dead_man_release(&scene->dead_man);
    dead_man_forget(scene->trays[0]);
    assert_int_equal(dead_man_set(&scene->dead_man, scene->trays[1]), 0);
    guard_ends(scene);
    expect_alive(scene->leader);
}

/* What is left where both found the first pair's other end without an owner. */
static void each_pair_is_enough(void **state) {
    for (int lost = 0; lost < DEAD_MAN_PAIRS; lost++) {
        struct scene *scene = begin(*state, true);
        assert_int_equal(fcntl(scene->dead_man.own[lost], F_SETFL, 0), 0);
        keeper_ends(scene);
        expect_killed(scene->leader);
        end(scene);
    }
}

/* Takes the descriptor that lies in the tray. */
static int take(int tray) {
    char byte;
    int fd;
    struct iovec content = {.iov_base = &byte, .iov_len = sizeof byte};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof fd)];
    } control;
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
    assert_int_equal(recvmsg(tray, &message, MSG_DONTWAIT), 1);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

static void they_are_closed_in_opposite_orders(void **state) {
    struct scene *scene = begin(*state, true);
    const int *own = scene->dead_man.own;
    dead_man_release(&scene->dead_man);
    for (int i = 1; i < DEAD_MAN_PAIRS; i++) assert_true(own[i - 1] < own[i]);
    for (int i = DEAD_MAN_PAIRS - 1; i >= 0; i--) {
        int keepers = take(scene->trays[0]);
        char byte;
        assert_int_equal(fcntl(keepers, F_SETFL, 0), 0);
        assert_int_equal(send(own[i], "x", 1, MSG_DONTWAIT), 1);
        assert_int_equal(recv(keepers, &byte, 1, MSG_DONTWAIT), 1);
        (void)close(keepers);
    }
}

static int become_subreaper(void **state) {
    (void)state;
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_group_dies_with_the_keeper, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_group_dies_with_the_guard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_alone_dies_where_it_shares_its_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_dies_once_the_run_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_run_kills_none_of_the_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_pair_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_are_closed_in_opposite_orders, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, become_subreaper, NULL);
}
