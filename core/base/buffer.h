/* Filling a caller's sop_buf. */
#ifndef SOPI_BUFFER_H
#define SOPI_BUFFER_H

#include "base/error.h"

#include <sop/buffer.h>

/* Makes `buf` hold exactly `size` bytes of `data`. NO_MEMORY leaves it as it was. */
sop_status sopi_buf_set(sop_buf *buf, const void *data, size_t size, sop_error *err);

/* Adds `size` bytes of `data` at the end. NO_MEMORY leaves it as it was. */
sop_status sopi_buf_append(sop_buf *buf, const void *data, size_t size, sop_error *err);

/* Room for `size` more bytes behind the end, growing at least by half so that appending costs
 * O(1). */
sop_status sopi_buf_room(sop_buf *buf, size_t size, sop_error *err);

#endif
