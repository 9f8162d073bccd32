#include "autograd/ops/cat.h"

#include "autograd/node.h"
#include "autograd/ops/shape.h"

namespace athanor {

Variable cat(const std::vector<Variable>& parts, int axis) {
  std::vector<Tensor> values;
  std::vector<std::int64_t> ends;
  for (const Variable& part : parts) values.push_back(part.tensor());
  Tensor y = cat(values, axis);
  axis = normalize_axis("cat", axis, y.shape());
  for (const Variable& part : parts) {
    ends.push_back((ends.empty() ? 0 : ends.back()) + part.size(axis));
  }
  const std::vector<std::reference_wrapper<const Variable>> inputs(parts.begin(), parts.end());
  return record("cat", std::move(y), inputs,
                [ends = std::move(ends), axis](const Variable& dy, Gradients& d) {
                  std::int64_t at = 0;
                  for (std::size_t i = 0; i < ends.size(); ++i) {
                    const int input = static_cast<int>(i);
                    if (d.needs(input)) d.set(input, slice(dy, axis, at, ends[i]));
                    at = ends[i];
                  }
                });
}

Variable stack(const std::vector<Variable>& parts, int axis) {
  std::vector<Variable> wide;
  for (const Variable& part : parts) {
    if (!(part.shape() == parts[0].shape())) {
      fail("stack", "expected equal shapes, got ", describe(parts[0].tensor()), " and ",
           describe(part.tensor()));
    }
    wide.push_back(unsqueeze(part, axis));
  }
  if (parts.empty()) fail("stack", "expected at least one variable, got none");
  return cat(wide, axis < 0 ? axis + parts[0].rank() + 1 : axis);
}

}  // namespace athanor
