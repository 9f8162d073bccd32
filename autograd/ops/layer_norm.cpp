#include "autograd/ops/layer_norm.h"

#include "autograd/autocast.h"
#include "autograd/node.h"
#include "autograd/ops/binary.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/unary.h"
#include "tensor/ops/copy.h"

namespace athanor {
namespace {

Tensor tensor_or_none(const Variable& v) { return v.defined() ? v.tensor() : Tensor(); }
Saved saved_or_none(const Variable& v) { return v.defined() ? Saved(v) : Saved(); }

// What backward of a normalisation of x needs.
struct SavedNorm {
  RowNorm kind;
  double epsilon;
  Tensor mean, rstd;
  bool has_gamma;
};

// The rule in differentiable operations; the statistics are functions of x and computed anew.
// Gradients go to the places `to`: of x, gamma, beta.
void row_norm_composed(const SavedNorm& norm, const Variable& dy, const Variable& x,
                       const Variable& gamma, const Variable& dsum, const int (&to)[3],
                       Gradients& d) {
  const bool layer = norm.kind == RowNorm::layer;
  const Variable centred = layer ? x - mean(x, {-1}, true) : x;
  const Variable rstd = rsqrt(mean(square(centred), {-1}, true) + norm.epsilon);
  const Variable xhat = centred * rstd;
  const Variable g = gamma.defined() ? dy * gamma : dy;
  // Rules may return gradients at the result's shape: the engine sums over the rows.
  if (to[1] >= 0 && d.needs(to[1])) d.set(to[1], dy * xhat);
  if (to[2] >= 0 && d.needs(to[2])) d.set(to[2], dy);
  Variable inner = g - xhat * mean(g * xhat, {-1}, true);
  if (layer) inner = inner - mean(g, {-1}, true);
  Variable dx = rstd * inner;
  if (dsum.defined()) dx = dx + dsum;
  d.set(to[0], dx);
}

void row_norm_gradients(const SavedNorm& norm, const Variable& dy, const Variable& x,
                        const Variable& gamma, const Variable& dsum, const int (&to)[3],
                        Gradients& d) {
  if (grad_enabled()) return row_norm_composed(norm, dy, x, gamma, dsum, to, d);
  const RowNormGradients g =
      row_norm_backward(norm.kind, dy.tensor(), x.tensor(), tensor_or_none(gamma), norm.mean,
                        norm.rstd, tensor_or_none(dsum));
  d.set(to[0], g.dx);
  if (to[1] >= 0) d.set(to[1], g.dgamma);
  if (to[2] >= 0) d.set(to[2], g.dbeta);
}

// The gradient of a weight that has no share in what is differentiated; x [..., n].
Tensor no_share(const Tensor& x) { return zeros_like(empty({x.size(-1)}, x.dtype(), x.device())); }

// Undefined weights are no inputs of a node.
std::vector<std::reference_wrapper<const Variable>> inputs_of(
    std::initializer_list<std::reference_wrapper<const Variable>> all) {
  std::vector<std::reference_wrapper<const Variable>> inputs;
  for (const Variable& v : all) {
    if (v.defined()) inputs.emplace_back(v);
  }
  return inputs;
}

Variable row_normalised(const char* op, RowNorm kind, const Variable& x, const Variable& gamma,
                        const Variable& beta, double epsilon) {
  if (autocasts(op, x)) return row_normalised(op, kind, autocast(op, x), gamma, beta, epsilon);
  const RowNormResult r =
      row_norm(op, kind, x.tensor(), {}, tensor_or_none(gamma), tensor_or_none(beta), epsilon);
  const int gamma_at = gamma.defined() ? 1 : -1;
  const int beta_at = beta.defined() ? (gamma.defined() ? 2 : 1) : -1;
  const SavedNorm norm{kind, epsilon, r.mean, r.rstd, gamma.defined()};
  return record(op, r.y, inputs_of({x, gamma, beta}),
                [x = Saved(x), gamma = saved_or_none(gamma), norm, gamma_at, beta_at](
                    const Variable& dy, Gradients& d) {
                  const Variable scale = norm.has_gamma ? gamma.get(d) : Variable();
                  row_norm_gradients(norm, dy, x.get(d), scale, {}, {0, gamma_at, beta_at}, d);
                });
}

AddNormVariables add_normalised(const char* op, RowNorm kind, const Variable& x,
                                const Variable& residual, const Variable& gamma,
                                const Variable& beta, double epsilon) {
  if (!residual.defined()) fail(op, "expected a residual like x, got an undefined one");
  if (autocasts(op, x, residual)) {
    return add_normalised(op, kind, autocast(op, x), autocast(op, residual), gamma, beta, epsilon);
  }
  const RowNormResult r = row_norm(op, kind, x.tensor(), residual.tensor(), tensor_or_none(gamma),
                                   tensor_or_none(beta), epsilon);
  const int gamma_at = gamma.defined() ? 2 : -1;
  const int beta_at = beta.defined() ? (gamma.defined() ? 3 : 2) : -1;
  const SavedNorm norm{kind, epsilon, r.mean, r.rstd, gamma.defined()};
  const std::vector<Variable> results = record_many(
      op, {r.y, r.sum}, inputs_of({x, residual, gamma, beta}),
      [sum = SavedOutput(r.sum, 1), gamma = saved_or_none(gamma), norm, gamma_at, beta_at](
          std::span<const Variable> dys, Gradients& d) {
        if (!dys[0].defined()) {  // only the sum is used: the weights have no share in it
          d.set(0, dys[1]);
          d.set(1, dys[1]);
          const Variable none(no_share(sum.get(d).tensor()));
          if (gamma_at >= 0) d.set(gamma_at, none);
          if (beta_at >= 0) d.set(beta_at, none);
          return;
        }
        const Variable scale = norm.has_gamma ? gamma.get(d) : Variable();
        row_norm_gradients(norm, dys[0], sum.get(d), scale, dys[1], {0, gamma_at, beta_at}, d);
        d.set(1, d.values()[0]);
      });
  return {results[0], results[1]};
}

}  // namespace

Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta,
                    double epsilon) {
  return row_normalised("layer_norm", RowNorm::layer, x, gamma, beta, epsilon);
}

Variable rms_norm(const Variable& x, const Variable& gamma, double epsilon) {
  return row_normalised("rms_norm", RowNorm::rms, x, gamma, {}, epsilon);
}

AddNormVariables add_layer_norm(const Variable& x, const Variable& residual, const Variable& gamma,
                                const Variable& beta, double epsilon) {
  return add_normalised("add_layer_norm", RowNorm::layer, x, residual, gamma, beta, epsilon);
}

AddNormVariables add_rms_norm(const Variable& x, const Variable& residual, const Variable& gamma,
                              double epsilon) {
  return add_normalised("add_rms_norm", RowNorm::rms, x, residual, gamma, {}, epsilon);
}

}  // namespace athanor
