# Go: bindings/go. Its sources are built by the go command, against the library of this build.
set(sop_go_dir "${PROJECT_SOURCE_DIR}/bindings/go")
set(sop_go_out "${PROJECT_BINARY_DIR}/go")

# What the build tag sop_static links: headers and static libraries, beside the package.
find_library(SOP_JANSSON_STATIC NAMES libjansson.a)
add_custom_target(sop_go_bundle
	COMMAND ${CMAKE_COMMAND} -E make_directory "${sop_go_dir}/bundled/lib"
	COMMAND ${CMAKE_COMMAND} -E copy_directory "${PROJECT_SOURCE_DIR}/include" "${sop_go_dir}/bundled/include"
	COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:sopdb_static> ${SOP_JANSSON_STATIC} "${sop_go_dir}/bundled/lib"
	COMMENT "Putting the static library into bindings/go/bundled"
	VERBATIM)
add_dependencies(sop_go_bundle sopdb_static)

execute_process(COMMAND "${PROJECT_SOURCE_DIR}/ci/go" OUTPUT_VARIABLE SOP_GO OUTPUT_STRIP_TRAILING_WHITESPACE
	ERROR_VARIABLE sop_go_error RESULT_VARIABLE sop_go_result)
if(NOT sop_go_result EQUAL 0)
	if(SOP_TESTS)
		message(FATAL_ERROR "${sop_go_error}")
	endif()
	message(STATUS "Nothing in Go is built: ci/setup --go brings what that needs") # nobody asked for it
	return()
endif()

# The package finds the library by pkg-config, here that of the build tree. The go command does not look into headers outside
# of a package, so their hash goes into the flags, which it does look at.
file(GLOB sop_go_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/sop/*.h")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sop_go_headers})
set(sop_go_hashes "")
foreach(header IN LISTS sop_go_headers)
	file(SHA256 "${header}" hash)
	string(APPEND sop_go_hashes "${hash}")
endforeach()
string(SHA256 sop_go_hash "${sop_go_hashes}")
file(CONFIGURE OUTPUT "${sop_go_out}/pkgconfig/sopdb.pc" @ONLY CONTENT [=[
Name: sopdb
Description: the library of the build tree
Version: @PROJECT_VERSION@
Libs: -L@PROJECT_BINARY_DIR@ -lsopdb -Wl,-rpath,@PROJECT_BINARY_DIR@
Cflags: -I@PROJECT_SOURCE_DIR@/include -DSOP_HEADERS=0x@sop_go_hash@
]=])
set(sop_go_environment "PKG_CONFIG_PATH=${sop_go_out}/pkgconfig" "CC=${CMAKE_C_COMPILER}" "CGO_ENABLED=1"
	"GOFLAGS=-mod=readonly" "GOTOOLCHAIN=local")

# sop_go_program(TARGET OUTPUT FOLDER ARGUMENT...): a program that `go ARGUMENT... -o OUTPUT .` makes in FOLDER.
function(sop_go_program target output folder)
	file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${folder}/*.go" "${folder}/go.mod")
	file(GLOB package CONFIGURE_DEPENDS "${sop_go_dir}/*.go" "${sop_go_dir}/*.[ch]" "${sop_go_dir}/go.mod")
	add_custom_command(OUTPUT "${output}"
		COMMAND ${CMAKE_COMMAND} -E env ${sop_go_environment} "${SOP_GO}" ${ARGN} -o "${output}" .
		WORKING_DIRECTORY "${folder}" DEPENDS ${sources} ${package} ${sop_go_headers} sopdb
		COMMENT "Building Go program ${output}" VERBATIM)
	add_custom_target(${target} DEPENDS "${output}")
endfunction()

sop_go_program(example_go "${sop_go_out}/quickstart" "${PROJECT_SOURCE_DIR}/examples/go" build)
add_custom_target(sop_go DEPENDS example_go)
# Only where it is asked for, since it downloads bbolt.
sop_go_program(bench_go "${PROJECT_BINARY_DIR}/bench/bench_go" "${PROJECT_SOURCE_DIR}/tests/bench/bench_go" build)

if(NOT SOP_TESTS)
	return()
endif()

# sop_go_test(NAME COMMAND...)
function(sop_go_test name)
	add_test(NAME go.${name} COMMAND ${ARGN} WORKING_DIRECTORY "${sop_go_dir}")
	set_tests_properties(go.${name} PROPERTIES TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS bindings
		ENVIRONMENT "${sop_test_environment};${sop_go_environment};GO=${SOP_GO}")
endfunction()

sop_go_program(sop_go_tests "${sop_go_out}/sop.test" "${sop_go_dir}" test -c)
sop_go_program(conformance_go "${PROJECT_BINARY_DIR}/conformance/conformance_go" "${PROJECT_SOURCE_DIR}/tests/conformance/go" build)
add_custom_target(sop_go_all ALL DEPENDS sop_go sop_go_bundle sop_go_tests conformance_go)
sop_go_test(package "${sop_go_dir}/run-tests" "${sop_go_out}/sop.test")
sop_go_test(static "${sop_go_dir}/check-static" "${sop_go_out}/static")
sop_go_test(style "${sop_go_dir}/check-style")
if(SOP_TOOLS)
	sop_go_test(quickstart "${PROJECT_SOURCE_DIR}/examples/go/run" "${PROJECT_BINARY_DIR}" "${sop_go_out}/shop")
endif()
