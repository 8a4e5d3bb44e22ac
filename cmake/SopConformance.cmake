# The conformance suite: tests/conformance. The machine of C is built here; those of the other languages by their files.
set(sop_conformance_dir "${sop_test_dir}/conformance")
file(GLOB sop_conformance_sources CONFIGURE_DEPENDS "${sop_conformance_dir}/c/*.c")
add_executable(conformance_c ${sop_conformance_sources})
set_target_properties(conformance_c PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/conformance")
target_compile_options(conformance_c PRIVATE ${SOP_TEST_WARNINGS})
target_compile_definitions(conformance_c PRIVATE _GNU_SOURCE)
target_link_libraries(conformance_c PRIVATE sopdb Threads::Threads)
