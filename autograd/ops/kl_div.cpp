#include "autograd/ops/kl_div.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"

namespace athanor {

Variable kl_div_by_row(const Variable& student_logits, const Variable& teacher_logits,
                       double temperature) {
  if (autocasts("kl_div", student_logits, teacher_logits)) {
    return kl_div_by_row(autocast("kl_div", student_logits), autocast("kl_div", teacher_logits),
                         temperature);
  }
  const Variable teacher = teacher_logits.detach();
  const bool differentiated = grad_enabled() && student_logits.requires_grad();
  const KlDivRows rows = kl_div_rows(student_logits.tensor(), teacher.tensor(), temperature,
                                     differentiated ? KlDivSlope::keep : KlDivSlope::skip);
  return record(
      "kl_div", rows.loss, {student_logits},
      [x = Saved(student_logits), t = Saved(teacher), rows, temperature](const Variable& dy,
                                                                         Gradients& d) {
        const Variable &student = x.get(d), &teacher = t.get(d);
        if (!grad_enabled()) {
          d.set(0, kl_div_grad(student.tensor(), teacher.tensor(), rows, dy.tensor(), temperature));
          return;
        }
        const Variable p = softmax(mul(student, 1 / temperature));
        const Variable q = softmax(mul(teacher, 1 / temperature));
        d.set(0, mul(unsqueeze(dy, 1), temperature) * (p - q));
      });
}

Variable kl_div_with_temperature(const Variable& student_logits, const Variable& teacher_logits,
                                 double temperature, const Variable& weights) {
  return mean_over_rows("kl_div_with_temperature",
                        kl_div_by_row(student_logits, teacher_logits, temperature), weights);
}

}  // namespace athanor
