// Libraries that are loaded when they are first used.
#include "tensor/base/shared_library.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tensor/base/error.h"

using namespace athanor;

TEST_CASE("a function of a library that is found by its file name alone", "[shared_library]") {
  const SharedLibrary library("/nowhere/libm.so.6", "this test");
  CHECK(library.get<double (*)(double)>("cbrt")(27.) == Approx(3.));
  CHECK_THROWS_WITH(library.get<void (*)()>("no_such_function"),
                    "/nowhere/libm.so.6: expected a function no_such_function");
}

TEST_CASE("a library that is not there is named, and what needs it", "[shared_library]") {
  CHECK_THROWS_WITH(SharedLibrary("/nowhere/libnone.so.1", "this test"),
                    Catch::Contains("expected the library /nowhere/libnone.so.1, which this test "
                                    "needs: /nowhere/libnone.so.1: cannot open"));
}
