#include "autograd/ops/pool1d.h"

#include "autograd/ops/adaptive_pool2d.h"
#include "autograd/ops/pool2d.h"
#include "autograd/ops/shape.h"

namespace athanor {
namespace {

Variable one_row_image(const char* op, const Variable& x) {
  if (!x.defined() || x.rank() != 3) {
    fail(op, "expected x [N, C, L], got ", x.defined() ? describe(x.tensor()) : "nothing");
  }
  return unsqueeze(x, 2);
}

Pool2dOptions one_row(const Pool1dOptions& o) {
  return {{1, o.kernel}, {1, o.stride}, {0, o.padding}};
}

}  // namespace

Variable max_pool1d(const Variable& x, const Pool1dOptions& options) {
  return squeeze(max_pool2d(one_row_image("max_pool1d", x), one_row(options)), 2);
}

Variable avg_pool1d(const Variable& x, const Pool1dOptions& options) {
  return squeeze(avg_pool2d(one_row_image("avg_pool1d", x), one_row(options)), 2);
}

Variable adaptive_avg_pool1d(const Variable& x, std::int64_t size) {
  return squeeze(adaptive_avg_pool2d(one_row_image("adaptive_avg_pool1d", x), {1, size}), 2);
}

Variable adaptive_max_pool1d(const Variable& x, std::int64_t size) {
  return squeeze(adaptive_max_pool2d(one_row_image("adaptive_max_pool1d", x), {1, size}), 2);
}

}  // namespace athanor
