# `cmake --install`: headers, libraries, the command and the CMake package Athanor.
include(CMakePackageConfigHelpers)

install(DIRECTORY tensor autograd nn data distill
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/athanor
        FILES_MATCHING PATTERN "*.h")
# Of the command line, what a program with models and data of its own needs.
install(FILES cli/registry.h cli/run.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/athanor/cli)
set(ATHANOR_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Athanor)
install(EXPORT AthanorTargets NAMESPACE athanor:: DESTINATION ${ATHANOR_PACKAGE_DIR})
configure_package_config_file(cmake/AthanorConfig.cmake.in
  ${PROJECT_BINARY_DIR}/AthanorConfig.cmake INSTALL_DESTINATION ${ATHANOR_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/AthanorConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/AthanorConfig.cmake
              ${PROJECT_BINARY_DIR}/AthanorConfigVersion.cmake
              cmake/FindRE2.cmake cmake/FindUtf8proc.cmake
              cmake/FindKissFFT.cmake cmake/FindTurboJpeg.cmake
              cmake/FindCUDNN.cmake
        DESTINATION ${ATHANOR_PACKAGE_DIR})
