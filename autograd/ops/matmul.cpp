#include "autograd/ops/matmul.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"

namespace athanor {
namespace {

// [..., n] as [rows, n].
Variable as_rows(const Variable& x) { return x.rank() == 2 ? x : reshape(x, {-1, x.size(-1)}); }

}  // namespace

Variable matmul(const Variable& a, const Variable& b) {
  if (autocasts("matmul", a, b)) return matmul(autocast("matmul", a), autocast("matmul", b));
  // Vectors become matrices, so that the rule knows only one case.
  if (a.rank() == 1 && b.rank() >= 1) {
    const Variable c = matmul(unsqueeze(a, 0), b);
    return squeeze(c, b.rank() == 1 ? 0 : -2);
  }
  if (b.rank() == 1 && a.rank() >= 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  return record(
      "matmul", matmul(a.tensor(), b.tensor()), {a, b},
      [a = Saved(a), b = Saved(b), one_b = b.rank() == 2](const Variable& dc, Gradients& d) {
        if (d.needs(0)) d.set(0, matmul(dc, transpose(b.get(d))));
        if (!d.needs(1)) return;
        const Variable x = a.get(d);  // of every matrix, where they share one b
        d.set(1, one_b ? matmul(transpose(as_rows(x)), as_rows(dc)) : matmul(transpose(x), dc));
      });
}

Variable linear(const Variable& x, const Variable& w, const Variable& bias) {
  if (autocasts("linear", x, w, bias)) {
    return linear(autocast("linear", x), autocast("linear", w), autocast("linear", bias));
  }
  return record("linear", linear(x.tensor(), w.tensor(), bias.tensor()), {x, w, bias},
                [x = Saved(x), w = Saved(w)](const Variable& dy, Gradients& d) {
                  const Variable rows = as_rows(dy);
                  if (d.needs(0)) d.set(0, matmul(dy, w.get(d)));
                  if (d.needs(1)) d.set(1, matmul(transpose(rows), as_rows(x.get(d))));
                  static const Axes kRows{0};  // made once: it lives in memory of its own
                  if (d.needs(2)) d.set(2, sum(rows, kRows));
                });
}

}  // namespace athanor
