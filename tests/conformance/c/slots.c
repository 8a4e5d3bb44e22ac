/* What is in the slots of the machine, and how it is released. */
#include "machine.h"

#include <string.h>

sop_status closed(struct call *call)
{
	call->err.status = SOP_CLOSED;
	call->err.traits = sop_status_traits(SOP_CLOSED);
	return SOP_CLOSED;
}

static size_t slot_of(struct call *call, size_t arg, size_t limit)
{
	const int64_t slot = call->args[arg].number;

	if (slot < 0 || (uint64_t)slot >= limit)
		bug("%s: there is no slot %lld", call->operation->name, (long long)slot);
	return (size_t)slot;
}

sop_status use_db(struct call *call, size_t arg, struct db_slot **out)
{
	*out = &call->machine->dbs[slot_of(call, arg, DATABASES)];
	return (*out)->db == NULL ? NO_SLOT : SOP_OK;
}

sop_status use_txn(struct call *call, size_t arg, sop_txn **out)
{
	struct txn_slot *slot = &call->machine->txns[slot_of(call, arg, TXNS)];

	*out = call->txn = slot->txn;
	if (slot->shut)
		return closed(call);
	return slot->txn == NULL ? NO_SLOT : SOP_OK;
}

sop_status use_cursor(struct call *call, struct cursor_slot **out)
{
	const size_t slot = slot_of(call, 0, CURSORS);

	*out = &call->machine->cursors[slot];
	call->txn = call->machine->txns[slot / CURSORS_OF_ONE].txn;
	if ((*out)->shut)
		return closed(call);
	return (*out)->cursor == NULL ? NO_SLOT : SOP_OK;
}

sop_store *store_of(struct call *call, size_t txn_or_db_arg, size_t store_arg)
{
	const bool by_txn = call->operation->args[txn_or_db_arg] == 'X';
	const size_t slot = slot_of(call, txn_or_db_arg, by_txn ? TXNS : DATABASES);
	const size_t store = slot_of(call, store_arg, STORES);

	return call->machine->dbs[by_txn ? slot / TXNS_OF_ONE : slot].stores[store];
}

void cursor_release(struct cursor_slot *slot)
{
	sop_cursor_free(slot->cursor);
	memset(slot, 0, sizeof *slot);
}

void txn_release(struct machine *machine, size_t slot)
{
	struct txn_slot *txn = &machine->txns[slot];

	for (size_t i = 0; i < CURSORS_OF_ONE; i++)
		cursor_release(&machine->cursors[slot * CURSORS_OF_ONE + i]);
	sop_txn_free(txn->txn);
	memset(txn, 0, sizeof *txn);
}

void children_release(struct machine *machine, size_t db)
{
	for (size_t i = 0; i < TXNS_OF_ONE; i++)
		txn_release(machine, db * TXNS_OF_ONE + i);
}

void machine_clear(struct machine *machine)
{
	for (size_t i = 0; i < DATABASES; i++) {
		children_release(machine, i);
		for (size_t store = 0; store < STORES; store++)
			sop_store_free(machine->dbs[i].stores[store]);
		sop_db_free(machine->dbs[i].db);
		memset(&machine->dbs[i], 0, sizeof machine->dbs[i]);
	}
	stacks_clear(machine);
}
