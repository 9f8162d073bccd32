// AdamW: one pass over parameters, gradients and both moments, many tensors a launch.
#include "tensor/backend/cuda/cuda.h"
#include "tensor/backend/cuda/loop.cuh"

namespace athanor::cuda {
namespace {

constexpr int kMostTensors = 48;  // of a launch: what 4 KiB of kernel arguments hold
constexpr int kAccesses = 4;      // of a thread
constexpr std::int64_t kMostBlocks = std::int64_t{1} << 30;

template <class T>
struct Batch {
  T beta1, rest1, beta2, rest2, correction1, correction2, epsilon;
  int count = 0;
  struct Entry {
    T* p;
    const T* g;
    T *m, *v;
    std::int64_t n;
    T rate, keep;
    unsigned end;  // the block after its last one
    bool packs;
  } tensors[kMostTensors];

  explicit Batch(const AdamWArgs& a)
      : beta1(static_cast<T>(a.beta1)),
        rest1(static_cast<T>(1 - a.beta1)),
        beta2(static_cast<T>(a.beta2)),
        rest2(static_cast<T>(1 - a.beta2)),
        correction1(static_cast<T>(1 / a.correction1)),
        correction2(static_cast<T>(1 / a.correction2)),
        epsilon(static_cast<T>(a.epsilon)) {}
};
static_assert(sizeof(Batch<double>) <= 4096);

template <class T>
__device__ inline void step(const Batch<T>& k, T rate, T keep, T& p, T g, T& m, T& v) {
  m = k.beta1 * m + k.rest1 * g;
  v = k.beta2 * v + k.rest2 * g * g;
  p = p * keep - rate * (m * k.correction1) / (::sqrt(v * k.correction2) + k.epsilon);
}

// Elements that a block updates.
template <class T>
constexpr std::int64_t kBlockElements = std::int64_t{kBlock} * kAccesses* kPackSize<T>;

template <class T>
__global__ void adamw_elements(const Batch<T> k) {
  constexpr int V = kPackSize<T>;
  int which = 0;
  while (blockIdx.x >= k.tensors[which].end) ++which;
  const auto& t = k.tensors[which];
  const unsigned first = which == 0 ? 0 : k.tensors[which - 1].end;
  const std::int64_t begin = (blockIdx.x - first) * kBlockElements<T>;
  const std::int64_t rest = t.n - begin;
  const int n = static_cast<int>(rest < kBlockElements<T> ? rest : kBlockElements<T>);
  T* p = t.p + begin;
  const T* g = t.g + begin;
  T *m = t.m + begin, *v = t.v + begin;
  const int packs = t.packs ? n / V : 0;
  for (int i = threadIdx.x; i < packs; i += kBlock) {
    Pack<T, V> of_p = load_pack<V>(p + i * V), of_m = load_pack<V>(m + i * V);
    Pack<T, V> of_v = load_pack<V>(v + i * V);
    const Pack<T, V> of_g = load_pack<V>(g + i * V);
#pragma unroll
    for (int j = 0; j < V; ++j) step(k, t.rate, t.keep, of_p.v[j], of_g.v[j], of_m.v[j], of_v.v[j]);
    store_pack<V>(p + i * V, of_p);
    store_pack<V>(m + i * V, of_m);
    store_pack<V>(v + i * V, of_v);
  }
  for (int i = packs * V + threadIdx.x; i < n; i += kBlock) {
    step(k, t.rate, t.keep, p[i], g[i], m[i], v[i]);
  }
}

bool aligned(const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; }

}  // namespace

void adamw(const AdamWArgs& a) {
  visit_float(a.dtype, [&]<class T>(Tag<T>) {
    Batch<T> batch(a);
    std::int64_t blocks = 0;
    const auto start = [&] {
      if (batch.count == 0) return;
      launch_kernel(adamw_elements<T>, Dim3{static_cast<unsigned>(blocks)}, Dim3{kBlock}, 0,
                    current_stream(), batch);
      batch.count = 0;
      blocks = 0;
    };
    for (const AdamWTensor* t = a.tensors; t != a.tensors + a.count; ++t) {
      // A tensor of very many blocks is cut.
      for (std::int64_t at = 0; at < t->n;) {
        const std::int64_t most = (kMostBlocks - blocks) * kBlockElements<T>;
        const std::int64_t n = t->n - at < most ? t->n - at : most;
        const auto shifted = [&](auto* data) { return static_cast<T*>(data) + at; };
        T *p = shifted(t->p), *m = shifted(t->m), *v = shifted(t->v);
        const T* g = static_cast<const T*>(t->g) + at;
        blocks += (n + kBlockElements<T> - 1) / kBlockElements<T>;
        batch.tensors[batch.count++] = {p,
                                        g,
                                        m,
                                        v,
                                        n,
                                        static_cast<T>(t->rate),
                                        static_cast<T>(1 - t->rate * t->weight_decay),
                                        static_cast<unsigned>(blocks),
                                        aligned(p) && aligned(g) && aligned(m) && aligned(v)};
        at += n;
        if (batch.count == kMostTensors || blocks == kMostBlocks) start();
      }
    }
    start();
  });
}

}  // namespace athanor::cuda
