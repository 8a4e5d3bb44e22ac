/* Which bug a test has planted. */
#include "base/plant.h"

#ifdef SOP_TEST_HOOKS
_Atomic int sopi_planted;
#endif
