// What there is to judge the labels of a table by.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "distill/refine/label_trust.h"
#include "distill/refine/token_rows.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// Records whose labels are to be judged, and behind them verified ones of another file, where there
// are some. One entry a record in each vector.
struct LabelTask {
  std::int64_t judged = 0;  // the first ones, which an answer is wanted of
  std::int64_t classes = 0;
  std::vector<std::int64_t> label;  // as given, -1 = none
  // The class that somebody vouches for, -1 = nobody does: of the verified records, and of judged
  // ones that say the same as one of them.
  std::vector<std::int64_t> truth;
  std::vector<double> time;         // seconds since 1970, NaN = none
  std::vector<std::int64_t> group;  // equal entries are copies of each other
  std::vector<char> sound;          // content that a label can be learned from
  std::shared_ptr<const TokenRows> tokens;
  Tensor embeddings;  // f32 [size, d], or undefined
  // Of a model that learned from none of these labels; no rows = there is none. Else [size,
  // classes], where unknown rows are allowed.
  ProbabilityTable teacher;

  std::int64_t size() const { return std::ssize(label); }
  bool verified(std::int64_t i) const { return truth[i] >= 0; }
  // What a model is told of the record.
  std::int64_t taught(std::int64_t i) const { return verified(i) ? truth[i] : label[i]; }
};

}  // namespace athanor::distill
