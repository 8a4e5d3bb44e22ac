# The extension module of the Python package: SWIG's raw layer and what is written by hand beside it, with the whole library
# inside, so that a package needs no other file. Used by cmake/SopPython.cmake in the build tree and by CMakeLists.txt here
# for wheels.
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter Development.Module)
find_program(SOP_SWIG NAMES swig swig4.0 REQUIRED)
if(CMAKE_C_BYTE_ORDER STREQUAL BIG_ENDIAN)
	message(FATAL_ERROR "the Python extension reads packed rows as little-endian numbers")
endif()

# sop_python_extension(PACKAGE): builds PACKAGE/_raw.*.so with the target sop_python_raw.
function(sop_python_extension package)
	set(bindings "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/..")
	cmake_path(NORMAL_PATH bindings)
	set(include "${bindings}../include")
	file(GLOB headers CONFIGURE_DEPENDS "${include}/sop/*.h")
	file(GLOB native CONFIGURE_DEPENDS "${bindings}python/native/*.c")
	set(wrapper "${CMAKE_CURRENT_BINARY_DIR}/raw_wrap.c")
	add_custom_command(OUTPUT "${wrapper}"
		COMMAND "${SOP_SWIG}" -python -O -w314 "-I${include}" "-I${bindings}"
			-outdir "${CMAKE_CURRENT_BINARY_DIR}" -o "${wrapper}" "${bindings}sop.i"
		DEPENDS "${bindings}sop.i" "${bindings}swig/python.i" ${headers} VERBATIM)
	set_source_files_properties("${wrapper}" PROPERTIES COMPILE_OPTIONS "-w") # generated
	set_source_files_properties(${native} PROPERTIES COMPILE_OPTIONS
		"-Wall;-Wextra;-Wshadow;-Wstrict-prototypes;-Wpointer-arith;-Wwrite-strings;$<$<BOOL:${SOP_WERROR}>:-Werror>")

	Python3_add_library(sop_python_raw MODULE WITH_SOABI "${wrapper}" ${native})
	set_target_properties(sop_python_raw PROPERTIES OUTPUT_NAME _raw LIBRARY_OUTPUT_DIRECTORY "${package}"
		C_VISIBILITY_PRESET hidden)
	target_include_directories(sop_python_raw PRIVATE "${include}" "${bindings}python/native")
	target_link_libraries(sop_python_raw PRIVATE sopdb_static)
	# Other modules of the process may bring a library of their own.
	target_link_options(sop_python_raw PRIVATE LINKER:--exclude-libs,ALL LINKER:--as-needed LINKER:-z,nodelete)
endfunction()
