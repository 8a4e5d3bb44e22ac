/* Single values as text, for programs that show keys and take them from people. */
#ifndef SOPI_VALUE_TEXT_H
#define SOPI_VALUE_TEXT_H

#include "base/error.h"

#include <sop/buffer.h>
#include <sop/key.h>

/* As sop_value_parse and sop_value_text, whose arguments have been checked. */
sop_status sopi_value_parse(uint32_t type, sop_bytes text, sop_value *value, sop_error *err);
sop_status sopi_value_text(const sop_value *value, sop_buf *text, sop_error *err);

#endif
