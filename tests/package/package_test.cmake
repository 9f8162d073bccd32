# Installs the build, then configures, builds and runs a program against the installed package.
# cmake -DBUILD_DIR= -DSOURCE_DIR= -DWORK_DIR= -DVERSION= -DGENERATOR= -DCOMPILER=
#   -DFLAGS= -P package_test.cmake
file(REMOVE_RECURSE ${WORK_DIR})
foreach(step install configure build run)
  if(step STREQUAL install)
    set(command ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix)
  elseif(step STREQUAL configure)
    set(command ${CMAKE_COMMAND} -S ${SOURCE_DIR} -B ${WORK_DIR}/build -G ${GENERATOR}
        -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix -DEXPECTED_VERSION=${VERSION}
        -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS})
  elseif(step STREQUAL build)
    set(command ${CMAKE_COMMAND} --build ${WORK_DIR}/build)
  else()
    set(command ${WORK_DIR}/build/consumer)
  endif()
  execute_process(COMMAND ${command} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${step} failed (${status}):\n${out}")
  endif()
endforeach()
