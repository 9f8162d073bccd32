// The distillation loss, with gradient for the student; the teacher is a constant. Shapes, dtypes
// and errors as in tensor/ops/kl_div.h.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/kl_div.h"

namespace athanor {

// Loss of each row, [B]; see tensor/ops/kl_div.h.
// dstudent = dy T (softmax(student / T) - softmax(teacher / T))
Variable kl_div_by_row(const Variable& student_logits, const Variable& teacher_logits,
                       double temperature);
// (1/B) sum_b weights_b T^2 KL_b; weights [B] are optional and not normalised.
// dstudent_b = dy weights_b T / B (softmax(student_b / T) - softmax(teacher_b / T))
Variable kl_div_with_temperature(const Variable& student_logits, const Variable& teacher_logits,
                                 double temperature, const Variable& weights = {});

}  // namespace athanor
