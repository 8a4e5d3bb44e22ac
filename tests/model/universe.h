/* The keys of one case, sorted once: the model then compares their numbers instead of their bytes.
 * Keys with a schema are encoded here anew, from the format's description, and compared with sop_key_pack. */
#ifndef MODEL_UNIVERSE_H
#define MODEL_UNIVERSE_H

#include "support/support.h"

enum {
	RIDES_MAX = 3, /* ride-along fields of a schema */
	RIDE_CHOICES = 4, /* values of each that occur; choice 0 is the default */
	RIDE_BYTES_MAX = 64, /* of all ride-along fields of a key together */
	KEY_BYTES_MAX = 65536,
};

/* What the keys of a case look like. */
enum key_kind {
	KEYS_SHORT, /* few letters, the empty key among them */
	KEYS_BINARY, /* any bytes, many 00 and FF */
	KEYS_SHARED, /* long common prefixes, some keys being the prefix of others */
	KEYS_NUMBERS, /* 8 bytes, many of them */
	KEYS_HUGE, /* up to 64 KiB, among short ones */
	KEYS_EMPLOYEE, /* schema: text, time descending, integer; three ride-along fields */
	KEYS_COUNTDOWN, /* schema: integer descending */
	KEYS_TAGS, /* schema: bytes descending, boolean, uuid; one ride-along field */
	KEYS_SCORES, /* schema: float, text descending; two ride-along fields */
	KEY_KINDS
};

/* One string of bytes: a key, or only a bound. */
struct word {
	uint8_t *bytes;
	uint32_t size;
	uint64_t hash;
	bool whole; /* may be the key of an item; else leading fields of such */
};

struct universe {
	enum key_kind kind;
	struct word *words; /* ascending */
	uint32_t count;
	uint32_t *wholes; /* the numbers of the words that are whole, ascending */
	uint32_t whole_count;
	const char *schema_json; /* NULL: raw bytes */
	sop_schema *schema; /* NULL: raw bytes */
	unsigned ride_count;
	struct {
		uint8_t bytes[16];
		uint32_t size;
	} rides[RIDES_MAX][RIDE_CHOICES]; /* encoded */
};

/* Which value each ride-along field has. */
struct ride {
	uint8_t choice[RIDES_MAX];
};

/* Makes about `wanted` keys. Fails the running test if the library encodes one differently. */
void universe_init(struct universe *universe, enum key_kind kind, uint32_t wanted, uint64_t seed);
void universe_free(struct universe *universe);

/* The words that begin with the bytes of word `number`: those from *from to *to - 1. */
void universe_prefix(const struct universe *universe, uint32_t number, uint32_t *from, uint32_t *to);

/* The number of the word with these bytes, or `count` if there is none. */
uint32_t universe_find(const struct universe *universe, sop_bytes bytes);

/* Writes word `number` and its first `given` ride-along fields to `room` (KEY_BYTES_MAX + RIDE_BYTES_MAX); returns the size. */
uint32_t universe_key(const struct universe *universe, uint32_t number, struct ride ride,
		      unsigned given, uint8_t *room);

/* Size and hash of word `number` with all ride-along fields. */
uint32_t universe_whole_size(const struct universe *universe, uint32_t number, struct ride ride);
uint64_t universe_whole_hash(const struct universe *universe, uint32_t number, struct ride ride);

#endif
