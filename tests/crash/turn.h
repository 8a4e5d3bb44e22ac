/* Threads that take turns: one of them runs, or the test itself, and never two, so that what happens in the middle of
 * something else happens at the same place each time. */
#ifndef CRASH_TURN_H
#define CRASH_TURN_H

#include <stdbool.h>
#include <stddef.h>

struct turn;

enum { TURN_END = 1 << 30 }; /* a stage behind all others */

/* A thread that will run `body`. It waits until it is let go. */
struct turn *turn_new(void (*body)(void *arg), void *arg);

/* Lets it run until it has reached `stage`, or would sleep until another lets it go on; true: it has come to its end
 * instead. For the test's own thread. */
bool turn_go(struct turn *turn, int stage);

/* Lets one that would have slept look again, and run as far as it was to run. */
bool turn_look_again(struct turn *turn);

/* The highest stage that it has reached. */
int turn_stage(const struct turn *turn);

/* In `body`: the stage has been reached, and the test goes on. Passed by stages are no stops, nor is anything on the
 * test's own thread. */
void turn_reached(int stage);

/* Is it the thread that asks? */
bool turn_is(const struct turn *turn);

/* Lets it run to its end, and frees it. Takes NULL. */
void turn_free(struct turn *turn);

/* The same for several, which may wait for each other; they are NULL then. */
void turn_free_all(struct turn **turns, size_t count);

/* From now on the threads of turns stop where they would sleep; and where the test's own thread, which this is, would,
 * `let_go` is to let others go. False: there are none, and it sleeps. NULL: as before. */
void turn_on_sleep(bool (*let_go)(void *arg), void *arg);

#endif
