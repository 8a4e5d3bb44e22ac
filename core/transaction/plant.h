/* The planted bugs of the engine; see base/plant.h. */
#ifndef SOPI_TRANSACTION_PLANT_H
#define SOPI_TRANSACTION_PLANT_H

#include "base/plant.h"

#endif
