# Java (bindings/java): the raw layer by SWIG, as one library that carries SOP in it; two jars by Maven; their tests.
find_program(SOP_SWIG swig)
find_program(SOP_MAVEN mvn)
find_package(Java 17 COMPONENTS Development)
if(Java_FOUND) # the headers beside the compiler that was found, and of no other JDK
	file(REAL_PATH "${Java_JAVAC_EXECUTABLE}" sop_javac)
	cmake_path(GET sop_javac PARENT_PATH sop_java_bin)
	set(sop_jni "${sop_java_bin}/../include")
endif()
if(NOT (SOP_SWIG AND SOP_MAVEN AND Java_FOUND AND EXISTS "${sop_jni}/jni.h"))
	if(SOP_TESTS)
		message(FATAL_ERROR "Java needs swig, maven and openjdk-17-jdk-headless: ci/setup installs them")
	endif()
	message(STATUS "the Java binding is not built: it needs swig, maven and a JDK of version 17 or later")
	return()
endif()

set(sop_java_source "${PROJECT_SOURCE_DIR}/bindings/java")
set(sop_java_build "${PROJECT_BINARY_DIR}/java")
set(sop_java_raw "${sop_java_build}/raw/org/sopdb")
set(sop_java_native "${sop_java_build}/native/org/sopdb/native/linux-x86_64")
set(sop_java_library "${sop_java_native}/libsopdb-java.so")
file(MAKE_DIRECTORY "${sop_java_raw}" "${sop_java_native}")

file(GLOB sop_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/sop/*.h")
add_custom_command(OUTPUT "${sop_java_build}/raw_java.c" "${sop_java_raw}/Raw.java" "${sop_java_raw}/RawJNI.java"
	# 314: a member that Java never sees is called as a keyword of it
	COMMAND "${SOP_SWIG}" -java -O -w314 -module Raw -package org.sopdb "-I${PROJECT_SOURCE_DIR}/include"
		"-I${PROJECT_SOURCE_DIR}/bindings" -outdir "${sop_java_raw}" -o "${sop_java_build}/raw_java.c"
		"${PROJECT_SOURCE_DIR}/bindings/sop.i"
	COMMAND sed -i "s/^public interface/interface/" "${sop_java_raw}/RawConstants.java" # nobody's business
	DEPENDS "${PROJECT_SOURCE_DIR}/bindings/sop.i" "${PROJECT_SOURCE_DIR}/bindings/swig/java.i" ${sop_headers}
	COMMENT "SWIG: the raw layer of Java")

# Classes and library must be of one build: both know the version and what the raw layer was made of.
set(sop_java_hashes "")
foreach(source IN LISTS sop_headers ITEMS "${PROJECT_SOURCE_DIR}/bindings/sop.i" "${PROJECT_SOURCE_DIR}/bindings/swig/java.i"
		"${PROJECT_SOURCE_DIR}/bindings/swig/java.h")
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
	file(SHA256 "${source}" hash)
	string(APPEND sop_java_hashes "${hash}")
endforeach()
string(SHA256 sop_java_hash "${sop_java_hashes}")
string(SUBSTRING "${sop_java_hash}" 0 12 sop_java_hash)
set(sop_java_id "${PROJECT_VERSION} (raw layer ${sop_java_hash})")
file(CONFIGURE OUTPUT "${sop_java_raw}/Build.java" @ONLY CONTENT [=[package org.sopdb;

/** What the classes were built with, and the library must have been, too. */
final class Build {
  static final String ID = "@sop_java_id@";

  private Build() {}
}
]=])

# The library is whole but for Jansson, which has no static form that a shared library can take and is no part of every
# system: the artifact has a copy beside it, with its licence.
find_library(SOP_JANSSON NAMES libjansson.so.4 jansson REQUIRED)
file(REAL_PATH "${SOP_JANSSON}" sop_java_jansson)
configure_file("${sop_java_jansson}" "${sop_java_native}/libjansson.so.4" COPYONLY)
foreach(licence "${PROJECT_SOURCE_DIR}/LICENSE" /usr/share/doc/libjansson4/copyright)
	cmake_path(GET licence FILENAME sop_licence_name)
	if(EXISTS "${licence}")
		configure_file("${licence}" "${sop_java_native}/licences/${sop_licence_name}" COPYONLY)
	else()
		message(WARNING "sopdb-native comes without ${sop_licence_name}: there is no ${licence}")
	endif()
endforeach()
add_library(sopdb_java MODULE "${sop_java_build}/raw_java.c")
set_target_properties(sopdb_java PROPERTIES OUTPUT_NAME sopdb-java LIBRARY_OUTPUT_DIRECTORY "${sop_java_native}"
	BUILD_RPATH "$ORIGIN" BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
set_source_files_properties("${sop_java_build}/raw_java.c" PROPERTIES
	OBJECT_DEPENDS "${PROJECT_SOURCE_DIR}/bindings/swig/java.h" COMPILE_OPTIONS "-Wall;-Wextra;-Wno-unused-parameter"
	COMPILE_DEFINITIONS "JAVA_BUILD_ID=\"${sop_java_id}\"")
target_include_directories(sopdb_java PRIVATE "${PROJECT_SOURCE_DIR}/bindings" "${sop_jni}" "${sop_jni}/linux")
target_link_libraries(sopdb_java PRIVATE sopdb_static)
target_link_options(sopdb_java PRIVATE LINKER:--exclude-libs,ALL LINKER:--no-undefined LINKER:-z,relro LINKER:-z,now)

# Maven compiles, and packs the two jars; it downloads what it needs once.
file(GLOB_RECURSE sop_java_sources CONFIGURE_DEPENDS "${sop_java_source}/*.java" "${sop_java_source}/*.xml")
set(sop_java_stamp "${sop_java_build}/built")
add_custom_command(OUTPUT "${sop_java_stamp}"
	COMMAND bash "${sop_java_source}/build" "${sop_java_build}"
	COMMAND "${CMAKE_COMMAND}" -E touch "${sop_java_stamp}"
	DEPENDS sopdb_java ${sop_java_sources} "${sop_java_source}/build" "${sop_java_raw}/Raw.java" "${sop_java_raw}/RawJNI.java" "${sop_java_raw}/Build.java"
	COMMENT "Maven: the jars of Java" USES_TERMINAL)
add_custom_target(sop_java ALL DEPENDS "${sop_java_stamp}")

if(SOP_TESTS)
	# sop_java_test(NAME PATTERN JVM_OPTION...): the tests of the classes whose names match.
	function(sop_java_test name pattern)
		add_test(NAME java.${name} COMMAND bash "${sop_java_source}/test" "${sop_java_build}" "${pattern}" ${ARGN}
			WORKING_DIRECTORY "${sop_test_programs}")
		set_tests_properties(java.${name} PROPERTIES
			TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS bindings ENVIRONMENT "${sop_test_environment}")
	endfunction()
	sop_java_test(suite ".*(?<!Conformance)Test" -Xcheck:jni)
	sop_java_test(map ".*ConformanceTest")
	add_test(NAME java.format COMMAND bash "${sop_java_source}/format" "${sop_java_build}")
	add_test(NAME java.quickstart COMMAND bash "${PROJECT_SOURCE_DIR}/examples/java/run" "${PROJECT_BINARY_DIR}" "${sop_java_build}/shop")
	add_test(NAME java.consumer COMMAND bash "${sop_java_source}/check-consumer" "${sop_java_build}" "${sop_java_build}/consumer")
	set_tests_properties(java.format java.quickstart java.consumer PROPERTIES TIMEOUT ${SOP_TEST_TIMEOUT_S} LABELS bindings)
endif()

# The machine of the conformance suite (tests/conformance), and the script that starts it.
set(sop_java_machine "${PROJECT_BINARY_DIR}/conformance/conformance_java")
file(GLOB sop_java_machine_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/conformance/java/*.java")
file(CONFIGURE OUTPUT "${sop_java_build}/conformance_java.sh" @ONLY CONTENT [[#!/bin/sh
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx512m "-Dsop.library.path=@sop_java_library@" \
	-cp "@sop_java_build@/machine:@sop_java_build@/sopdb/classes:@sop_java_build@/lib/*" conformance.Machine
]])
add_custom_command(OUTPUT "${sop_java_machine}"
	COMMAND "${Java_JAVAC_EXECUTABLE}" -Xlint:all -Werror --release 17 -d "${sop_java_build}/machine"
		-cp "${sop_java_build}/sopdb/classes" ${sop_java_machine_sources}
	COMMAND "${CMAKE_COMMAND}" -E copy "${sop_java_build}/conformance_java.sh" "${sop_java_machine}"
	COMMAND chmod +x "${sop_java_machine}"
	DEPENDS ${sop_java_machine_sources} "${sop_java_stamp}" "${sop_java_build}/conformance_java.sh"
	COMMENT "The conformance machine of Java")
add_custom_target(conformance_java ALL DEPENDS "${sop_java_machine}")
