/* Tables and JSON of what was measured. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "runner.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

/* Which engines there are, and which of them are compared. */
struct Report {
	std::string subject;
	std::vector<std::string> peers; /* ratios are to the fastest of these */
	std::vector<std::string> engines; /* all, in the order of the columns */

	void rates(const Results &results) const
	{
		std::printf("\n%-19s %7s  %-7s", "case", "threads", "a second");
		for (const auto &engine : engines)
			std::printf(" %9s", engine.c_str());
		for (const auto &peer : peers)
			std::printf(" %9s", ("/" + peer).c_str());
		std::printf(" %9s  goal\n", "/best");
		for (const auto &one : results.cases)
			rate(one);
	}

	/* What a second thread brings. */
	void speedups(const Results &results) const
	{
		heading("rate of two threads by that of one", engines);
		for (const auto &two : results.cases) {
			if (two.threads != 2)
				continue;
			std::printf("%-19s", two.name.c_str());
			for (const auto &engine : engines)
				std::printf(" %9s", ratio(speedup(results, two, engine)).c_str());
			if (two.speedup_goal > 0)
				goal(speedup(results, two, subject), two.speedup_goal);
			std::printf("\n");
		}
	}

	void memory(const Results &results) const
	{
		if (results.bytes_per_item.empty())
			return;
		heading("bytes of memory for a record", engines);
		for (const auto &[name, bytes] : results.bytes_per_item) {
			std::printf("%-19s", name.c_str());
			for (const auto &engine : engines) {
				const auto found = bytes.find(engine);

				std::printf(" %9s",
					    found != bytes.end() ? whole(found->second).c_str() : "-");
			}
			std::printf("\n");
		}
	}

	/* What else was measured: medians. */
	void figures(const Results &results) const
	{
		if (results.figures.empty())
			return;
		std::printf("\n%-40s", "per engine");
		for (const auto &engine : engines)
			std::printf(" %9s", engine.c_str());
		std::printf("\n");
		for (const auto &[name, of] : results.figures) {
			std::printf("%-40s", name.c_str());
			for (const auto &engine : engines) {
				const auto found = of.find(engine);

				std::printf(" %9s", found != of.end()
							    ? whole(median(found->second)).c_str()
							    : "-");
			}
			std::printf("\n");
		}
	}

	/* How time and memory of an operation grow with the number of records. */
	void curve(const std::vector<Results> &runs) const
	{
		std::vector<std::string> columns = { "engine" };

		for (const auto &run : runs)
			columns.push_back(std::to_string(run.items));
		heading("nanoseconds of one operation, by number of records", columns);
		for (size_t i = 0; i < runs[0].cases.size(); i++) {
			for (const auto &engine : engines) {
				if (runs[0].cases[i].rate(engine) <= 0)
					continue;
				std::printf("%-19s %9s", title(runs[0].cases[i]).c_str(),
					    engine.c_str());
				for (const auto &run : runs)
					std::printf(" %9.0f", 1e9 / run.cases[i].rate(engine));
				std::printf("\n");
			}
		}
		heading("bytes of memory for a record, by number of records", columns);
		for (const auto &[name, of] : runs[0].bytes_per_item) {
			for (const auto &[engine, bytes] : of) {
				std::printf("%-19s %9s", name.c_str(), engine.c_str());
				for (const auto &run : runs)
					std::printf(" %9.0f", run.bytes_per_item.at(name).at(engine));
				std::printf("\n");
			}
		}
	}

	/* Writes everything to the file at `path`; `head` is JSON members that come first. */
	void json(const std::string &path, const std::string &head, const std::vector<Results> &runs) const
	{
		std::FILE *file = std::fopen(path.c_str(), "w");
		const char *comma = "";

		if (file != nullptr) {
			std::fprintf(file, "{%s,\"runs\":[", head.c_str());
			for (const auto &run : runs) {
				std::fprintf(file, "%s\n{\"items\":%zu,\"cases\":[", comma, run.items);
				json_cases(file, run);
				std::fprintf(file, "],\n\"bytes_per_item\":{");
				json_memory(file, run);
				std::fprintf(file, "},\n\"figures\":{");
				json_figures(file, run);
				std::fprintf(file, "}}");
				comma = ",";
			}
			std::fprintf(file, "]}\n");
		}
		if (file == nullptr || std::fclose(file) != 0) {
			std::perror(path.c_str());
			std::exit(2);
		}
	}

private:
	static std::string title(const Case &one)
	{
		return one.threads == 1 ? one.name : one.name + " x" + std::to_string(one.threads);
	}

	static std::string ratio(double value)
	{
		char text[32];

		std::snprintf(text, sizeof text, "%.2f", value);
		return value > 0 ? text : "-";
	}

	static std::string whole(double value)
	{
		char text[32];

		std::snprintf(text, sizeof text, "%.0f", value);
		return text;
	}

	/* 1234567 -> "1.23 M", 1234 -> "1.2 k" */
	static std::string human(double value)
	{
		char text[32];

		if (value >= 1e6)
			std::snprintf(text, sizeof text, "%.2f M", value / 1e6);
		else
			std::snprintf(text, sizeof text, value >= 1e5 ? "%.0f k" : "%.1f k", value / 1e3);
		return value > 0 ? text : "-";
	}

	static void heading(const char *what, const std::vector<std::string> &columns)
	{
		std::printf("\n%s\n%-19s", what, "case");
		for (const auto &column : columns)
			std::printf(" %9s", column.c_str());
		std::printf("\n");
	}

	static void goal(double reached, double least)
	{
		if (reached > 0)
			std::printf("  %.2f of %.2f: %s", reached, least,
				    reached >= least ? "met" : "MISSED");
	}

	void rate(const Case &one) const
	{
		std::printf("%-19s %7d  %-7s ", one.name.c_str(), one.threads, one.unit);
		for (const auto &engine : engines)
			std::printf(" %9s", human(one.rate(engine)).c_str());
		for (const auto &peer : peers)
			std::printf(" %9s", ratio(one.ratio(subject, { peer })).c_str());
		std::printf(" %9s", ratio(one.ratio(subject, peers)).c_str());
		if (one.goal > 0 && one.threads == 1)
			goal(one.ratio(subject, peers), one.goal);
		std::printf("\n");
	}

	static double speedup(const Results &results, const Case &two, const std::string &engine)
	{
		for (const auto &one : results.cases) {
			if (one.name == two.name && one.threads == 1 && one.rate(engine) > 0)
				return two.rate(engine) / one.rate(engine);
		}
		return 0;
	}

	/* What every repetition gave, by engine. */
	static void json_repetitions(std::FILE *file,
				     const std::map<std::string, std::vector<double>> &of)
	{
		const char *comma = "";

		for (const auto &[engine, values] : of) {
			std::fprintf(file, "%s\"%s\":[", comma, engine.c_str());
			for (size_t i = 0; i < values.size(); i++)
				std::fprintf(file, "%s%.0f", i > 0 ? "," : "", values[i]);
			std::fprintf(file, "]");
			comma = ",";
		}
	}

	static void json_figures(std::FILE *file, const Results &run)
	{
		const char *comma = "";

		for (const auto &[name, of] : run.figures) {
			std::fprintf(file, "%s\"%s\":{", comma, name.c_str());
			json_repetitions(file, of);
			std::fprintf(file, "}");
			comma = ",";
		}
	}

	void json_cases(std::FILE *file, const Results &run) const
	{
		const char *comma = "";

		for (const auto &one : run.cases) {
			std::fprintf(file, "%s\n{\"name\":\"%s\",\"threads\":%d,\"unit\":\"%s\"",
				     comma, one.name.c_str(), one.threads, one.unit);
			std::fprintf(file, ",\"ratio\":%.4f,\"rates\":{", one.ratio(subject, peers));
			json_repetitions(file, one.rates);
			std::fprintf(file, "}}");
			comma = ",";
		}
	}

	static void json_memory(std::FILE *file, const Results &run)
	{
		const char *comma = "";

		for (const auto &[name, of] : run.bytes_per_item) {
			const char *between = "";

			std::fprintf(file, "%s\"%s\":{", comma, name.c_str());
			for (const auto &[engine, bytes] : of) {
				std::fprintf(file, "%s\"%s\":%.1f", between, engine.c_str(), bytes);
				between = ",";
			}
			std::fprintf(file, "}");
			comma = ",";
		}
	}
};

#endif
