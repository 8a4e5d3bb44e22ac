# Compiler flags for every target of the build, and the two lists of warnings.
set(SOP_TEST_WARNINGS
	-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
	-Wwrite-strings -Wvla)
if(SOP_WERROR)
	list(APPEND SOP_TEST_WARNINGS -Werror)
endif()
set(SOP_WARNINGS ${SOP_TEST_WARNINGS} -Wconversion -Wcast-qual)

set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -fno-semantic-interposition")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_C_FLAGS_DEBUG "-Og -g3")
add_compile_options(-fstack-protector-strong)

if(SOP_SANITIZE)
	add_compile_options(-fsanitize=${SOP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1)
	add_link_options(-fsanitize=${SOP_SANITIZE})
	# gcc tells the source by these; clang by other means only
	foreach(sop_sanitizer address thread)
		if(CMAKE_C_COMPILER_ID MATCHES "Clang" AND SOP_SANITIZE MATCHES "(^|,)${sop_sanitizer}(,|$)")
			string(TOUPPER "__SANITIZE_${sop_sanitizer}__" sop_sanitizer_macro)
			add_compile_definitions(${sop_sanitizer_macro}=1)
		endif()
	endforeach()
	if(SOP_SANITIZE MATCHES thread AND CMAKE_C_COMPILER_ID STREQUAL GNU)
		add_compile_options(-Wno-tsan) # it does not model fences; clang's, which ci/long uses, says nothing either
	endif()
endif()
if(SOP_COVERAGE)
	add_compile_options(--coverage -fprofile-update=atomic -O0 -g)
	add_link_options(--coverage)
endif()
