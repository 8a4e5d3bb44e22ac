# What `cmake --install` puts into a prefix: headers, both libraries, sopdb.pc and the CMake package.
include(CMakePackageConfigHelpers)
set(sop_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/sopdb")

install(TARGETS sopdb sopdb_static EXPORT sopdbTargets
	LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
	ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/sop DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(EXPORT sopdbTargets NAMESPACE sopdb:: DESTINATION "${sop_package_dir}")

configure_package_config_file(cmake/sopdbConfig.cmake.in "${PROJECT_BINARY_DIR}/sopdbConfig.cmake"
	INSTALL_DESTINATION "${sop_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/sopdbConfigVersion.cmake"
	COMPATIBILITY SameMinorVersion) # until 1.0 a minor version may change the interface
file(RELATIVE_PATH sop_pc_up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/") # so that a moved prefix works
configure_file(cmake/sopdb.pc.in "${PROJECT_BINARY_DIR}/sopdb.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/sopdbConfig.cmake" "${PROJECT_BINARY_DIR}/sopdbConfigVersion.cmake"
	DESTINATION "${sop_package_dir}")
install(FILES "${PROJECT_BINARY_DIR}/sopdb.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
