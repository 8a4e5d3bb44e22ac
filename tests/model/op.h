/* One operation as data: the same operation is done on the library and on the model, may be done again on the model
 * after another transaction has committed, and may be left out when a failing case is shrunk. */
#ifndef MODEL_OP_H
#define MODEL_OP_H

#include "model/universe.h"
#include "model/value.h"

#include <stdio.h>

enum {
	NAMES = 5, /* store names that occur */
	WRITERS = 2, /* transactions that write, open side by side */
	READERS = 3, /* transactions that only read and stay open for long */
	CONTEXTS = WRITERS + READERS,
	CURSORS = 3, /* of each transaction */
	SAVEPOINTS = 4, /* remembered at the same time */
	ROWS_MAX = 8, /* of put_many */
	KEYS_MANY_MAX = 24, /* of get_many */
};

enum op_kind {
	OP_GET,
	OP_FETCH,
	OP_GET_MANY,
	OP_COUNT,
	OP_PUT,
	OP_INSERT,
	OP_UPDATE,
	OP_REMOVE,
	OP_SET_RIDE,
	OP_ADD,
	OP_MIN,
	OP_MAX,
	OP_REMOVE_RANGE,
	OP_PUT_MANY,
	OP_CURSOR_OPEN,
	OP_CURSOR_FREE,
	OP_SEEK,
	OP_FIRST,
	OP_LAST,
	OP_NEXT,
	OP_PREV,
	OP_ENTRY,
	OP_CURSOR_UPDATE,
	OP_CURSOR_REMOVE,
	OP_CURSOR_FETCH,
	OP_CREATE,
	OP_DROP,
	OP_RENAME,
	OP_LIST,
	OP_DESCRIBE,
	OP_SAVEPOINT,
	OP_ROLLBACK_TO,
	OP_BAD_KEY, /* SCHEMA, where keys have one */
	/* what follows is not repeated when a commit is checked: it ends a transaction or is none */
	OP_COMMIT,
	OP_ROLLBACK,
	OP_READ, /* sop_read and sop_approx_count */
	OP_COMPARE, /* everything that the transaction sees */
	OP_VERIFY,
	OP_KINDS
};

struct op {
	uint8_t kind; /* an op_kind */
	uint8_t context;
	uint8_t store; /* number of a name */
	uint8_t to; /* number of another name; cursor; savepoint; sop_put_how */
	uint8_t which; /* 0: the oldest item of the key, else the which-th, or none */
	uint8_t ride_given; /* so many leading ride-along fields are in the key */
	struct ride ride;
	uint32_t key; /* a word */
	uint32_t key2;
	uint32_t n; /* repetitions, rows, bytes of room, sop_seek */
	uint32_t flags; /* SOP_RANGE_...; CURSOR_FLAGS_SHIFT: SOP_CURSOR_...; ROWS_FLAGS_SHIFT: SOP_ROWS_... */
	struct value value;
	uint64_t seed; /* of everything that does not fit above */
};

enum { CURSOR_FLAGS_SHIFT = 8, ROWS_FLAGS_SHIFT = 12 };

/* What only the library can know, or what depends on the state: found when the operation is done first. */
struct hint {
	uint64_t item; /* item id: named by the operation, or given by an insertion */
	uint64_t n; /* rows that a fetch returned */
	uint64_t rows[ROWS_MAX]; /* item ids given to rows of put_many, or named by them */
};

/* One row of OP_PUT_MANY, made from the seed of the operation. */
struct row {
	uint32_t key;
	uint8_t ride_given;
	uint8_t which; /* of the items of the key, as in an operation */
	struct ride ride;
	struct value value;
};

/* Answers are compared as lists of words; every word has a label for the report. */
struct answer {
	struct token {
		const char *label;
		uint64_t word;
	} * tokens;
	size_t count;
	size_t capacity;
};

void answer_clear(struct answer *answer);
void say(struct answer *answer, const char *label, uint64_t word);
bool answers_equal(const struct answer *left, const struct answer *right);
/* Of all that a commit validates. */
uint64_t answer_hash(const struct answer *answer);

/* Prints two answers side by side from their first difference on. */
void answers_print(FILE *to, const struct answer *library, const struct answer *model);

/* How a case makes its operations. */
struct mix {
	uint32_t sizes[12]; /* value sizes, each as likely */
	unsigned size_count;
	uint32_t rare_size; /* once in 200: up to so many bytes */
	unsigned patience; /* one commit in so many is done: transactions are as much longer */
	bool catalog; /* drops and renames occur */
	bool duplicates;
};

/* Makes the operation with number `index` of a case. */
void op_make(struct op *op, const struct universe *universe, const struct mix *mix,
	     struct test_rng *rng, uint32_t index);

/* One word in eight holds integers only, so that atomic operations find some: makes `value` one if `word` is such. */
bool word_is_counter(uint32_t word);
void value_for_word(struct value *value, uint32_t word);

/* The rows of an OP_PUT_MANY; returns how many. */
unsigned op_rows(const struct op *op, const struct universe *universe, const struct mix *mix,
		 struct row rows[ROWS_MAX]);

/* The keys of an OP_GET_MANY; returns how many. */
unsigned op_keys(const struct op *op, const struct universe *universe, uint32_t keys[KEYS_MANY_MAX]);

/* Whether the rows of an OP_PUT_MANY name items by id. */
bool op_names_items(const struct op *op, const struct mix *mix);

bool op_writes(const struct op *op);
bool op_uses_cursor(const struct op *op);

/* Whether the operation reads nothing: an overlapping transaction of such operations alone cannot conflict. */
bool op_is_blind(const struct op *op);

const char *op_name(unsigned kind);
void op_print(FILE *to, uint32_t index, const struct op *op);

#endif
