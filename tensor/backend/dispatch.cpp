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

bool& forced() {
  static const bool from_environment = reference_from_environment();
  thread_local bool value = from_environment;
  return value;
}

}  // namespace

UseReferenceKernels::UseReferenceKernels() : previous_(forced()) { forced() = true; }
UseReferenceKernels::~UseReferenceKernels() { forced() = previous_; }

namespace detail {

bool reference_forced() { return forced(); }

void no_kernel(const char* op, DType dtype, Device device) {
  fail(op, "has no kernel for dtype ", dtype, " on device ", device);
}

}  // namespace detail
}  // namespace athanor
