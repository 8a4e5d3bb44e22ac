/* What the command lines of the benchmarks have in common. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <algorithm>
#include <cstddef>
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

#endif
