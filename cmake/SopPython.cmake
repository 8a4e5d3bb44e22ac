# The Python package in the build tree (build/<preset>/python), and its tests: bindings/python/tests/test_x.py is the test
# python.x.
set(sop_python_source "${PROJECT_SOURCE_DIR}/bindings/python")
set(sop_python_home "${PROJECT_BINARY_DIR}/python")
if(EXISTS /usr/bin/python3 AND NOT DEFINED Python3_EXECUTABLE) # rather the system's than what else is in PATH
	set(Python3_EXECUTABLE /usr/bin/python3)
endif()
include("${sop_python_source}/extension.cmake")

file(GLOB sop_python_modules CONFIGURE_DEPENDS RELATIVE "${sop_python_source}/sop" "${sop_python_source}/sop/*")
file(MAKE_DIRECTORY "${sop_python_home}/sop")
foreach(module IN LISTS sop_python_modules)
	if(NOT module STREQUAL "__pycache__")
		file(CREATE_LINK "${sop_python_source}/sop/${module}" "${sop_python_home}/sop/${module}" SYMBOLIC)
	endif()
endforeach()
sop_python_extension("${sop_python_home}/sop")

add_custom_target(sop_python DEPENDS sop_python_raw)

# Registers a test that is a Python program.
function(sop_python_test name)
	add_test(NAME python.${name} COMMAND "${Python3_EXECUTABLE}" -B -X dev ${ARGN}
		WORKING_DIRECTORY "${sop_test_programs}")
	set_tests_properties(python.${name} PROPERTIES TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS bindings
		ENVIRONMENT "PYTHONPATH=${sop_python_home};SOP_SOURCE=${PROJECT_SOURCE_DIR};SOP_BUILD=${PROJECT_BINARY_DIR}")
endfunction()

if(SOP_TESTS)
	file(GLOB sop_python_tests CONFIGURE_DEPENDS "${sop_python_source}/tests/test_*.py")
	foreach(source IN LISTS sop_python_tests)
		cmake_path(GET source STEM stem)
		string(REGEX REPLACE "^test_" "" name "${stem}")
		sop_python_test(${name} "${source}")
	endforeach()
	if(TARGET sopctl)
		add_test(NAME python.example
			COMMAND "${PROJECT_SOURCE_DIR}/examples/python/run" "${PROJECT_BINARY_DIR}" "${sop_python_home}/shop")
		set_tests_properties(python.example PROPERTIES TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS bindings)
	endif()
endif()

# The machine of Python of the conformance suite.
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/conformance/conformance_python" @ONLY CONTENT
"#!/bin/sh
PYTHONPATH='@sop_python_home@' exec '@Python3_EXECUTABLE@' -B '@PROJECT_SOURCE_DIR@/tests/conformance/python/machine.py'
")
file(CHMOD "${PROJECT_BINARY_DIR}/conformance/conformance_python" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
	GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
