/* Blocks, entries and names of the registry's files, byte by byte. */
#include "registry/registry_file.h"

#include "base/bytes.h"
#include "base/crc32c.h"

#include <stdio.h>
#include <string.h>

enum {
	ENTRY_AT_WORDS = 8,
	OWNER_DIGITS = 16,
	NUMBER_DIGITS = 8,
};

/* ---- names */

void sopi_run_path(uint64_t position, char path[SOPI_REGNAME_BYTES])
{
	(void)snprintf(path, SOPI_REGNAME_BYTES, "reg/%016llx.run", (unsigned long long)position);
}

void sopi_segment_path(uint64_t generation, uint64_t number, char path[SOPI_REGNAME_BYTES])
{
	(void)snprintf(path, SOPI_REGNAME_BYTES, "reg/%016llx-%08lx.seg",
		       (unsigned long long)generation, (unsigned long)(uint32_t)number);
}

/* Reads exactly `digits` lower-case hexadecimal digits; NULL: they are not there. */
static const char *parse_hex(const char *text, size_t digits, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < digits; i++) {
		const char c = text[i];

		if (c >= '0' && c <= '9')
			*value = *value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return NULL; /* the NUL included */
	}
	return text + digits;
}

bool sopi_regname_parse(const char *name, bool *run, uint64_t *owner, uint64_t *number)
{
	const char *rest = parse_hex(name, OWNER_DIGITS, owner);

	if (rest == NULL)
		return false;
	*number = 0;
	*run = strcmp(rest, ".run") == 0;
	if (*run)
		return true;
	if (*rest != '-')
		return false;
	rest = parse_hex(rest + 1, NUMBER_DIGITS, number);
	return rest != NULL && strcmp(rest, ".seg") == 0;
}

/* ---- blocks */

sop_status sopi_regplace_corrupt(const struct sopi_regplace *place, const char *what, sop_error *err)
{
	return sopi_fail_file(err, SOP_CORRUPT, place->path, (int64_t)place->offset, 0,
			      "%s at %llu: %s; run verify", place->path,
			      (unsigned long long)place->offset, what);
}

void sopi_regblock_begin(uint8_t *block, const struct sopi_regblock_id *id)
{
	sopi_store_u64le(block + REGBLOCK_AT_OWNER, id->owner);
	sopi_store_u64le(block + REGBLOCK_AT_NUMBER, id->number);
}

static uint32_t block_crc(const uint8_t *block)
{
	const size_t behind = REGBLOCK_AT_CRC + 4;

	return sopi_crc32c(sopi_crc32c(0, block, REGBLOCK_AT_CRC), block + behind,
			   SOPI_BUCKET_BYTES - behind);
}

void sopi_regblock_seal(uint8_t *block, const char *magic)
{
	memcpy(block + REGBLOCK_AT_MAGIC, magic, 4);
	sopi_store_u32le(block + REGBLOCK_AT_CRC, block_crc(block));
}

sop_status sopi_regblock_check_seal(const uint8_t *block, const char *magic,
				    const struct sopi_regplace *place, sop_error *err)
{
	if (memcmp(block + REGBLOCK_AT_MAGIC, magic, 4) != 0)
		return sopi_regplace_corrupt(place,
					     "this is not the kind of block that belongs here", err);
	if (sopi_load_u32le(block + REGBLOCK_AT_CRC) != block_crc(block))
		return sopi_regplace_corrupt(place, "the checksum is wrong", err);
	return SOP_OK;
}

sop_status sopi_reghead_check(const uint8_t *block, const char *magic,
			      const struct sopi_regplace *place, sop_error *err)
{
	uint32_t format = 0;

	SOP_TRY(sopi_regblock_check_seal(block, magic, place, err));
	format = sopi_load_u32le(block + REGHEAD_AT_FORMAT);
	if (format == SOPI_REGISTRY_FORMAT)
		return SOP_OK;
	return sopi_fail_file(err, SOP_UNSUPPORTED, place->path, REGHEAD_AT_FORMAT, 0,
			      "%s has format %u; this version of SOP knows format %d", place->path,
			      (unsigned)format, SOPI_REGISTRY_FORMAT);
}

bool sopi_is_zero(const uint8_t *from, size_t size)
{
	return size == 0 || (from[0] == 0 && memcmp(from, from + 1, size - 1) == 0); /* each is as the one before */
}

sop_status sopi_regblock_check(const uint8_t *block, const struct sopi_regblock_id *id,
			       const struct sopi_regplace *place, sop_error *err)
{
	const size_t count = sopi_load_u16le(block + REGBLOCK_AT_COUNT);
	const size_t behind = REGBLOCK_AT_ENTRIES + count * SOPI_ENTRY_BYTES;

	SOP_TRY(sopi_regblock_check_seal(block, id->magic, place, err));
	if (sopi_load_u64le(block + REGBLOCK_AT_OWNER) != id->owner ||
	    sopi_load_u64le(block + REGBLOCK_AT_NUMBER) != id->number)
		return sopi_regplace_corrupt(place, "the block belongs somewhere else", err);
	if (count > SOPI_REGBLOCK_ENTRIES_MAX)
		return sopi_regplace_corrupt(place, "the block has too many entries", err);
	if (!sopi_is_zero(block + behind, SOPI_BUCKET_BYTES - behind))
		return sopi_regplace_corrupt(place, "something follows the last entry", err);
	return SOP_OK;
}

/* ---- entries */

const char *sopi_entry_problem(const struct sopi_registry_entry *entry)
{
	const enum sopi_key_kind kind = sopi_registry_kind(entry->key);

	if (!entry->removed && kind != SOPI_KEY_STORE &&
	    (entry->words[1] > UINT32_MAX || entry->words[2] > UINT32_MAX))
		return "a blob's offset and length have 32 bits each";
	return NULL;
}

void sopi_entry_store(uint8_t *block, size_t index, const struct sopi_registry_entry *entry)
{
	uint8_t *to = block + REGBLOCK_AT_ENTRIES + index * SOPI_ENTRY_BYTES;

	sopi_store_u64le(to, entry->key);
	for (size_t i = 0; i < 4; i++)
		sopi_store_u64le(to + ENTRY_AT_WORDS + i * 8, entry->removed ? 0 : entry->words[i]);
}

uint64_t sopi_entry_key(const uint8_t *block, size_t index)
{
	return sopi_load_u64le(block + REGBLOCK_AT_ENTRIES + index * SOPI_ENTRY_BYTES);
}

bool sopi_entry_load(const uint8_t *block, size_t index, struct sopi_registry_entry *entry)
{
	const uint8_t *from = block + REGBLOCK_AT_ENTRIES + index * SOPI_ENTRY_BYTES;

	entry->key = sopi_load_u64le(from);
	entry->removed = false;
	for (size_t i = 0; i < 4; i++)
		entry->words[i] = sopi_load_u64le(from + ENTRY_AT_WORDS + i * 8);
	return sopi_entry_problem(entry) == NULL;
}
