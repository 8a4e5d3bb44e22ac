/* What sop_verify found, as JSON: docs/exec.md, "sopctl verify". */
#ifndef SOPCTL_PROBLEM_H
#define SOPCTL_PROBLEM_H

#include <sop/stats.h>

/* Appends `problem` as an object; what does not apply is left out. */
void problem_write(const sop_problem *problem, sop_buf *out);

#endif
