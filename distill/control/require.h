// Checks of options.
#pragma once

#include "tensor/base/error.h"

namespace athanor::distill {

// Throws a usage error that names the controller, what it expects and the value that came.
inline void require(const char* controller, bool ok, const char* what, double value) {
  if (!ok) raise(ErrorKind::usage, "[", controller, "] expected ", what, ", got ", value);
}

}  // namespace athanor::distill
