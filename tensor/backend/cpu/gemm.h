// One matrix product as the own kernel (gemm.cpp) sees it.
#pragma once

#include <cstdint>

namespace athanor::cpu {

// c[m, n] = sum_k a[m, k] b[k, n] + bias[n]; element (m, k) of a is at m * am + k * ak, and so on,
// any strides. bias may be null. S is the dtype of all four; f16 and bf16 are multiplied and added
// in f32 and rounded once.
template <class S>
struct Gemm {
  std::int64_t M, N, K;
  const S* a;
  std::int64_t am, ak;
  const S* b;
  std::int64_t bk, bn;
  S* c;
  std::int64_t cm, cn;
  const S* bias;
  std::int64_t bias_m, bias_n;  // strides of bias along m and n: (0, 1), or (1, 0) when swapped
  bool add = false;             // c += instead of c =
  std::int64_t deeper = 0;      // how many more k lie behind K, of which the next product is
};

}  // namespace athanor::cpu
