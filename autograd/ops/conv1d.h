// Convolution of sequences, with gradients: composed of the convolution of images one row high.
//
// A sequence has shape [N, C, L]; results lie in N, L, C order in memory, and an input in that
// order is used as it is (tensor/ops/layout.h counts the copies of others). Floating dtypes.
#pragma once

#include "autograd/variable.h"

namespace athanor {

struct Conv1dOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;  // zeros on both sides
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
};

// y[n, o, i] = b[o] + sum over c, p of w[o, c, p] xpad[n, c', i s + p d], c' within o's group.
// x [N, I, L], w [O, I / groups, k], b [O] or undefined, y [N, O, L'] with
// L' = (L + 2 padding - dilation (k - 1) - 1) / stride + 1, rounded down. One dtype. Throws when a
// shape does not fit, groups divides neither I nor O, or the padded input is shorter than the
// kernel's extent.
// dx[n, c', j] = sum of w[o, c, p] dy[n, o, i] and dw[o, c, p] = sum of xpad[n, c', j] dy[n, o, i],
// both over what meets at j = i s + p d;  db = sum of dy over N and L'
Variable conv1d(const Variable& x, const Variable& w, const Variable& b = {},
                const Conv1dOptions& options = {});

struct ConvTranspose1dOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;         // cut from both ends of the result
  std::int64_t output_padding = 0;  // added to its end, in [0, stride)
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
};

// The adjoint of conv1d as an operation ("deconvolution"): y[n, c', i s + p d - padding] collects
// w[o, c, p] x[n, o, i]. x [N, I, L], w [I, O / groups, k], b [O] or undefined, y [N, O, L'] with
// L' = (L - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1. Throws as conv1d does.
// dx = conv1d(dy, w);  dw as conv1d's with x and dy exchanged;  db = sum of dy over N and L'
Variable conv_transpose1d(const Variable& x, const Variable& w, const Variable& b = {},
                          const ConvTranspose1dOptions& options = {});

}  // namespace athanor
