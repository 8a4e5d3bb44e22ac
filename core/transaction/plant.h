/* The planted bugs of the engine; see btree/plant.h, which the lower layers include. */
#ifndef SOPI_TRANSACTION_PLANT_H
#define SOPI_TRANSACTION_PLANT_H

#include "btree/plant.h"

#endif
