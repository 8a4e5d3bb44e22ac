# shellcheck shell=bash
# What ci/test, ci/long and ci/lint share: steps that count, and their one-line reports. Sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit
jobs=${SOP_JOBS:-$(nproc)}
tests_at_once=${SOP_JOBS:-$(($(nproc) + 1))} # some of them mostly wait
passed=0
failed=0
skipped=0
trouble=() # one line for each failure, repeated at the end
phase=""   # what is being done, since so many seconds
phase_began=0
phases=() # what has been done, and how long it took

# Prints the comment at the top of the script that calls it.
usage() {
	sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
}

say() {
	printf '%s\n' "$*"
}

end_phase() {
	if [[ -n $phase ]]; then
		phases+=("$phase $((SECONDS - phase_began)) s")
	fi
	phase=""
}

# begin_phase NAME: says so; how long each took is told at the end.
begin_phase() {
	end_phase
	say "$1"
	phase=$1
	phase_began=$SECONDS
}

# fail NAME REPLAY: counts one failure; what went wrong has been printed.
fail() {
	failed=$((failed + 1))
	trouble+=("$1 (again: $2)")
}

# run_check NAME COMMAND...: one step that passes or fails; its output is shown if it fails.
run_check() {
	local name=$1 log
	shift
	log=$(mktemp)
	if "$@" >"$log" 2>&1 </dev/null; then
		say "  ok    $name"
		passed=$((passed + 1))
	else
		say "  FAIL  $name"
		sed 's/^/        /' "$log"
		say "        again: $*"
		fail "$name" "$*"
	fi
	rm -f "$log"
}

# build NAME CMAKE-ARGUMENT...: configures and builds into build/NAME; says how far it is every half minute.
build() {
	local name=$1 log=build/$1.log pid status=0 seconds=0
	shift
	mkdir -p build
	begin_phase "building $name"
	{ cmake "$@" -B "build/$name" && cmake --build "build/$name" -j "$jobs" -- -k 0; } >"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		seconds=$((seconds + 1))
		if ((seconds % 30 == 0)); then
			say "  ... $(grep -o '^\[[0-9]*/[0-9]*\]' "$log" | tail -n 1)"
		fi
	done
	wait "$pid" || status=$?
	if ((status == 0)); then
		say "  ok    build $name"
		passed=$((passed + 1))
		return 0
	fi
	say "  FAIL  build $name"
	grep -E -A 3 ': (fatal )?error:|undefined reference|CMake Error' "$log" | grep -v '^\[' | head -n 80 || tail -n 40 "$log"
	say "        again: cmake --build build/$name (all output: $log)"
	fail "build $name" "cmake --build build/$name"
	return 1
}

# run_ctest NAME CTEST-ARGUMENT...: runs the tests of build/NAME and counts their single cases.
run_ctest() {
	local name=$1 report=build/$1/junit.xml counts line
	shift
	begin_phase "testing $name"
	rm -f "$report"
	ctest --test-dir "build/$name" -j "$tests_at_once" --no-label-summary --output-junit "$root/$report" \
		--test-output-size-passed 4000000 --test-output-size-failed 4000000 "$@" </dev/null 2>&1 |
		grep --line-buffered -E '^ *[0-9]+/[0-9]+ ' | sed -u 's/^/  /' || true
	if ! counts=$(python3 ci/summary.py "build/$name" "$report"); then
		say "  FAIL  ctest in build/$name gave no report"
		fail "ctest $name" "ctest --test-dir build/$name"
		return
	fi
	while IFS= read -r line; do
		case $line in
		"passed "*) passed=$((passed + ${line#passed })) ;;
		"failed "*) failed=$((failed + ${line#failed })) ;;
		"skipped "*) skipped=$((skipped + ${line#skipped })) ;;
		"trouble "*) trouble+=("${line#trouble }") ;;
		*) say "${line#| }" ;;
		esac
	done <<<"$counts"
}

# One build directory serves one run at a time; a second one waits.
take_turns() {
	mkdir -p build
	exec 9>build/.lock
	if ! flock --nonblock 9; then
		say "waiting for another run in this folder to end"
		flock 9
	fi
}

# Prints the summary; its last line is "N passed, N failed". Exits with 1 if anything failed.
finish() {
	local status=$? line
	trap - EXIT
	if ((status != 0)); then
		fail "$0 stopped early with status $status" "$0"
	fi
	say ""
	for line in "${trouble[@]}"; do
		say "failed: $line"
	done
	if ((skipped > 0)); then
		say "$skipped skipped"
	fi
	end_phase
	for line in "${phases[@]}"; do
		say "  $line"
	done
	say "took $((SECONDS / 60)) min $((SECONDS % 60)) s"
	say "$passed passed, $failed failed"
	((failed == 0)) && exit 0
	exit 1
}
