// AdamW: one pass over parameter, gradient and both moments.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/loop.cuh"

namespace athanor::cuda {
namespace {

template <class T>
struct AdamWConstants {
  T beta1, rest1, beta2, rest2, correction1, correction2, epsilon, rate, keep;

  explicit AdamWConstants(const AdamWArgs& a)
      : beta1(static_cast<T>(a.beta1)),
        rest1(static_cast<T>(1 - a.beta1)),
        beta2(static_cast<T>(a.beta2)),
        rest2(static_cast<T>(1 - a.beta2)),
        correction1(static_cast<T>(1 / a.correction1)),
        correction2(static_cast<T>(1 / a.correction2)),
        epsilon(static_cast<T>(a.epsilon)),
        rate(static_cast<T>(a.rate)),
        keep(static_cast<T>(1 - a.rate * a.weight_decay)) {}
};

template <class T>
__device__ inline void step(const AdamWConstants<T>& k, T& p, T g, T& m, T& v) {
  m = k.beta1 * m + k.rest1 * g;
  v = k.beta2 * v + k.rest2 * g * g;
  p = p * k.keep - k.rate * (m * k.correction1) / (::sqrt(v * k.correction2) + k.epsilon);
}

template <class T, int V>
__global__ void adamw_elements(AdamWConstants<T> k, std::int64_t n, T* p, const T* g, T* m, T* v) {
  const std::int64_t packs = n / V;
  for (std::int64_t i = grid_thread(); i < packs; i += grid_threads()) {
    Pack<T, V> of_p = load_pack<V>(p + i * V), of_m = load_pack<V>(m + i * V);
    Pack<T, V> of_v = load_pack<V>(v + i * V);
    const Pack<T, V> of_g = load_pack<V>(g + i * V);
#pragma unroll
    for (int j = 0; j < V; ++j) step(k, of_p.v[j], of_g.v[j], of_m.v[j], of_v.v[j]);
    store_pack<V>(p + i * V, of_p);
    store_pack<V>(m + i * V, of_m);
    store_pack<V>(v + i * V, of_v);
  }
  const std::int64_t last = packs * V + grid_thread();
  if (last < n) step(k, p[last], g[last], m[last], v[last]);
}

bool aligned(const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; }

}  // namespace

void adamw(const AdamWArgs& a) {
  if (a.n == 0) return;
  visit_float(a.dtype, [&]<class T>(Tag<T>) {
    constexpr int V = kPackSize<T>;
    const bool packs = aligned(a.p) && aligned(a.g) && aligned(a.m) && aligned(a.v);
    const auto kernel = packs ? adamw_elements<T, V> : adamw_elements<T, 1>;
    launch_kernel(kernel, grid_for(packs ? a.n / V + V : a.n), Dim3{kBlock}, 0, current_stream(),
                  AdamWConstants<T>(a), a.n, static_cast<T*>(a.p), static_cast<const T*>(a.g),
                  static_cast<T*>(a.m), static_cast<T*>(a.v));
  });
}

}  // namespace athanor::cuda
