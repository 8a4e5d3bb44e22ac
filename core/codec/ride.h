/* Replacing leading ride-along fields by given ones. */
#ifndef SOPI_RIDE_H
#define SOPI_RIDE_H

#include "codec/schema.h"

/* How many bytes of `old` (a ride part) are taken by as many leading fields as `given` has: what an
 * update that gives some ride-along fields replaces. SCHEMA if either is malformed. */
sop_status sopi_ride_replaced(const struct sopi_schema *schema, sop_bytes given, sop_bytes old,
			      size_t *replaced, sop_error *err);

#endif
