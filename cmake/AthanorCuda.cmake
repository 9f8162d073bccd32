# CUDA's compiler and libraries (docs/gpu.md). NVIDIA's toolkit lies in /usr/local/cuda, which is
# not in PATH by itself.
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(ATHANOR_NVCC nvcc PATHS $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
  if(NOT ATHANOR_NVCC)
    message(FATAL_ERROR "ATHANOR_CUDA=ON needs NVIDIA's CUDA Toolkit 12.4 or later: nvcc is neither "
                        "in PATH nor in /usr/local/cuda/bin")
  endif()
  set(CMAKE_CUDA_COMPILER ${ATHANOR_NVCC})
endif()
if(ATHANOR_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${ATHANOR_CCACHE})
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 90-virtual)
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  # CMake 3.25 does not know yet that nvcc has C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
# std::numeric_limits and std::min are used on the device.
string(APPEND CMAKE_CUDA_FLAGS " --expt-relaxed-constexpr")
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
find_package(CUDAToolkit 12.4 REQUIRED)
find_package(CUDNN 9 REQUIRED)
