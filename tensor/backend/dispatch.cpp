#include <cstdlib>
#include <string_view>

#include "tensor/backend/kernels.h"
#include "tensor/base/error.h"

namespace athanor {
namespace {

bool reference_from_environment() {
  const char* value = std::getenv("ATHANOR_BACKEND");
  if (!value || !*value || std::string_view(value) == "fast") return false;
  if (std::string_view(value) == "reference") return true;
  raise(ErrorKind::usage, "ATHANOR_BACKEND: expected fast or reference, got ", value);
}

// Negative: this thread has not asked yet.
constinit thread_local signed char forced_here = -1;

bool forced() {
  if (forced_here < 0) {
    static const bool from_environment = reference_from_environment();
    forced_here = from_environment;
  }
  return forced_here > 0;
}

}  // namespace

UseReferenceKernels::UseReferenceKernels() : previous_(forced()) { forced_here = 1; }
UseReferenceKernels::~UseReferenceKernels() { forced_here = previous_; }

namespace detail {

bool reference_forced() { return forced(); }

void no_kernel(const char* op, DType dtype, Device device) {
  fail(op, "has no kernel for dtype ", dtype, " on device ", device);
}

}  // namespace detail
}  // namespace athanor
