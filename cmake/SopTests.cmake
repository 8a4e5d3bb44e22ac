# Finds the tests by their place in the tree and registers each with ctest:
#   tests/unit/codec/test_key.c  ->  program build/<preset>/tests/unit.codec.test_key, ctest name unit.codec.test_key
# unit, model, isolation, fault and crash see the inside of the library; api and examples see what users see.
# Other .c files of a folder are linked into every test of that folder, tests/support into all.
# Files ending in _slow.c carry the label `slow`, which the quick loop leaves out.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

set(sop_test_dir "${PROJECT_SOURCE_DIR}/tests")
set(sop_test_programs "${PROJECT_BINARY_DIR}/tests")
set(sop_test_environment # a smaller fake stack stays in the cache: some tests take half the time
	"ASAN_OPTIONS=detect_stack_use_after_return=1:max_uar_stack_size_log=16:strict_string_checks=1:allocator_may_return_null=1"
	"UBSAN_OPTIONS=print_stacktrace=1"
	"TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")

# The library once more, with hooks and nothing hidden, for the tests of its inside.
add_library(sopdb_internal STATIC ${sop_sources})
sop_core_target(sopdb_internal)
target_include_directories(sopdb_internal PUBLIC "${PROJECT_SOURCE_DIR}/core")
target_compile_definitions(sopdb_internal PUBLIC SOP_TEST_HOOKS=1)
target_link_libraries(sopdb_internal PUBLIC PkgConfig::JANSSON Threads::Threads)

# Compile settings shared by everything under tests/.
add_library(sop_test_settings INTERFACE)
target_compile_definitions(sop_test_settings INTERFACE
	_GNU_SOURCE SOP_TEST_DATA_DIR="${sop_test_dir}/data")
target_include_directories(sop_test_settings INTERFACE
	"${PROJECT_SOURCE_DIR}/include" "${sop_test_dir}")
target_link_libraries(sop_test_settings INTERFACE PkgConfig::CMOCKA Threads::Threads)

# Adds the helpers in `sources`, if any, as the library `name`, with the settings of `library`.
function(sop_test_helpers name library)
	if(ARGN)
		add_library(${name} STATIC ${ARGN})
		target_compile_options(${name} PRIVATE "$<$<COMPILE_LANGUAGE:C>:${SOP_TEST_WARNINGS}>")
		target_link_libraries(${name} PRIVATE sop_test_settings ${library})
		target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/core")
	endif()
endfunction()

# Registers the program `target` as the ctest of the same name.
function(sop_register_test target label)
	set(labels ${label})
	if(target MATCHES "_slow$")
		list(APPEND labels slow)
	endif()
	add_test(NAME ${target} COMMAND ${SOP_TEST_LAUNCHER} $<TARGET_FILE:${target}> ${ARGN} WORKING_DIRECTORY "${sop_test_programs}")
	set_tests_properties(${target} PROPERTIES
		TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS "${labels}" ENVIRONMENT "${sop_test_environment}")
endfunction()

# Registers every test_*.c in the folder tests/`folder`, linked with `library`.
function(sop_test_folder folder library)
	file(GLOB tests CONFIGURE_DEPENDS "${sop_test_dir}/${folder}/test_*.c")
	file(GLOB helpers CONFIGURE_DEPENDS "${sop_test_dir}/${folder}/*.c")
	if(NOT tests)
		return()
	endif()
	list(REMOVE_ITEM helpers ${tests})
	string(REPLACE "/" "." prefix "${folder}")
	string(REGEX REPLACE "/.*" "" label "${folder}")
	sop_test_helpers(${prefix}.helpers ${library} ${helpers})
	foreach(source IN LISTS tests)
		cmake_path(GET source STEM stem)
		set(target "${prefix}.${stem}")
		add_executable(${target} ${source})
		set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${sop_test_programs}")
		target_compile_options(${target} PRIVATE ${SOP_TEST_WARNINGS})
		target_link_libraries(${target} PRIVATE sop_test_settings
			$<TARGET_NAME_IF_EXISTS:${prefix}.helpers> $<TARGET_NAME_IF_EXISTS:sop_test_support> ${library})
		sop_register_test(${target} ${label})
	endforeach()
endfunction()

file(MAKE_DIRECTORY "${sop_test_programs}")
file(GLOB sop_support_sources CONFIGURE_DEPENDS "${sop_test_dir}/support/*.c")
sop_test_helpers(sop_test_support "" ${sop_support_sources})
if(TARGET sop_test_support)
	target_compile_definitions(sop_test_support PRIVATE SOP_TEST_HOOKS=1)
endif()

file(GLOB_RECURSE sop_inside_tests CONFIGURE_DEPENDS RELATIVE "${sop_test_dir}"
	"${sop_test_dir}/unit/test_*.c" "${sop_test_dir}/model/test_*.c" "${sop_test_dir}/isolation/test_*.c"
	"${sop_test_dir}/fault/test_*.c" "${sop_test_dir}/crash/test_*.c")
set(sop_inside_folders "")
foreach(source IN LISTS sop_inside_tests)
	cmake_path(GET source PARENT_PATH folder)
	list(APPEND sop_inside_folders "${folder}")
endforeach()
list(REMOVE_DUPLICATES sop_inside_folders)
foreach(folder IN LISTS sop_inside_folders)
	sop_test_folder(${folder} sopdb_internal)
endforeach()
sop_test_folder(api sopdb)

# Processes that are killed, disks that go: see tests/kernel/protocol.h. tests/kernel/test_x.c is the test kernel.x.
file(GLOB sop_kernel_tests CONFIGURE_DEPENDS RELATIVE "${sop_test_dir}/kernel" "${sop_test_dir}/kernel/test_*.c")
file(GLOB sop_kernel_helpers CONFIGURE_DEPENDS "${sop_test_dir}/kernel/*.c")
list(FILTER sop_kernel_helpers EXCLUDE REGEX "/test_[^/]*$")
sop_test_helpers(kernel.helpers sopdb ${sop_kernel_helpers})
foreach(source IN LISTS sop_kernel_tests)
	string(REGEX REPLACE "^test_(.*)\\.c$" "kernel.\\1" target "${source}")
	add_executable(${target} "${sop_test_dir}/kernel/${source}")
	set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${sop_test_programs}")
	target_compile_options(${target} PRIVATE ${SOP_TEST_WARNINGS})
	target_link_libraries(${target} PRIVATE sop_test_settings kernel.helpers sop_test_support sopdb)
	sop_register_test(${target} kernel)
	set_tests_properties(${target} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()

# The command line, from outside: tests/sopctl/test_x.py is the test sopctl.x.
if(TARGET sopctl)
	file(GLOB sop_sopctl_tests CONFIGURE_DEPENDS "${sop_test_dir}/sopctl/test_*.py")
	foreach(source IN LISTS sop_sopctl_tests)
		cmake_path(GET source STEM stem)
		string(REGEX REPLACE "^test_" "sopctl." name "${stem}")
		add_test(NAME ${name} COMMAND python3 -B "${source}" $<TARGET_FILE:sopctl> WORKING_DIRECTORY "${sop_test_programs}")
		set_tests_properties(${name} PROPERTIES
			TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS sopctl ENVIRONMENT "${sop_test_environment}")
	endforeach()
endif()

# Examples are tests too: they check themselves and exit with 0. Each runs in an empty folder of its own.
foreach(source IN LISTS sop_examples)
	cmake_path(GET source STEM name)
	set(folder "${sop_test_programs}/example.${name}")
	add_test(NAME example.${name}
		COMMAND sh -c "rm -rf \"$1\" && mkdir \"$1\" && cd \"$1\" && exec \"$2\"" sh "${folder}" $<TARGET_FILE:example_${name}>)
	set_tests_properties(example.${name} PROPERTIES
		TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS example ENVIRONMENT "${sop_test_environment}")
endforeach()

# Fuzz targets: with libFuzzer, or, in every other build, replaying their corpus and some random inputs.
file(GLOB sop_fuzz_sources CONFIGURE_DEPENDS "${sop_test_dir}/fuzz/fuzz_*.c")
file(GLOB sop_fuzz_helpers CONFIGURE_DEPENDS "${sop_test_dir}/fuzz/*.c")
if(sop_fuzz_sources)
	list(REMOVE_ITEM sop_fuzz_helpers ${sop_fuzz_sources})
endif()
sop_test_helpers(fuzz.helpers sopdb_internal ${sop_fuzz_helpers})
if(SOP_FUZZ)
	target_compile_options(sopdb_internal PRIVATE -fsanitize=fuzzer-no-link)
endif()
foreach(source IN LISTS sop_fuzz_sources)
	cmake_path(GET source STEM stem)
	set(target "fuzz.${stem}")
	add_executable(${target} ${source})
	set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${sop_test_programs}")
	target_compile_options(${target} PRIVATE ${SOP_TEST_WARNINGS} -Wno-missing-prototypes)
	target_link_libraries(${target} PRIVATE sop_test_settings
		$<TARGET_NAME_IF_EXISTS:fuzz.helpers> $<TARGET_NAME_IF_EXISTS:sop_test_support> sopdb_internal)
	if(SOP_FUZZ)
		target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
		target_link_options(${target} PRIVATE -fsanitize=fuzzer)
	else()
		target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/fuzz_replay.c")
		sop_register_test(${target} fuzz "${sop_test_dir}/fuzz/corpus/${stem}")
	endif()
endforeach()

# Of the long ones the longest begin first, so that none is left to run alone at the end.
set(sop_longest_tests fault.test_io fault.test_damage crash.test_crash fault.test_oom_disk unit.log.test_log_wal_crash
	fault.test_full_disk isolation.test_disk api.test_budget kernel.kill_loop api.test_peek api.test_sharing)
set(cost 1000)
foreach(test IN LISTS sop_longest_tests)
	if(TEST ${test})
		set_tests_properties(${test} PROPERTIES COST ${cost})
	endif()
	math(EXPR cost "${cost} - 10")
endforeach()

include(SopChecks)
