/* What the command lines of the benchmarks have in common. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>

/* Whether `name` is one of the words of `list`, which commas separate, or with `prefix` begins with
 * one. Everything is in an empty list. */
inline bool in_list(const std::string &list, const std::string &name, bool prefix)
{
	size_t begin = 0;

	if (list.empty())
		return true;
	while (begin <= list.size()) {
		const size_t end = std::min(list.find(',', begin), list.size());
		const std::string word = list.substr(begin, end - begin);

		if (prefix ? !word.empty() && name.compare(0, word.size(), word) == 0 : name == word)
			return true;
		begin = end + 1;
	}
	return false;
}

/* Reads a number from `least` to `most`; false if `text` is none. */
inline bool to_number(const char *text, size_t least, size_t most, size_t *number)
{
	char *end = nullptr;

	*number = (size_t)std::strtoull(text, &end, 10);
	return end != text && *end == 0 && *number >= least && *number <= most;
}

/* The words of a command line, one after the other. What is wrong with one ends the program with a message and its help. */
class CommandLine {
public:
	CommandLine(const char *program_name, const char *help_text, int argc, char **argv)
	    : program(program_name), help(help_text), at(argv), end(argv + argc)
	{
	}

	/* Goes on to the next option; false at the end. --help is answered here. */
	bool next()
	{
		if (++at >= end)
			return false;
		option = *at;
		if (option == "--help") {
			std::fputs(help, stdout);
			std::exit(0);
		}
		return true;
	}

	bool is(const char *name) const
	{
		return option == name;
	}

	/* The word behind the option. */
	const char *value()
	{
		if (at + 1 == end)
			usage("a value is missing for", option.c_str());
		return *++at;
	}

	/* The same, a number that is at least `least`. */
	size_t number(size_t least)
	{
		size_t number;

		if (!to_number(value(), least, 100000000, &number))
			usage("not a sensible number for", option.c_str());
		return number;
	}

	[[noreturn]] void unknown() const
	{
		usage("unknown option", option.c_str());
	}

private:
	[[noreturn]] void usage(const char *what, const char *which) const
	{
		std::fprintf(stderr, "%s: %s %s\n%s", program, what, which, help);
		std::exit(2);
	}

	const char *program;
	const char *help;
	char **at;
	char **end;
	std::string option;
};

#endif
