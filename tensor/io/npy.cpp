#include "tensor/io/npy.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/bytes.h"
#include "tensor/io/mapped_file.h"

namespace athanor {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

// `descr` is the element type in the file, `dtype` that of the tensor. They differ for the 16- and
// 32-bit integers that only the file has: those are widened.
struct NpyType {
  DType dtype;
  std::string_view descr;
  std::uint64_t bytes;  // of an element in the file
  bool widened = false;
};
constexpr NpyType kNpyTypes[] = {
    {DType::f32, "<f4", 4},       {DType::f64, "<f8", 8},       {DType::f16, "<f2", 2},
    {DType::i8, "|i1", 1},        {DType::u8, "|u1", 1},        {DType::i32, "<i4", 4},
    {DType::i64, "<i8", 8},       {DType::boolean, "|b1", 1},   {DType::i32, "<i2", 2, true},
    {DType::i32, "<u2", 2, true}, {DType::i64, "<u4", 4, true},
};

struct NpyHeader {
  NpyType type;
  bool fortran_order = false;
  Shape shape;
};

template <class Wire, class T>
Tensor widen(std::span<const std::byte> bytes, const Shape& shape) {
  Tensor result = empty(shape, DTypeOf<T>::value);
  detail::label_new_blocks("read");
  T* out = result.data<T>();
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    Wire value;
    std::memcpy(&value, bytes.data() + i * std::int64_t{sizeof(Wire)}, sizeof(Wire));
    out[i] = value;
  }
  return result;
}

// Reads the dict literal, e.g. {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class DictParser {
 public:
  DictParser(std::string_view text, std::string_view file, std::uint64_t base, const Limits& limits)
      : text_(text), file_(file), base_(base), limits_(limits) {}

  NpyHeader run() {
    std::optional<NpyType> type;
    std::optional<bool> fortran_order;
    std::optional<Shape> shape;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = string();
      expect(':');
      if (key == "descr" && !type) {
        type = descr();
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = boolean();
      } else if (key == "shape" && !shape) {
        shape = tuple();
      } else {
        refuse("descr, fortran_order and shape, each once", str('\'', key, '\''));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) refuse("only white space after the dict", found_here());
    if (!type || !fortran_order || !shape) {
      refuse("descr, fortran_order and shape", "not all of them");
    }
    return {*type, *fortran_order, *shape};
  }

 private:
  [[noreturn]] void refuse(std::string_view expected, std::string_view found) const {
    malformed(file_, base_ + at_, "header", "expected ", expected, ", found ", found);
  }
  std::string found_here() const {
    if (at_ >= text_.size()) return "the end";
    return str("byte ", int(static_cast<unsigned char>(text_[at_])));
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) refuse(str('\'', c, '\''), found_here());
  }

  std::string_view string() {
    skip_space();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') refuse("a string", found_here());
    const std::size_t end = text_.find(quote, at_ + 1);
    const std::string_view value = text_.substr(at_ + 1, end - at_ - 1);
    if (end == std::string_view::npos || value.find('\\') != std::string_view::npos) {
      refuse("a string without escapes", "another");
    }
    at_ = end + 1;
    return value;
  }

  NpyType descr() {
    skip_space();
    if (at_ < text_.size() && text_[at_] == '[') {
      refuse("a plain element type", "a structured one");
    }
    const std::string_view name = string();
    for (const NpyType& type : kNpyTypes) {
      // One-byte types have no byte order; some writers name one nevertheless.
      const bool one_byte = type.descr[0] == '|';
      if (name == type.descr ||
          (one_byte && name.size() == 3 && (name[0] == '<' || name[0] == '>') &&
           name.substr(1) == type.descr.substr(1))) {
        return type;
      }
    }
    refuse(
        "descr <f4, <f8, <f2, |i1, |u1, <i2, <u2, <i4, <u4, <i8 or |b1",
        str('\'', name, '\'', name.starts_with('>') ? " (big-endian; convert it in NumPy)" : ""));
  }

  bool boolean() {
    skip_space();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return value;
      }
    }
    refuse("True or False", found_here());
  }

  Shape tuple() {
    Shape shape;
    const int max_rank = std::min(limits_.max_rank, kMaxRank);
    expect('(');
    bool comma = true;
    while (!accept(')')) {
      if (!comma) refuse("',' or ')'", found_here());
      if (shape.size() >= max_rank) refuse(str("rank <= ", max_rank), "a larger rank");
      shape.push_back(integer());
      comma = accept(',');
    }
    // (3) is a number in Python, not a tuple.
    if (shape.size() == 1 && !comma) refuse("a tuple", "a number in parentheses");
    return shape;
  }

  std::int64_t integer() {
    skip_space();
    const std::size_t begin = at_;
    std::int64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const int digit = text_[at_] - '0';
      if (value > (std::numeric_limits<std::int64_t>::max() - digit) / 10) {
        refuse("a size below 2^63", "a larger one");
      }
      value = value * 10 + digit;
    }
    if (at_ == begin) refuse("a size", found_here());
    return value;
  }

  std::string_view text_;
  std::string_view file_;
  std::uint64_t base_;
  const Limits& limits_;
  std::size_t at_ = 0;
};

std::string_view read_dict(ByteReader& in, const Limits& limits) {
  const auto magic = in.take(kMagic.size(), "magic");
  if (std::memcmp(magic.data(), kMagic.data(), kMagic.size()) != 0) {
    malformed(in.file(), 0, "magic", "expected \\x93NUMPY, found other bytes");
  }
  const int major = in.little_endian<std::uint8_t>("version");
  const int minor = in.little_endian<std::uint8_t>("version");
  if ((major != 1 && major != 2) || minor != 0) {
    malformed(in.file(), kMagic.size(), "version", "expected 1.0 or 2.0, found ", major, '.',
              minor);
  }
  const std::uint64_t length = major == 1 ? in.little_endian<std::uint16_t>("header length")
                                          : in.little_endian<std::uint32_t>("header length");
  if (length > limits.max_header) {
    malformed(in.file(), kMagic.size() + 2, "header length", "expected at most ", limits.max_header,
              ", found ", length);
  }
  const auto header = in.take(length, "header");
  return {reinterpret_cast<const char*>(header.data()), header.size()};
}

Tensor read_elements(std::span<const std::byte> bytes, const Shape& shape, const NpyType& type,
                     std::string_view file, std::uint64_t offset) {
  if (!type.widened) {
    return tensor_from_bytes(bytes, shape, type.dtype, file, offset, "elements");
  }
  if (type.descr == "<i2") return widen<std::int16_t, std::int32_t>(bytes, shape);
  if (type.descr == "<u2") return widen<std::uint16_t, std::int32_t>(bytes, shape);
  return widen<std::uint32_t, std::int64_t>(bytes, shape);
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, std::string_view file, const Limits& limits) {
  ByteReader in(bytes, file);
  const std::string_view dict = read_dict(in, limits);
  const NpyHeader header = DictParser(dict, file, in.offset() - dict.size(), limits).run();
  std::uint64_t size = 0;
  if (!checked_bytes(header.shape, header.type.bytes, limits.max_bytes, size)) {
    malformed(file, in.offset(), "shape", "expected at most ", limits.max_bytes,
              " bytes of elements, found ", header.shape, " of ", header.type.descr);
  }
  const std::uint64_t begin = in.offset();
  const auto elements = in.take(size, "elements");
  if (in.remaining() != 0) {
    malformed(file, in.offset(), "end", "expected the end of ", header.shape, " elements of ",
              header.type.descr, ", found more bytes: ", in.remaining());
  }
  // Column-major [a, b, c] is row-major [c, b, a] with the axes reversed.
  Shape stored = header.shape;
  if (header.fortran_order) std::reverse(stored.begin(), stored.end());
  const Tensor t = read_elements(elements, stored, header.type, file, begin);
  if (!header.fortran_order) return t;
  Strides strides = t.strides();
  std::reverse(strides.begin(), strides.end());
  return Tensor(t.storage(), header.shape, strides, 0, t.dtype());
}

Tensor load_npy(const std::filesystem::path& path, const Limits& limits) {
  const MappedFile file(path, limits);
  return parse_npy(file.bytes(), path.string(), limits);
}

std::string encode_npy(const Tensor& array) {
  const auto* type =
      std::find_if(std::begin(kNpyTypes), std::end(kNpyTypes),
                   [&](const NpyType& candidate) { return candidate.dtype == array.dtype(); });
  if (type == std::end(kNpyTypes)) {
    fail("encode_npy", "expected a dtype that NumPy has, got ", array.dtype(), "; cast it first");
  }
  std::string dict = str("{'descr': '", type->descr, "', 'fortran_order': False, 'shape': (");
  for (int i = 0; i < array.rank(); ++i) {
    dict += str(i ? " " : "", array.size(i), i + 1 < array.rank() || i == 0 ? "," : "");
  }
  dict += "), }";
  // Spaces and a newline at the end, so that the elements begin at a multiple of 64 bytes.
  const std::size_t fixed = kMagic.size() + 4;
  dict.append(63 - (fixed + dict.size()) % 64, ' ');
  dict += '\n';

  std::string out(kMagic);
  out += {'\x01', '\x00'};
  out += static_cast<char>(dict.size() & 0xff);
  out += static_cast<char>(dict.size() >> 8);
  out += dict;
  for_each_row_major_piece(array, [&](const char* p, std::size_t n) { out.append(p, n); });
  return out;
}

void save_npy(const std::filesystem::path& path, const Tensor& array) {
  write_file_atomically(path, encode_npy(array));
}

}  // namespace athanor
