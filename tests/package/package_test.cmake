# Installs the build, then configures, builds and runs programs against the installed package: a
# small one, and examples/own_project with its own model, data set and loss.
# cmake -DBUILD_DIR= -DSOURCE_DIR= -DOWN_DIR= -DWORK_DIR= -DVERSION= -DGENERATOR= -DCOMPILER=
#   -DFLAGS= -P package_test.cmake
file(REMOVE_RECURSE ${WORK_DIR})

# Runs ARGN; when it fails, so does the test, with what it printed. OUTPUT holds that else.
function(step name)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${name} failed (${status}):\n${out}")
  endif()
  set(OUTPUT "${out}" PARENT_SCOPE)
endfunction()

step(install ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/prefix)
foreach(program consumer own_project)
  set(source ${SOURCE_DIR})
  if(program STREQUAL own_project)
    set(source ${OWN_DIR})
  endif()
  step("configure ${program}" ${CMAKE_COMMAND} -S ${source} -B ${WORK_DIR}/${program}
       -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix -DEXPECTED_VERSION=${VERSION}
       -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_FLAGS=${FLAGS})
  step("build ${program}" ${CMAKE_COMMAND} --build ${WORK_DIR}/${program})
endforeach()
step(run ${WORK_DIR}/consumer/consumer)

set(own ${WORK_DIR}/own_project/own_project)
step("own train" ${own} train ${OWN_DIR}/own.toml --out ${WORK_DIR}/alone)
step("own eval" ${own} eval ${WORK_DIR}/alone/model.safetensors --format rings --json)
string(JSON accuracy GET "${OUTPUT}" accuracy)
if(accuracy LESS 0.9)
  message(FATAL_ERROR "own model on own data: expected an accuracy of 0.9 or more, got ${accuracy}")
endif()
step("own distill" ${own} distill ${OWN_DIR}/own.toml --out ${WORK_DIR}/three --json)
if(NOT EXISTS ${WORK_DIR}/three/report.html)
  message(FATAL_ERROR "own distill: expected report.html in ${WORK_DIR}/three")
endif()
# The names are in the recipe's errors too.
execute_process(COMMAND ${own} train ${OWN_DIR}/own.toml --set student.model=other
                        --out ${WORK_DIR}/none
                RESULT_VARIABLE status ERROR_VARIABLE out)
if(NOT status EQUAL 2 OR NOT out MATCHES "mixer, strided; got other")
  message(FATAL_ERROR "expected exit code 2 and the registered model's name, got ${status}:\n${out}")
endif()
