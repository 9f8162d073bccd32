# libjpeg-turbo's own interface as the target TurboJpeg::turbojpeg. Debian's configuration names files of other packages.
find_path(TurboJpeg_INCLUDE_DIR turbojpeg.h)
find_library(TurboJpeg_LIBRARY turbojpeg)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  TurboJpeg REQUIRED_VARS TurboJpeg_LIBRARY TurboJpeg_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "On Debian: apt-get install libturbojpeg0-dev")
mark_as_advanced(TurboJpeg_LIBRARY TurboJpeg_INCLUDE_DIR)

if(TurboJpeg_FOUND AND NOT TARGET TurboJpeg::turbojpeg)
  add_library(TurboJpeg::turbojpeg UNKNOWN IMPORTED)
  set_target_properties(TurboJpeg::turbojpeg PROPERTIES
    IMPORTED_LOCATION "${TurboJpeg_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${TurboJpeg_INCLUDE_DIR}")
endif()
