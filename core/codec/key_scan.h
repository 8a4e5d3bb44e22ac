/* Within the codec: sopi_key_split that also tells how many fields the key has. */
#ifndef SOPI_KEY_SCAN_H
#define SOPI_KEY_SCAN_H

#include "base/error.h"
#include "codec/schema.h"

sop_status sopi_key_scan(const struct sopi_schema *schema, sop_bytes key, size_t *count,
			 size_t *sort_size, sop_error *err);

#endif
