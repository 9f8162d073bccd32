// Losses on the relations between the records of a batch, and the distance that the error bound
// limits.
#pragma once

#include "autograd/variable.h"
#include "tensor/tensor.h"

namespace athanor::distill {

// Similarities of the rows of x [B, d] f32: cosines, [B, B].
Tensor cosine_similarities(const Tensor& x);
// G = x x^T with each row scaled to length 1 (Tung & Mori 2019), [B, B].
Tensor row_normalised_gram(const Tensor& x);

// mean (cos(f_i, f_j) - R_ij)^2 over all pairs: student features f [B, d], target relations R [B,
// B], for example cosine_similarities(teacher features) or Relations::targets. Zero at equality.
Variable cosine_relation_loss(const Variable& features, const Tensor& relations);

// Similarity-preserving loss (Tung & Mori 2019): |G_student - G|^2 / B^2 for row-normalised Gram
// matrices G. `relations` [B, B] is row-normalised here, so that any non-negative relation matrix
// will do; for teacher features pass row_normalised_gram of them. Zero at equality.
Variable similarity_preserving_loss(const Variable& features, const Tensor& relations);

// D: mean over records and classes of (p - p_teacher)^2, both [B, K]. Zero at equality.
Variable probability_mse(const Variable& probabilities, const Tensor& teacher_probabilities);

}  // namespace athanor::distill
