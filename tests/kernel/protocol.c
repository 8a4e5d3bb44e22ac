/* Keys, values and stores of the transactions that are killed. */
#include "kernel/protocol.h"

#include <stdio.h>
#include <string.h>

const char *const store_names[STORE_COUNT] = { "east", "west", "journal", "notebook" };

static void put_u32(uint8_t *at, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(number >> (24 - 8 * i));
}

sop_bytes account_key(uint32_t account, uint8_t room[ACCOUNT_KEY_BYTES])
{
	put_u32(room, account);
	return (sop_bytes){ room, ACCOUNT_KEY_BYTES };
}

sop_bytes journal_key(const struct message *m, uint8_t room[JOURNAL_KEY_BYTES])
{
	put_u32(room, m->session);
	put_u32(room + 4, m->thread);
	put_u32(room + 8, m->sequence);
	return (sop_bytes){ room, JOURNAL_KEY_BYTES };
}

sop_bytes note_key(uint32_t thread, uint32_t note, uint8_t room[NOTE_KEY_BYTES])
{
	put_u32(room, thread);
	put_u32(room + 4, note);
	return (sop_bytes){ room, NOTE_KEY_BYTES };
}

void transaction_id(const struct message *m, uint8_t id[16])
{
	memcpy(id, "KILL", 4);
	(void)journal_key(m, id + 4);
}

void fill_value(const struct message *m, void *bytes, uint32_t size)
{
	uint64_t state = ((uint64_t)m->session << 40) ^ ((uint64_t)m->thread << 32) ^ m->sequence;
	uint8_t *at = bytes;

	for (uint32_t done = 0; done < size; done += 8) {
		uint64_t word = state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64 */

		word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
		word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
		word ^= word >> 31;
		memcpy(at + done, &word, size - done < 8 ? size - done : 8);
	}
}

sop_status declare_stores(sop_db *db, sop_store *stores[STORE_COUNT], sop_error *err)
{
	for (int i = 0; i < STORE_COUNT; i++) {
		const sop_bytes name = { store_names[i], strlen(store_names[i]) };
		const sop_status status = sop_store_open(db, name, NULL, &stores[i], err);

		if (status != SOP_OK)
			return status;
	}
	return SOP_OK;
}

sop_status declare_shelf(sop_db *db, uint32_t thread, sop_store **shelf, sop_error *err)
{
	char name[32];
	const int size = snprintf(name, sizeof name, "shelf %u", (unsigned)thread);

	return sop_store_open(db, (sop_bytes){ name, (size_t)size }, NULL, shelf, err);
}
