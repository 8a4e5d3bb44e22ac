# Checks that are commands instead of cmocka programs: public headers, exported symbols, a consumer of the
# installed package. (Format, layers and docs are checked by ci/lint and ci/test before anything is built.)

# Every public header compiles alone, as every language a user may write.
file(GLOB sop_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/sop/*.h")
set(sop_header_flags -pedantic -Wall -Wextra -Werror -fsyntax-only -I "${PROJECT_SOURCE_DIR}/include")
foreach(header IN LISTS sop_headers)
	cmake_path(GET header STEM name)
	foreach(standard IN ITEMS c99 c11)
		add_test(NAME header.${name}.${standard}
			COMMAND ${CMAKE_C_COMPILER} -x c -std=${standard} ${sop_header_flags} "${header}")
		set_tests_properties(header.${name}.${standard} PROPERTIES LABELS header)
	endforeach()
	if(CMAKE_CXX_COMPILER)
		add_test(NAME header.${name}.c++17
			COMMAND ${CMAKE_CXX_COMPILER} -x c++ -std=c++17 ${sop_header_flags} "${header}")
		set_tests_properties(header.${name}.c++17 PROPERTIES LABELS header)
	endif()
endforeach()
