#include "tensor/ops/kl_div.h"

#include <cmath>

#include "tensor/ops/binary.h"
#include "tensor/ops/operand.h"
#include "tensor/ops/shape.h"

namespace athanor {
namespace {

void check_logits(const char* name, const Tensor& student, const Tensor& teacher,
                  double temperature) {
  check_dtype(name, "student_logits", student, kRealDTypes, "a floating dtype");
  check_dtype(name, "teacher_logits", teacher, {student.dtype()}, "the student's dtype");
  check_same_device(name, student, teacher);
  if (student.rank() != 2 || student.size(1) < 1 || !(student.shape() == teacher.shape())) {
    fail(name, "expected two logits [B, K] with K >= 1, got ", describe(student), " and ",
         describe(teacher));
  }
  if (!(temperature > 0) || std::isinf(temperature)) {
    fail(name, "expected a temperature > 0, got ", temperature);
  }
}

}  // namespace

KlDivRows kl_div_rows(const Tensor& student_logits, const Tensor& teacher_logits,
                      double temperature, KlDivSlope slope) {
  const Tensor &x = student_logits, &t = teacher_logits;
  check_logits("kl_div", x, t, temperature);
  const Shape by_row{x.size(0)};
  const DType wide = compute_dtype(x.dtype());
  KlDivRows rows{empty(by_row, x.dtype(), x.device()), empty(by_row, wide, x.device()),
                 empty(by_row, wide, x.device()), Tensor()};
  if (slope == KlDivSlope::keep && x.device().type == DeviceType::cpu) rows.slope = empty_like(x);
  if (x.numel() > 0) {
    launch("kl_div", &Kernels::kl_div, x.dtype(), x.device(),
           KlDivArgs{operand(x), operand(t), temperature, operand(rows.loss),
                     operand(rows.student_lse), operand(rows.teacher_lse),
                     rows.slope.defined() ? operand(rows.slope) : Operand{}});
  }
  return rows;
}

Tensor kl_div_grad(const Tensor& student_logits, const Tensor& teacher_logits,
                   const KlDivRows& rows, const Tensor& dloss, double temperature) {
  const Tensor &x = student_logits, &t = teacher_logits;
  check_logits("kl_div_grad", x, t, temperature);
  for (const Tensor* r : {&rows.student_lse, &rows.teacher_lse, &dloss}) {
    const DType expected = r == &dloss ? x.dtype() : compute_dtype(x.dtype());
    check_dtype("kl_div_grad", "a value by row", *r, {expected}, "the dtype of kl_div_rows");
    if (!(r->shape() == Shape{x.size(0)})) {
      fail("kl_div_grad", "expected [", x.size(0), "], got ", describe(*r));
    }
  }
  if (rows.slope.defined()) return mul(rows.slope, unsqueeze(dloss, 1));
  Tensor dx = empty_like(x);
  if (x.numel() > 0) {
    launch("kl_div_grad", &Kernels::kl_div_grad, x.dtype(), x.device(),
           KlDivGradArgs{operand(x), operand(t), operand(rows.student_lse),
                         operand(rows.teacher_lse), operand(dloss), temperature, operand(dx)});
  }
  return dx;
}

}  // namespace athanor
