/* Inside the model: sorted arrays of items. */
#ifndef MODEL_ITEMS_H
#define MODEL_ITEMS_H

#include "model/model.h"

struct items *items_new(void);
struct items *items_share(struct items *items);
void items_drop(struct items *items);

/* Makes `*items` a private copy if it is shared. */
void items_own(struct items **items);

void items_insert(struct items *items, size_t index, struct item *item);
void items_remove(struct items *items, size_t from, size_t to);

/* An item in the memory of the case. */
struct item *item_new(struct world *world, const struct item *content);

#endif
