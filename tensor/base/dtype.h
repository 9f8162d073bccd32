// Element types of tensors.
#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <ostream>

#include "tensor/base/error.h"

namespace athanor {

enum class DType : std::uint8_t { f32, f64, f16, bf16, i8, u8, i32, i64, boolean };

inline constexpr int kDTypeCount = 9;

constexpr std::int64_t size_of(DType t) {
  constexpr std::int64_t sizes[kDTypeCount] = {4, 8, 2, 2, 1, 1, 4, 8, 1};
  return sizes[static_cast<int>(t)];
}

constexpr const char* name_of(DType t) {
  constexpr const char* names[kDTypeCount] = {"f32", "f64", "f16", "bf16", "i8",
                                              "u8",  "i32", "i64", "bool"};
  return names[static_cast<int>(t)];
}

constexpr bool is_floating(DType t) {
  return t == DType::f32 || t == DType::f64 || t == DType::f16 || t == DType::bf16;
}

inline std::ostream& operator<<(std::ostream& out, DType t) { return out << name_of(t); }

// A set of dtypes: what a kernel of the backend table supports.
class DTypeSet {
 public:
  constexpr DTypeSet() = default;
  constexpr DTypeSet(std::initializer_list<DType> types) {
    for (DType t : types) bits_ |= std::uint16_t(1u << static_cast<int>(t));
  }
  constexpr bool contains(DType t) const { return (bits_ >> static_cast<int>(t)) & 1u; }
  constexpr bool empty() const { return bits_ == 0; }

 private:
  std::uint16_t bits_ = 0;
};

inline constexpr DTypeSet kAllDTypes{DType::f32, DType::f64, DType::f16, DType::bf16,   DType::i8,
                                     DType::u8,  DType::i32, DType::i64, DType::boolean};
inline constexpr DTypeSet kFloatDTypes{DType::f32, DType::f64};
inline constexpr DTypeSet kRealDTypes{DType::f32, DType::f64, DType::f16, DType::bf16};
inline constexpr DTypeSet kNumberDTypes{DType::f32, DType::f64, DType::f16, DType::bf16,
                                        DType::i8,  DType::u8,  DType::i32, DType::i64};

// IEEE 754 binary16 as storage; arithmetic happens in float.
struct f16 {
  std::uint16_t bits = 0;
  f16() = default;
  explicit f16(float value);
  operator float() const;
};

// bfloat16 (the upper half of a binary32) as storage; arithmetic happens in float.
struct bf16 {
  std::uint16_t bits = 0;
  bf16() = default;
  explicit bf16(float value) {
    std::uint32_t u = std::bit_cast<std::uint32_t>(value);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
      bits = std::uint16_t((u >> 16) | 0x40u);  // keep NaN quiet
    } else {
      bits = std::uint16_t((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);  // round to nearest even
    }
  }
  operator float() const { return std::bit_cast<float>(std::uint32_t(bits) << 16); }
};

inline f16::f16(float value) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (u >> 16) & 0x8000u;
  const std::uint32_t magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    bits = std::uint16_t(sign | 0x7e00u);  // NaN
  } else if (magnitude >= 0x477ff000u) {
    bits = std::uint16_t(sign | 0x7c00u);  // rounds to infinity
  } else if (magnitude < 0x38800000u) {
    // Subnormal: adding 0.5 aligns the mantissa so that the hardware rounds to nearest even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    bits = std::uint16_t(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u));
  } else {
    const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    bits = std::uint16_t(sign | ((rounded - 0x38000000u) >> 13));
  }
}

inline f16::operator float() const {
  const std::uint32_t sign = std::uint32_t(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0) {
    const float value = float(mantissa) * 0x1p-24f;
    return sign ? -value : value;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

// Carries a C++ element type through visit().
template <class T>
struct Tag {
  using type = T;
};

// The DType of a C++ element type.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<f16> {
  static constexpr DType value = DType::f16;
};
template <>
struct DTypeOf<bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<std::int8_t> {
  static constexpr DType value = DType::i8;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};

// The type in which a kernel computes: float for the 16-bit formats, T itself otherwise.
template <class T>
struct ComputeType {
  using type = T;
};
template <>
struct ComputeType<f16> {
  using type = float;
};
template <>
struct ComputeType<bf16> {
  using type = float;
};
template <class T>
using compute_t = typename ComputeType<T>::type;

// Calls f(Tag<T>{}) with the C++ type of `t`.
template <class F>
decltype(auto) visit(DType t, F&& f) {
  switch (t) {
    case DType::f32:
      return f(Tag<float>{});
    case DType::f64:
      return f(Tag<double>{});
    case DType::f16:
      return f(Tag<f16>{});
    case DType::bf16:
      return f(Tag<bf16>{});
    case DType::i8:
      return f(Tag<std::int8_t>{});
    case DType::u8:
      return f(Tag<std::uint8_t>{});
    case DType::i32:
      return f(Tag<std::int32_t>{});
    case DType::i64:
      return f(Tag<std::int64_t>{});
    case DType::boolean:
      return f(Tag<bool>{});
  }
  throw Error("[visit] unknown dtype");
}

// Calls f(Tag<T>{}) for the four floating dtypes, nothing for others: the kernel table admits none.
template <class F>
void visit_real(DType t, F&& f) {
  visit(t, [&]<class T>(Tag<T> tag) {
    if constexpr (!std::is_integral_v<T>) f(tag);
  });
}

// Calls f(Tag<float>{}) or f(Tag<double>{}); the kernel table admits no other dtype.
template <class F>
decltype(auto) visit_float(DType t, F&& f) {
  if (t == DType::f32) return f(Tag<float>{});
  if (t == DType::f64) return f(Tag<double>{});
  throw Error(str("[visit_float] expected f32 or f64, got ", t));
}

}  // namespace athanor
