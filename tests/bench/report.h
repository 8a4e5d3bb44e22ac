/* Tables and JSON of what was measured. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "lab.h"

class Report {
	const Options &options;

public:
	explicit Report(const Options &of) : options(of)
	{
	}

	/* Which engines are compared, and how they are set. */
	void head() const;
	/* Rates, then what else was measured. */
	void tables(const Results &results) const;
	/* How the time of an operation grows with the number of records, for the first engine. */
	void curve(const std::vector<Results> &runs) const;
	/* Writes everything to options.json. */
	void json(const std::vector<Results> &runs) const;
};

#endif
