# kissfft (f32) as the target KissFFT::float. Its own configuration differs between distributions.
find_path(KissFFT_INCLUDE_DIR kissfft/kiss_fftr.h)
find_library(KissFFT_LIBRARY kissfft-float)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  KissFFT REQUIRED_VARS KissFFT_LIBRARY KissFFT_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "On Debian: apt-get install libkissfft-dev")
mark_as_advanced(KissFFT_LIBRARY KissFFT_INCLUDE_DIR)

if(KissFFT_FOUND AND NOT TARGET KissFFT::float)
  add_library(KissFFT::float UNKNOWN IMPORTED)
  set_target_properties(KissFFT::float PROPERTIES
    IMPORTED_LOCATION "${KissFFT_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${KissFFT_INCLUDE_DIR}")
endif()
