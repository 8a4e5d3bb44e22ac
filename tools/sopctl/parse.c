#include "parse.h"

#include "status.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 32 /* of a command, where words are compared */

static bool is_flag(const struct option_spec *option)
{
	return option->kind == OPTION_FLAG;
}

static size_t option_count(const struct option_spec *options)
{
	size_t count = 0;

	while (options != NULL && options[count].name != NULL)
		count++;
	return count;
}

static const struct option_value *value_of(const struct option_spec *options,
					   const struct option_value *values, const char *name)
{
	for (size_t i = 0; options != NULL && options[i].name != NULL; i++) {
		if (strcmp(options[i].name, name) == 0)
			return &values[i];
	}
	return NULL;
}

const struct option_value *option_of(const struct invocation *invocation, const char *name)
{
	const struct option_value *value =
		value_of(invocation->command->options, invocation->values, name);

	if (value == NULL) { /* the table lacks what its command asks for: a mistake of ours, which every test meets */
		fprintf(stderr, "sopctl %s: the table lacks --%s\n", invocation->command->name, name);
		abort();
	}
	return value;
}

const struct option_value *shared_option_of(const struct invocation *invocation, const char *name)
{
	return value_of(shared_options, invocation->shared, name);
}

/* Whether `words`, such as "table|json", has `word`. */
static bool has_word(const char *words, const char *word)
{
	const size_t size = strlen(word);

	for (const char *at = words; at != NULL; at = strchr(at, '|')) {
		at += *at == '|';
		if (strncmp(at, word, size) == 0 && (at[size] == '|' || at[size] == '\0') && size > 0)
			return true;
	}
	return false;
}

static int usage_hint(const struct invocation *invocation)
{
	fprintf(invocation->err, "see: sopctl help %s\n", invocation->command->name);
	return EXIT_USAGE;
}

static int set_integer(struct invocation *invocation, const struct option_spec *option,
		       struct option_value *value, const char *text)
{
	char *end;

	errno = 0;
	value->integer = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || value->integer < option->least ||
	    value->integer > option->most) {
		complain(invocation->err, invocation->command->name, SOP_MISUSE,
			 "--%s takes an integer from %lld to %lld, not '%s'", option->name,
			 (long long)option->least, (long long)option->most, text);
		return usage_hint(invocation);
	}
	return EXIT_OK;
}

static int set_option(struct invocation *invocation, const struct option_spec *option,
		      struct option_value *value, const char *text)
{
	value->given = true;
	value->text = text;
	if (option->kind == OPTION_INTEGER)
		return set_integer(invocation, option, value, text);
	if (option->kind == OPTION_WORD && !has_word(option->words, text)) {
		complain(invocation->err, invocation->command->name, SOP_MISUSE,
			 "--%s takes one of %s, not '%s'", option->name, option->words, text);
		return usage_hint(invocation);
	}
	return EXIT_OK;
}

static void set_defaults(const struct option_spec *options, struct option_value *values)
{
	for (size_t i = 0; options != NULL && options[i].name != NULL; i++) {
		values[i].text = options[i].standard;
		if (options[i].kind == OPTION_INTEGER && options[i].standard != NULL)
			values[i].integer = strtoll(options[i].standard, NULL, 10);
	}
}

/* Finds the option that `word` names: --name, --name=value, -x, -xvalue. `attached` receives the value in the word. */
static const struct option_spec *find_option(const struct invocation *invocation, const char *word,
					     struct option_value **value, const char **attached)
{
	const struct option_spec *const lists[] = { invocation->command->options, shared_options };
	struct option_value *const values[] = { invocation->values, invocation->shared };
	const bool longer = word[1] == '-';
	const size_t size = longer ? strcspn(word + 2, "=") : 1;

	for (int list = 0; list < 2; list++) {
		for (size_t i = 0; lists[list] != NULL && lists[list][i].name != NULL; i++) {
			const struct option_spec *option = &lists[list][i];

			if (list == 1 &&
			    ((unsigned)option->least & (invocation->command->takes | 1u << 31)) == 0)
				continue;
			if (longer ? strncmp(option->name, word + 2, size) != 0 || option->name[size] != '\0'
				   : option->letter == '\0' || option->letter != word[1])
				continue;
			*value = &values[list][i];
			*attached = longer ? (word[2 + size] == '=' ? word + 3 + size : NULL)
					   : (word[2] != '\0' ? word + 2 : NULL);
			return option;
		}
	}
	return NULL;
}

/* Takes the option at `words[*at]`, and its value from the next word if need be. */
static int take_option(struct invocation *invocation, size_t count, char *const *words, size_t *at)
{
	const char *word = words[*at];
	struct option_value *value = NULL;
	const char *text = NULL;
	const struct option_spec *option = find_option(invocation, word, &value, &text);
	const char *command = invocation->command->name;

	if (option == NULL) {
		complain(invocation->err, command, SOP_MISUSE,
			 "there is no option '%s'; text that begins with a dash goes behind --", word);
		return usage_hint(invocation);
	}
	if (is_flag(option)) {
		if (text != NULL) {
			complain(invocation->err, command, SOP_MISUSE, "--%s takes no value",
				 option->name);
			return usage_hint(invocation);
		}
		value->given = true;
		return EXIT_OK;
	}
	if (text == NULL && *at + 1 < count)
		text = words[++*at];
	if (text == NULL) {
		complain(invocation->err, command, SOP_MISUSE, "--%s needs a value: %s",
			 option->name, option->argument);
		return usage_hint(invocation);
	}
	return set_option(invocation, option, value, text);
}

static int check_count(struct invocation *invocation)
{
	const struct command *command = invocation->command;

	if (invocation->argument_count >= command->arguments_min &&
	    invocation->argument_count <= command->arguments_max) {
		if (strncmp(command->arguments, "URL", 3) == 0) {
			invocation->url = *invocation->arguments++;
			invocation->argument_count--;
		}
		return EXIT_OK;
	}
	complain(invocation->err, command->name, SOP_MISUSE, "%s arguments; it takes: %s",
		 invocation->argument_count < command->arguments_min ? "too few" : "too many",
		 command->arguments[0] == '\0' ? "none" : command->arguments);
	return usage_hint(invocation);
}

int parse_words(struct invocation *invocation, const struct command *command, size_t count,
		char *const *words)
{
	const char **arguments = memory_of(count, sizeof *arguments);
	bool only_arguments = false;

	invocation->command = command;
	invocation->url = NULL;
	invocation->arguments = arguments;
	invocation->argument_count = 0;
	invocation->values = memory_of(option_count(command->options), sizeof *invocation->values);
	invocation->shared = memory_of(option_count(shared_options), sizeof *invocation->shared);
	set_defaults(command->options, invocation->values);
	for (size_t i = 0; i < count; i++) {
		if (!only_arguments && strcmp(words[i], "--") == 0) {
			only_arguments = true;
		} else if (only_arguments || words[i][0] != '-' || words[i][1] == '\0') {
			arguments[invocation->argument_count++] = words[i];
		} else {
			const int code = take_option(invocation, count, words, &i);

			if (code != EXIT_OK)
				return code;
		}
	}
	return shared_option_of(invocation, "help")->given ? EXIT_OK : check_count(invocation);
}

void parse_free(struct invocation *invocation)
{
	free(invocation->arguments - (invocation->url != NULL));
	free(invocation->values);
	free(invocation->shared);
	invocation->url = NULL;
	invocation->arguments = NULL;
	invocation->values = NULL;
	invocation->shared = NULL;
}

/* The number of single changes (Levenshtein) that make `a` into `b`, both shorter than NAME_BYTES_MAX. */
static size_t changes_between(const char *a, const char *b)
{
	size_t row[NAME_BYTES_MAX + 1];
	const size_t size = strlen(b);

	for (size_t j = 0; j <= size; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < size; j++) {
			const size_t change = corner + (a[i] != b[j]);
			const size_t other = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;

			corner = row[j + 1];
			row[j + 1] = change < other ? change : other;
		}
	}
	return row[size];
}

const char *command_like(const char *word)
{
	const char *best = NULL;
	size_t least = 3; /* more changes are another word */

	if (strlen(word) >= NAME_BYTES_MAX)
		return NULL;
	for (size_t i = 0; commands[i] != NULL; i++) {
		const size_t changes = changes_between(word, commands[i]->name);

		if (changes < least) {
			least = changes;
			best = commands[i]->name;
		}
	}
	return best;
}
