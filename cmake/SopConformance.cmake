# The conformance suite (tests/conformance): one program, every language, one answer. The machine of C is built here; those of the
# other languages, conformance_<language> in the same folder, by the files of their languages.
set(sop_conformance_dir "${PROJECT_SOURCE_DIR}/tests/conformance")
file(GLOB sop_conformance_sources CONFIGURE_DEPENDS "${sop_conformance_dir}/c/*.c")
add_executable(conformance_c ${sop_conformance_sources})
set_target_properties(conformance_c PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/conformance")
target_compile_options(conformance_c PRIVATE ${SOP_TEST_WARNINGS})
target_compile_definitions(conformance_c PRIVATE _GNU_SOURCE)
target_link_libraries(conformance_c PRIVATE sopdb Threads::Threads)

set(sop_conformance_languages c python go java)
list(JOIN sop_conformance_languages "," sop_conformance_list)

# sop_conformance_test(NAME SCRIPT ARGUMENT...): one test, run from the folder of the project.
function(sop_conformance_test name script)
	add_test(NAME conformance.${name} COMMAND python3 -B "${sop_conformance_dir}/${script}" ${ARGN}
		WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
	set_tests_properties(conformance.${name} PROPERTIES
		TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS bindings ENVIRONMENT "${sop_test_environment}")
endfunction()

if(SOP_TESTS)
	sop_conformance_test(table check_table.py)
	sop_conformance_test(suite test_suite.py "${PROJECT_BINARY_DIR}")
	sop_conformance_test(pairs pairs.py "${PROJECT_BINARY_DIR}" $<TARGET_FILE:sopctl> ${sop_conformance_languages})
	sop_conformance_test(programs run --build "${PROJECT_BINARY_DIR}" --languages ${sop_conformance_list}
		--shrunk-to "${PROJECT_BINARY_DIR}/conformance/failed")
	set_tests_properties(conformance.programs PROPERTIES PROCESSORS 2 COST 995) # four machines at once, and long
endif()
