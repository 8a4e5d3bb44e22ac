/* Always-on checks of our own invariants. What a caller may get wrong is a status, never a check.
 * */
#ifndef SOPI_CHECK_H
#define SOPI_CHECK_H

/* Prints the place and the broken invariant on standard error and aborts. */
_Noreturn void sopi_check_failed(const char *file, int line, const char *what);

#define SOPI_CHECK(condition)                                                                      \
	((condition) ? (void)0 : sopi_check_failed(__FILE__, __LINE__, #condition))

#define SOPI_UNREACHABLE() sopi_check_failed(__FILE__, __LINE__, "unreachable")

#define SOPI_LIKELY(x) __builtin_expect(!!(x), 1)
#define SOPI_UNLIKELY(x) __builtin_expect(!!(x), 0)

#endif
