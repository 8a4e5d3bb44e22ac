/* Words of the command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

/* The words of `list`, which commas separate. */
inline std::vector<std::string> words_of(const std::string &list)
{
	std::vector<std::string> words;

	for (size_t begin = 0; begin < list.size();) {
		const size_t end = std::min(list.find(',', begin), list.size());

		if (end > begin)
			words.push_back(list.substr(begin, end - begin));
		begin = end + 1;
	}
	return words;
}

/* Whether `name` is one of the words of `list`, or with `prefix` begins with one. Everything is in an empty list. */
inline bool in_list(const std::string &list, const std::string &name, bool prefix)
{
	const std::vector<std::string> words = words_of(list);

	return words.empty() || std::any_of(words.begin(), words.end(), [&](const std::string &word) {
		       return prefix ? name.compare(0, word.size(), word) == 0 : name == word;
	       });
}

/* One option after the other. What is wrong with one ends the program with a message. */
class CommandLine {
public:
	CommandLine(const char *program_name, void (*print_help)(), int argc, char **argv)
	    : program(program_name), help(print_help), at(argv), end(argv + argc)
	{
	}

	/* Goes on to the next option; false at the end. --help is answered here. */
	bool next()
	{
		if (++at >= end)
			return false;
		option = *at;
		if (option == "--help") {
			help();
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
			usage("a value is missing for", option);
		return *++at;
	}

	/* The same, a number that is at least `least`. */
	size_t number(size_t least)
	{
		return to_number(value(), least);
	}

	size_t to_number(const std::string &text, size_t least) const
	{
		char *rest = nullptr;
		const unsigned long long number = std::strtoull(text.c_str(), &rest, 10);

		if (rest == text.c_str() || *rest != 0 || number < least || number > NUMBER_MAX)
			usage("from " + std::to_string(least) + " to " + std::to_string(NUMBER_MAX) + " goes",
			      option);
		return (size_t)number;
	}

	/* The same, NAME=VALUE. */
	std::pair<std::string, std::string> pair()
	{
		const std::string text = value();
		const size_t equals = text.find('=');

		if (equals == std::string::npos)
			usage("NAME=VALUE is what comes behind", option);
		return { text.substr(0, equals), text.substr(equals + 1) };
	}

	[[noreturn]] void unknown() const
	{
		usage("unknown option", option);
	}

private:
	static constexpr size_t NUMBER_MAX = 100000000;

	[[noreturn]] void usage(const std::string &what, const std::string &which) const
	{
		std::fprintf(stderr, "%s: %s %s; see --help\n", program, what.c_str(), which.c_str());
		std::exit(2);
	}

	const char *program;
	void (*help)();
	char **at;
	char **end;
	std::string option;
};

#endif
