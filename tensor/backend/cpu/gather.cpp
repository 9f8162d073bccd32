#include <cstring>

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"

namespace {

constexpr std::int64_t kGatherGrain = 32768;  // elements a thread takes at least

}  // namespace

void index_select(const IndexSelectArgs& a) {
  const std::int64_t* index = a.index.as<std::int64_t>();
  const auto bytes = static_cast<std::size_t>(a.inner * size_of(a.x.dtype));
  const char* x = a.x.as<char>();
  char* y = a.y.as<char>();
  parallel_for(a.outer * a.m, kGatherGrain / a.inner + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t from = i / a.m * a.n + index[i % a.m];
                   std::memcpy(y + static_cast<std::size_t>(i) * bytes,
                               x + static_cast<std::size_t>(from) * bytes, bytes);
                 }
               });
}

// The rows of one index are added in order; threads share the outer axes and the columns.
void index_add(const IndexAddArgs& a) {
  constexpr std::int64_t kColumns = 1024;
  const std::int64_t* index = a.index.as<std::int64_t>();
  const std::int64_t blocks = (a.inner + kColumns - 1) / kColumns;
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    const std::int64_t work = a.m * (a.inner < kColumns ? a.inner : kColumns);
    parallel_for(a.outer * blocks, kGatherGrain / (work + 1) + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     const std::int64_t o = i / blocks, first = i % blocks * kColumns;
                     const std::int64_t rest = a.inner - first;
                     const std::int64_t count = rest < kColumns ? rest : kColumns;
                     for (std::int64_t r = 0; r < a.m; ++r) {
                       const T* x = a.x.as<T>() + (o * a.m + r) * a.inner + first;
                       T* y = a.y.as<T>() + (o * a.n + index[r]) * a.inner + first;
                       for (std::int64_t k = 0; k < count; ++k) y[k] += x[k];
                     }
                   }
                 });
  });
}

void gather(const GatherArgs& a) {
  const std::int64_t* index = a.index.as<std::int64_t>();
  visit(a.x.dtype, [&]<class T>(Tag<T>) {
    parallel_for(a.outer * a.m, kGatherGrain / a.inner + 1,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     const T* x = a.x.as<T>() + i / a.m * a.n * a.inner;
                     T* y = a.y.as<T>() + i * a.inner;
                     const std::int64_t* at = index + i * a.inner;
                     for (std::int64_t k = 0; k < a.inner; ++k) y[k] = x[at[k] * a.inner + k];
                   }
                 });
  });
}

void scatter_add(const ScatterAddArgs& a) {
  const std::int64_t* index = a.index.as<std::int64_t>();
  visit_float(a.x.dtype, [&]<class T>(Tag<T>) {
    const std::int64_t work = a.m * a.inner;
    parallel_for(a.outer, kGatherGrain / (work + 1) + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) {
        const T* x = a.x.as<T>() + o * work;
        T* y = a.y.as<T>() + o * a.n * a.inner;
        const std::int64_t* at = index + o * work;
        for (std::int64_t i = 0; i < a.m; ++i) {
          for (std::int64_t k = 0; k < a.inner; ++k) {
            y[at[i * a.inner + k] * a.inner + k] += x[i * a.inner + k];
          }
        }
      }
    });
  });
}

#include "tensor/backend/cpu/isa_end.h"
