// Convolutions of u8 by i8 with sums in i32; a linear layer is one of 1 x 1. A block of pixels
// times a few strips of 16 output channels stays in registers; the windows are read in place from a
// copy of the image that is padded with its zero point. Integer sums are exact, so that the order
// in which they are taken, and how the work is cut, leave no trace in the results.
#include <cmath>
#include <cstddef>
#include <cstring>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "tensor/backend/cpu/isa_kernels.h"
#include "tensor/backend/cpu/scratch.h"
#include "tensor/backend/cpu/vnni.h"
#include "tensor/base/parallel.h"

#include "tensor/backend/cpu/isa_begin.h"
#include "tensor/backend/cpu/isa_integers.h"

namespace {

#include "tensor/backend/cpu/quantized_strip.h"

#include "tensor/backend/cpu/quantized_layout.h"

#include "tensor/backend/cpu/quantized_finish.h"

// Two products of i16 a lane. |x| <= 255 and |w| <= 128: nothing saturates.
namespace pairs {
struct Dot {
  using X = std::int16_t;
#if defined(ATHANOR_ISA_AVX512)
  typedef std::int32_t Sums __attribute__((vector_size(64)));
  static constexpr std::int64_t kMostStrips = 4;
  template <int S>
  static constexpr int kMostRows = S == 4 ? 6 : 12;
  static ATHANOR_INLINE Sums add(Sums sums, Sums x, Sums w) {
    return sums + reinterpret_cast<Sums>(_mm512_madd_epi16(reinterpret_cast<__m512i>(x),
                                                           reinterpret_cast<__m512i>(w)));
  }
#elif defined(ATHANOR_ISA_AVX2)
  typedef std::int32_t Sums __attribute__((vector_size(32)));
  static constexpr std::int64_t kMostStrips = 1;
  template <int S>
  static constexpr int kMostRows = 6;
  static ATHANOR_INLINE Sums add(Sums sums, Sums x, Sums w) {
    return sums + reinterpret_cast<Sums>(_mm256_madd_epi16(reinterpret_cast<__m256i>(x),
                                                           reinterpret_cast<__m256i>(w)));
  }
#else
  typedef std::int32_t Sums __attribute__((vector_size(16)));
  static constexpr std::int64_t kMostStrips = 1;
  template <int S>
  static constexpr int kMostRows = 2;
  static ATHANOR_INLINE Sums add(Sums sums, Sums x, Sums w) {
#if defined(__SSE2__)
    return sums + reinterpret_cast<Sums>(
                      _mm_madd_epi16(reinterpret_cast<__m128i>(x), reinterpret_cast<__m128i>(w)));
#else
    // The low halves, and the high ones: little endian, as all that this library runs on.
    return sums + ((x << 16) >> 16) * ((w << 16) >> 16) + (x >> 16) * (w >> 16);
#endif
  }
#endif
};
#include "tensor/backend/cpu/quantized_dot.h"
}  // namespace pairs

#if defined(ATHANOR_ISA_AVX512) || defined(ATHANOR_ISA_AVX2)
#define ATHANOR_ISA_VNNI
// A region of its own. Clang takes a function's first target, so that the outer region ends before.
#if defined(__clang__)
#pragma clang attribute pop
#if defined(ATHANOR_ISA_AVX512)
#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)
#else
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#endif
#else
#pragma GCC push_options
#if defined(ATHANOR_ISA_AVX512)
#pragma GCC target("avx512vnni")
#else
#pragma GCC target("avxvnni")
#endif
#endif

// Four products of u8 and i8 a lane, added in i32 without saturation (vpdpbusd).
namespace quads {
struct Dot {
  using X = std::uint8_t;
#if defined(ATHANOR_ISA_AVX512)
  typedef std::int32_t Sums __attribute__((vector_size(64)));
  static constexpr std::int64_t kMostStrips = 4;
  template <int S>
  static constexpr int kMostRows = S == 4 ? 6 : 12;
  static ATHANOR_INLINE Sums add(Sums sums, Sums x, Sums w) {
    return reinterpret_cast<Sums>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums),
                                                      reinterpret_cast<__m512i>(x),
                                                      reinterpret_cast<__m512i>(w)));
  }
#else
  typedef std::int32_t Sums __attribute__((vector_size(32)));
  static constexpr std::int64_t kMostStrips = 1;
  template <int S>
  static constexpr int kMostRows = 6;
  static ATHANOR_INLINE Sums add(Sums sums, Sums x, Sums w) {
    return reinterpret_cast<Sums>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sums),
                                                          reinterpret_cast<__m256i>(x),
                                                          reinterpret_cast<__m256i>(w)));
  }
#endif
};
#include "tensor/backend/cpu/quantized_dot.h"
}  // namespace quads

#if defined(__clang__)  // back to what isa_begin.h opened
#pragma clang attribute pop
#if defined(ATHANOR_ISA_AVX512)
#pragma clang attribute push(                                                    \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"))), \
    apply_to = function)
#else
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#endif
#else
#pragma GCC pop_options
#endif
#endif

#include "tensor/backend/cpu/quantized_window.h"

#include "tensor/backend/cpu/quantized_depthwise.h"

// The packing that the kernels of this instruction set like best.
Packing best_packing(const Operand& w, std::int64_t groups) {
  if (PackedLayout::is_depthwise(w, groups)) return Packing::depthwise;
  return vnni() ? Packing::quads : Packing::pairs;
}

}  // namespace

void pack_quantized(const PackQuantizedArgs& a) {
  const PackedLayout layout(a.w, a.groups, a.dilation, best_packing(a.w, a.groups));
  *a.bytes = layout.bytes();
  std::byte* const packed = a.packed.as<std::byte>();
  if (!packed) return;
  std::memset(packed, 0, static_cast<std::size_t>(layout.bytes()));
  std::memcpy(packed, &layout.packing, sizeof layout.packing);
  const std::int8_t* w = a.w.as<std::int8_t>();
  switch (layout.packing) {
    case Packing::depthwise:
      return pack_depthwise(layout, w, packed);
    case Packing::quads:
      return pack_strips_of<std::int8_t>(layout, w, packed);
    case Packing::pairs:
      return pack_strips_of<std::int16_t>(layout, w, packed);
  }
}

double int8_operations_per_step() {
#if defined(ATHANOR_ISA_VNNI)
  if (vnni()) return quads::Peak::operations();
#endif
  return pairs::Peak::operations();
}

std::int32_t run_int8_steps(std::int64_t steps) {
#if defined(ATHANOR_ISA_VNNI)
  if (vnni()) return quads::Peak::run(steps);
#endif
  return pairs::Peak::run(steps);
}

void quantized_conv2d(const QuantizedConv2dArgs& a) {
  Packing packing;
  std::memcpy(&packing, a.packed.data, sizeof packing);
  const PackedLayout layout(a.conv.w, a.conv.groups, a.conv.dilation, packing);
  if (packing == Packing::depthwise) return convolve_depthwise(a, layout);
#if defined(ATHANOR_ISA_VNNI)
  if (packing == Packing::quads) return convolve<quads::Lines>(a, layout);
#endif
  convolve<pairs::Lines>(a, layout);
}

#include "tensor/backend/cpu/isa_end.h"
