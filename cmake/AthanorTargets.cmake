# The kinds of targets that the project has, one function each.

# athanor_add_layer(NAME [INTERNAL] [UNITY_GROUPS n]
#   [SOURCES file...] [ISA_KERNELS file...] [DEPENDS layer...] [LINKS target...])
# The library athanor_NAME, alias athanor::NAME. DEPENDS names lower layers (public), LINKS
# third-party targets (private). Static; header-only as long as it lists no source.
# ISA_KERNELS are compiled once for each instruction set, see athanor_add_isa_kernels. INTERNAL
# layers are not installed. UNITY_GROUPS: see athanor_unity_groups.
function(athanor_add_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "INTERNAL" "UNITY_GROUPS"
                        "SOURCES;ISA_KERNELS;DEPENDS;LINKS")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "athanor_add_layer(${name}): unexpected '${ARG_UNPARSED_ARGUMENTS}'")
  endif()
  set(target athanor_${name})
  set(layers ${ARG_DEPENDS})
  list(TRANSFORM layers PREPEND athanor::)
  if(ARG_SOURCES OR ARG_ISA_KERNELS)
    set(scope PUBLIC)
    add_library(${target} STATIC ${ARG_SOURCES})
    athanor_options(${target})
    if(ATHANOR_UNITY AND ARG_UNITY_GROUPS)
      athanor_unity_groups(${target} ${ARG_UNITY_GROUPS} ${ARG_SOURCES})
    endif()
    target_link_libraries(${target} PRIVATE ${ARG_LINKS})
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  add_library(athanor::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/athanor>)
  target_link_libraries(${target} ${scope} ${layers})
  if(ARG_ISA_KERNELS)
    athanor_add_isa_kernels(${target} SOURCES ${ARG_ISA_KERNELS} LINKS ${ARG_LINKS})
  endif()
  if(NOT ARG_INTERNAL)
    install(TARGETS ${target} EXPORT AthanorTargets)
  endif()
endfunction()

# athanor_unity_groups(target n file...)
# Compiles the files in n groups, each as one translation unit: a third of the time, since headers
# and templates are compiled n times only. The group of a file depends on its name alone, so that a
# new file changes one group. Names in anonymous namespaces must differ within a group; the debug and
# sanitizer presets compile each file by itself.
function(athanor_unity_groups target groups)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # A class whose members have types of an anonymous namespace is harmless in a .cpp file.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  foreach(file IN LISTS ARGN)
    string(MD5 hash ${file})
    string(SUBSTRING ${hash} 0 4 hash)
    math(EXPR group "0x${hash} % ${groups}")
    set_source_files_properties(${file} PROPERTIES UNITY_GROUP ${group})
  endforeach()
endfunction()

# athanor_add_isa_kernels(target SOURCES file... LINKS target...)
# Compiles each source once per instruction set, with ATHANOR_ISA_PORTABLE, ATHANOR_ISA_AVX2 or
# ATHANOR_ISA_AVX512 defined, and adds the objects to `target`. The sources choose the instruction
# set by a target pragma around their own kernels: an -m flag would also reach inline functions of
# the standard library, whose AVX-512 copy the linker could then keep for every CPU.
function(athanor_add_isa_kernels target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LINKS")
  set(isas PORTABLE)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
    list(APPEND isas AVX2 AVX512)
  endif()
  # Vector loops without the rest of -O3, which doubles the time to compile (docs/design.md).
  set(vectorise -O3)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    set(vectorise -ftree-vectorize -fvect-cost-model=dynamic)
  endif()
  foreach(isa IN LISTS isas)
    string(TOLOWER ${isa} suffix)
    set(objects ${target}_${suffix})
    add_library(${objects} OBJECT ${ARG_SOURCES})
    athanor_options(${objects})
    target_compile_features(${objects} PRIVATE cxx_std_20)
    target_compile_definitions(${objects} PRIVATE ATHANOR_ISA_${isa})
    target_compile_options(${objects} PRIVATE
      $<$<CONFIG:Release>:${vectorise}> -fno-math-errno -fno-trapping-math)
    target_link_libraries(${objects} PRIVATE ${ARG_LINKS})
    if(ATHANOR_UNITY)
      athanor_unity_groups(${objects} 5 ${ARG_SOURCES})  # the same 5 for each instruction set
    endif()
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
  endforeach()
endfunction()

# athanor_add_test(name [OWN_MACROS] FILES file... [LIBS target...] [LABELS label...]
#   [TIMEOUT seconds])
# One Catch2 executable and one ctest entry. A release compiles the tests themselves with -O1: they
# check, the libraries compute. OWN_MACROS: macros that change the precompiled headers.
function(athanor_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "OWN_MACROS" "TIMEOUT" "FILES;LIBS;LABELS")
  if(ARG_UNPARSED_ARGUMENTS OR NOT ARG_FILES)
    message(FATAL_ERROR "athanor_add_test(${name}): needs FILES; got '${ARG_UNPARSED_ARGUMENTS}'")
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_FILES} $<TARGET_OBJECTS:athanor_test_main>
                 $<TARGET_OBJECTS:athanor_catch>)
  athanor_options(${name})
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} Catch2::Catch2)
  if(ATHANOR_UNITY AND NOT ARG_OWN_MACROS)
    target_precompile_headers(${name} REUSE_FROM athanor_test_main)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  if(ATHANOR_SANITIZE)
    # An allocation that is too large fails as without the sanitizer, and tests get more time.
    math(EXPR timeout "10 * ${ARG_TIMEOUT}")
    set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout}
                         ENVIRONMENT ASAN_OPTIONS=allocator_may_return_null=1)
  endif()
endfunction()

# SOURCE includes the headers of a library that it loads when it first uses it, by the path in the
# macro DEFINITION (tensor/base/shared_library.h): the file that LIBRARY names itself by, which a
# machine without development files has, too.
function(athanor_load_late SOURCE DEFINITION LIBRARY)
  get_target_property(headers ${LIBRARY} INTERFACE_INCLUDE_DIRECTORIES)
  list(REMOVE_ITEM headers ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})
  get_target_property(path ${LIBRARY} IMPORTED_LOCATION)
  execute_process(COMMAND ${CMAKE_OBJDUMP} -p ${path} OUTPUT_VARIABLE dump ERROR_QUIET)
  get_filename_component(folder ${path} DIRECTORY)
  string(REGEX MATCH "SONAME +[^ \n]+" soname "${dump}")
  string(REGEX REPLACE "SONAME +" "" soname "${soname}")
  if(soname AND EXISTS ${folder}/${soname})
    set(path ${folder}/${soname})
  endif()
  set_source_files_properties(${SOURCE} PROPERTIES
    INCLUDE_DIRECTORIES "${headers}" COMPILE_DEFINITIONS "${DEFINITION}=\"${path}\"")
endfunction()
