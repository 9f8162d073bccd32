#include "distill/losses/relation.h"

#include "autograd/ops.h"
#include "autograd/ops/matmul.h"
#include "tensor/ops.h"

namespace athanor::distill {
namespace {

// Added to squared lengths: a zero row stays zero and has a finite gradient.
constexpr double kTiny = 1e-12;

// Tensor or Variable.
template <class T>
T normalise_rows(const T& x) {
  return mul(x, rsqrt(add(sum(square(x), {1}, true), kTiny)));
}
template <class T>
T gram(const T& x) {
  return matmul(x, transpose(x));
}

void check_relations(const char* op, const Variable& features, const Tensor& relations) {
  if (features.rank() != 2) {
    fail(op, "expected features [B, d], got ", describe(features.tensor()));
  }
  const std::int64_t b = features.size(0);
  if (!(relations.shape() == Shape{b, b}) || relations.dtype() != features.dtype()) {
    fail(op, "expected relations [", b, ", ", b, "] ", features.dtype(), ", got ",
         describe(relations));
  }
}

}  // namespace

Tensor cosine_similarities(const Tensor& x) { return gram(normalise_rows(x)); }

Tensor row_normalised_gram(const Tensor& x) { return normalise_rows(gram(x)); }

Variable cosine_relation_loss(const Variable& features, const Tensor& relations) {
  check_relations("cosine_relation_loss", features, relations);
  return mean(square(gram(normalise_rows(features)) - Variable(relations)));
}

Variable similarity_preserving_loss(const Variable& features, const Tensor& relations) {
  check_relations("similarity_preserving_loss", features, relations);
  return mean(square(normalise_rows(gram(features)) - Variable(normalise_rows(relations))));
}

Variable probability_mse(const Variable& probabilities, const Tensor& teacher_probabilities) {
  if (!(probabilities.shape() == teacher_probabilities.shape())) {
    fail("probability_mse", "expected equal shapes, got ", describe(probabilities.tensor()),
         " and ", describe(teacher_probabilities));
  }
  return mean(square(probabilities - Variable(teacher_probabilities)));
}

}  // namespace athanor::distill
