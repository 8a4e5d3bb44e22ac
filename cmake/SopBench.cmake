# The comparison with other engines: build/<preset>/bench/bench, with those of which the library is found. `ci/setup --bench`
# installs all of them; what ci/test installs suffices for the test of the bench itself.
set(sop_bench_dir "${PROJECT_SOURCE_DIR}/tests/bench")

# commit_loop is what tests/bench/count_flushes watches; flat shows what a cost does not depend on.
foreach(program IN ITEMS commit_loop flat)
	add_executable(${program} "${sop_bench_dir}/${program}.c")
	set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
	target_compile_options(${program} PRIVATE ${SOP_TEST_WARNINGS})
	target_compile_definitions(${program} PRIVATE _GNU_SOURCE)
	target_link_libraries(${program} PRIVATE sopdb Threads::Threads)
endforeach()
if(SOP_TESTS AND NOT SOP_SANITIZE)
	add_test(NAME bench.flushes COMMAND python3 -B "${sop_bench_dir}/count_flushes" --commits 300 --program $<TARGET_FILE:commit_loop>
		WORKING_DIRECTORY "${sop_test_programs}")
	add_test(NAME bench.flat COMMAND flat inmemory: 200 WORKING_DIRECTORY "${sop_test_programs}")
	set_tests_properties(bench.flat PROPERTIES TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS bench)
	set_tests_properties(bench.flushes PROPERTIES TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS bench SKIP_RETURN_CODE 77)
endif()

if(NOT CMAKE_CXX_COMPILER)
	message(STATUS "bench is not built: it needs a C++ compiler")
	return()
endif()

file(GLOB sop_bench_sources CONFIGURE_DEPENDS "${sop_bench_dir}/*.cc")
list(FILTER sop_bench_sources EXCLUDE REGEX "/engine_[^/]*$")
add_executable(bench ${sop_bench_sources} "${sop_bench_dir}/engine_sop.cc")
set_target_properties(bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench"
	CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON)
target_compile_options(bench PRIVATE -Wall -Wextra $<$<BOOL:${SOP_WERROR}>:-Werror>)
target_link_libraries(bench PRIVATE sopdb Threads::Threads)

# Adds tests/bench/engine_`name`.cc if the header and one of the libraries that follow are there.
function(sop_bench_engine name header)
	string(TOUPPER "${name}" upper)
	find_path(SOP_${upper}_INCLUDE ${header})
	find_library(SOP_${upper}_LIBRARY NAMES ${ARGN})
	mark_as_advanced(SOP_${upper}_INCLUDE SOP_${upper}_LIBRARY)
	if(SOP_${upper}_INCLUDE AND SOP_${upper}_LIBRARY)
		target_sources(bench PRIVATE "${sop_bench_dir}/engine_${name}.cc")
		target_compile_definitions(bench PRIVATE BENCH_${upper}=1)
		target_include_directories(bench SYSTEM PRIVATE "${SOP_${upper}_INCLUDE}")
		target_link_libraries(bench PRIVATE "${SOP_${upper}_LIBRARY}")
	else()
		message(STATUS "bench is built without ${name}: ci/setup --bench")
	endif()
endfunction()

sop_bench_engine(lmdb lmdb.h lmdb)
sop_bench_engine(rocksdb rocksdb/db.h rocksdb)
sop_bench_engine(sqlite sqlite3.h sqlite3)
sop_bench_engine(bdb db.h db-5.3 db)
sop_bench_engine(wiredtiger wiredtiger.h wiredtiger)
find_package(absl QUIET)
if(absl_FOUND)
	target_sources(bench PRIVATE "${sop_bench_dir}/engine_map.cc")
	target_compile_definitions(bench PRIVATE BENCH_MAP=1)
	target_link_libraries(bench PRIVATE absl::btree)
else()
	message(STATUS "bench is built without map: ci/setup --bench")
endif()

if(SOP_TESTS)
	add_test(NAME bench.self COMMAND python3 -B "${sop_bench_dir}/test_bench.py" $<TARGET_FILE:bench>
		WORKING_DIRECTORY "${sop_test_programs}")
	set_tests_properties(bench.self PROPERTIES TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS bench)
endif()
