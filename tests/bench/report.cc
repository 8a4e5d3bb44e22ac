#include "report.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace {

using Values = std::map<std::string, std::vector<double>>; /* by engine, by repetition */

double median(std::vector<double> values)
{
	if (values.empty())
		return 0;
	std::sort(values.begin(), values.end());
	const size_t half = values.size() / 2;

	return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double median_of(const Values &values, const std::string &engine)
{
	const auto found = values.find(engine);

	return found != values.end() ? median(found->second) : 0;
}

/* The median, over repetitions, of how many times the subject is better than the best of the others; 0 if there are
 * none. */
double ratio_to_best(const Values &values, const std::string &subject, bool more_is_better)
{
	const auto mine = values.find(subject);
	std::vector<double> ratios;

	for (size_t i = 0; mine != values.end() && i < mine->second.size(); i++) {
		double best = 0;

		for (const auto &[engine, theirs] : values) {
			if (engine == subject || i >= theirs.size())
				continue;
			const bool better = more_is_better ? theirs[i] > best : theirs[i] < best;

			best = best <= 0 || better ? theirs[i] : best;
		}
		if (best > 0 && mine->second[i] > 0)
			ratios.push_back(more_is_better ? mine->second[i] / best
							: best / mine->second[i]);
	}
	return median(ratios);
}

std::string formatted(const char *format, double value)
{
	char text[64];

	std::snprintf(text, sizeof text, format, value);
	return text;
}

/* 1234567 -> "1.23 M", 1234 -> "1.2 k" */
std::string human(double value)
{
	if (value <= 0)
		return "-";
	if (value >= 1e6)
		return formatted("%.2f M", value / 1e6);
	if (value >= 1e5)
		return formatted("%.0f k", value / 1e3);
	return value >= 1e3 ? formatted("%.1f k", value / 1e3) : formatted("%.3g", value);
}

std::string ratio(double value)
{
	return value > 0 ? formatted("%.2f", value) : "-";
}

/* The medians of all engines, and the ratio. */
void line(const Options &options, const char *what, const Values &values, bool more_is_better)
{
	std::printf("%s", what);
	for (const auto &engine : options.engines)
		std::printf(" %10s", human(median_of(values, engine.name)).c_str());
	std::printf(" %8s\n",
		    ratio(ratio_to_best(values, options.engines[0].name, more_is_better)).c_str());
}

void heading(const Options &options, const char *what, int width)
{
	std::printf("\n%-*s", width, what);
	for (const auto &engine : options.engines)
		std::printf(" %10s", engine.name);
	std::printf(" %8s\n", "ratio");
}

void curve_heading(const std::vector<Results> &runs, const std::string &what)
{
	std::printf("\n%s\n%-46s", what.c_str(), "");
	for (const auto &run : runs)
		std::printf(" %12zu", run.items);
	std::printf("\n");
}

/* ---- JSON */

std::string quoted(const std::string &text)
{
	std::string quoted = "\"";

	for (const char c : text) {
		if (c == '"' || c == '\\')
			quoted += '\\';
		if ((unsigned char)c >= ' ')
			quoted += c;
	}
	return quoted + '"';
}

void json_values(std::FILE *file, const Values &values)
{
	const char *comma = "";

	std::fprintf(file, "{");
	for (const auto &[engine, of] : values) {
		std::fprintf(file, "%s%s:[", comma, quoted(engine).c_str());
		for (size_t i = 0; i < of.size(); i++)
			std::fprintf(file, "%s%.10g", i > 0 ? "," : "", of[i]);
		std::fprintf(file, "]");
		comma = ",";
	}
	std::fprintf(file, "}");
}

void json_run(std::FILE *file, const Results &run, const std::string &subject)
{
	const char *comma = "";

	std::fprintf(file, "{\"items\":%zu,\"rows\":[", run.items);
	for (const auto &row : run.rows) {
		std::fprintf(file, "%s\n{\"name\":%s,\"threads\":%d,\"unit\":%s,\"ratio\":%.4f,\"rates\":",
			     comma, quoted(row.name).c_str(), row.threads, quoted(row.unit).c_str(),
			     ratio_to_best(row.rates, subject, true));
		json_values(file, row.rates);
		std::fprintf(file, "}");
		comma = ",";
	}
	comma = "";
	std::fprintf(file, "],\n\"figures\":[");
	for (const auto &[name, values] : run.figures) {
		std::fprintf(file, "%s\n{\"name\":%s,\"ratio\":%.4f,\"values\":", comma,
			     quoted(name).c_str(), ratio_to_best(values, subject, false));
		json_values(file, values);
		std::fprintf(file, "}");
		comma = ",";
	}
	std::fprintf(file, "]}");
}

void json_head(std::FILE *file, const Options &options)
{
	const char *comma = "";

	std::fprintf(file,
		     "{\"processors\":%ld,\"compiler\":%s,\"key_bytes\":%zu,\"value_bytes\":%zu,"
		     "\"large_value_bytes\":%zu,\"seconds\":%g,\"repetitions\":%d,\"processor_time\":%s,"
		     "\"cache_bytes\":%zu,\"engines\":[",
		     sysconf(_SC_NPROCESSORS_ONLN), quoted(__VERSION__).c_str(), KEY_BYTES,
		     VALUE_BYTES, LARGE_VALUE_BYTES, options.seconds, options.repetitions,
		     options.processor_time ? "true" : "false", options.cache_bytes);
	for (const auto &engine : options.engines) {
		std::fprintf(file, "%s\n{\"name\":%s,\"version\":%s,\"settings\":%s}", comma,
			     quoted(engine.name).c_str(), quoted(engine.version).c_str(),
			     quoted(engine.settings).c_str());
		comma = ",";
	}
	std::fprintf(file, "]");
}

} // namespace

void Report::head() const
{
	for (const auto &engine : options.engines)
		std::printf("%-10s %s: %s\n", engine.name, engine.version.c_str(), engine.settings);
	std::printf("cache=%zu MB; %zu-byte keys, %zu-byte values (%zu in rows that end in _1k); %d repetitions\n",
		    options.cache_bytes >> 20, KEY_BYTES, VALUE_BYTES, LARGE_VALUE_BYTES,
		    options.repetitions);
}

void Report::tables(const Results &results) const
{
	char what[128];

	std::printf("\n%zu records; medians of %s; ratio: of %s to the best of the others in the same repetition\n",
		    results.items, options.processor_time ? "processor time" : "time",
		    options.engines[0].name);
	heading(options, "a second, more is better", 30);
	for (const auto &row : results.rows) {
		std::snprintf(what, sizeof what, "%-18s %-11s", row.title().c_str(), row.unit);
		line(options, what, row.rates, true);
	}
	if (results.figures.empty())
		return;
	heading(options, "less is better", 46);
	for (const auto &[name, values] : results.figures) {
		std::snprintf(what, sizeof what, "%-46s", name.c_str());
		line(options, what, values, false);
	}
}

void Report::curve(const std::vector<Results> &runs) const
{
	const std::string subject = options.engines[0].name;

	curve_heading(runs, "nanoseconds of one operation of " + subject + ", by number of records");
	for (size_t i = 0; i < runs[0].rows.size(); i++) {
		std::printf("%-46s", runs[0].rows[i].title().c_str());
		for (const auto &run : runs) {
			const double rate = median_of(run.rows[i].rates, subject);

			std::printf(" %12s", rate > 0 ? formatted("%.0f", 1e9 / rate).c_str() : "-");
		}
		std::printf("\n");
	}
	curve_heading(runs, "other figures of " + subject);
	for (const auto &[name, values] : runs[0].figures) {
		std::printf("%-46s", name.c_str());
		for (const auto &run : runs)
			std::printf(" %12s", human(median_of(run.figures.at(name), subject)).c_str());
		std::printf("\n");
	}
}

void Report::json(const std::vector<Results> &runs) const
{
	std::FILE *file = std::fopen(options.json.c_str(), "w");
	const char *comma = "";

	if (file != nullptr) {
		json_head(file, options);
		std::fprintf(file, ",\n\"runs\":[");
		for (const auto &run : runs) {
			std::fprintf(file, "%s\n", comma);
			json_run(file, run, options.engines[0].name);
			comma = ",";
		}
		std::fprintf(file, "]}\n");
	}
	if (file == nullptr || std::fclose(file) != 0) {
		std::perror(options.json.c_str());
		std::exit(2);
	}
}
