/* Runs that may go wrong, each in a process of its own, since a broken engine may abort. */
#ifndef CRASH_CHILD_H
#define CRASH_CHILD_H

#include "crash/base.h"

/* False: something is wrong, and `words` say what. */
typedef bool (*child_body)(void *arg, char words[WORDS]);

/* Runs `body` in a child in which the bug `planted` is. True: it found that something is wrong, or was killed by it;
 * `words` say what. */
bool child_finds(int planted, child_body body, void *arg, char words[WORDS]);

#endif
