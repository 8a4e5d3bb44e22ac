# Checks that are commands instead of cmocka programs: public headers, exported symbols, what the documents say, a
# consumer of the installed package. (Format, layers and docs are checked by ci/lint and ci/test before anything is built.)

# Every public header compiles alone, as every language a user may write.
file(GLOB sop_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/sop/*.h")
function(sop_header_check name standard compiler language)
	add_test(NAME header.${name}.${standard}
		COMMAND ${compiler} -x ${language} -std=${standard} -pedantic -Wall -Wextra -Werror -fsyntax-only
			-I "${PROJECT_SOURCE_DIR}/include" -include "sop/${name}.h" /dev/null)
	set_tests_properties(header.${name}.${standard} PROPERTIES LABELS header)
endfunction()
if(NOT SOP_SANITIZE) # once is enough
	foreach(header IN LISTS sop_headers)
		cmake_path(GET header STEM name)
		sop_header_check(${name} c99 ${CMAKE_C_COMPILER} c)
		sop_header_check(${name} c11 ${CMAKE_C_COMPILER} c)
		if(CMAKE_CXX_COMPILER)
			sop_header_check(${name} c++17 ${CMAKE_CXX_COMPILER} c++)
		endif()
	endforeach()
endif()

# What only a build as users get it can show.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT SOP_SANITIZE)
	foreach(what IN ITEMS exported layout version)
		add_test(NAME abi.${what} COMMAND "${sop_test_dir}/abi/check" ${what}
			--build "${PROJECT_BINARY_DIR}" --cc "${CMAKE_C_COMPILER}")
		set_tests_properties(abi.${what} PROPERTIES LABELS abi)
	endforeach()
	add_test(NAME consumer.check COMMAND "${sop_test_dir}/consumer/check" "${PROJECT_BINARY_DIR}")
	set_tests_properties(consumer.check PROPERTIES LABELS consumer ENVIRONMENT "CC=${CMAKE_C_COMPILER}")
	add_test(NAME models.engine COMMAND python3 "${sop_test_dir}/models/engine.py" --seeds 1000)
	add_test(NAME models.engine_bugs COMMAND python3 "${sop_test_dir}/models/engine.py" --known)
	set_tests_properties(models.engine models.engine_bugs PROPERTIES LABELS models)
	if(EXISTS "${sop_test_dir}/docs/check" AND TARGET example_quickstart)
		add_test(NAME docs.check COMMAND "${sop_test_dir}/docs/check" --compiler "${CMAKE_C_COMPILER}"
			--library $<TARGET_FILE:sopdb> --quickstart $<TARGET_FILE:example_quickstart>
			--work "${PROJECT_BINARY_DIR}/docs")
		set_tests_properties(docs.check PROPERTIES LABELS docs WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
	endif()
endif()
