/* Passes a failure on. */
#ifndef SOPCTL_TRY_H
#define SOPCTL_TRY_H

#define TRY(call)                                                                                  \
	do {                                                                                       \
		const sop_status try_status = (call);                                              \
		if (try_status != SOP_OK)                                                          \
			return try_status;                                                         \
	} while (0)

#endif
