#include "data/idx.h"

#include <cstdint>
#include <cstring>
#include <vector>

#include "data/byte_stream.h"
#include "data/gzip.h"
#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/bytes.h"
#include "tensor/io/mapped_file.h"

namespace athanor::data {
namespace {

struct IdxType {
  std::uint8_t code;
  int bytes;    // of an element in the file
  DType dtype;  // in memory
};

constexpr IdxType kIdxTypes[] = {
    {0x08, 1, DType::u8},  {0x09, 1, DType::i8},  {0x0B, 2, DType::i32},
    {0x0C, 4, DType::i32}, {0x0D, 4, DType::f32}, {0x0E, 8, DType::f64},
};

struct IdxHeader {
  IdxType type;
  Shape shape;
  std::uint64_t payload;  // bytes after the header
};

IdxHeader read_header(ByteReader& in, const Limits& limits) {
  const auto zeros = in.big_endian<std::uint16_t>("magic number");
  if (zeros != 0) malformed(in.file(), 0, "magic number", "expected 0 0, found ", zeros);
  const auto code = in.big_endian<std::uint8_t>("element type");
  const IdxType* type = nullptr;
  for (const IdxType& candidate : kIdxTypes) {
    if (candidate.code == code) type = &candidate;
  }
  if (type == nullptr) {
    malformed(in.file(), 2, "element type", "expected 8, 9, 11, 12, 13 or 14, found ", int(code));
  }
  const auto rank = in.big_endian<std::uint8_t>("rank");
  const int max_rank = std::min(limits.max_rank, kMaxRank);
  if (rank > max_rank) {
    malformed(in.file(), 3, "rank", "expected at most ", max_rank, ", found ", int(rank));
  }
  IdxHeader header{*type, {}, 0};
  for (int axis = 0; axis < rank; ++axis) {
    header.shape.push_back(in.big_endian<std::uint32_t>("size"));
  }
  if (!checked_bytes(header.shape, static_cast<std::uint64_t>(type->bytes), limits.max_bytes,
                     header.payload)) {
    malformed(in.file(), 4, "sizes", "expected at most ", limits.max_bytes,
              " bytes of elements, found ", header.shape, " of ", type->bytes, " bytes each");
  }
  return header;
}

// Big-endian elements of type Wire to native elements of type T.
template <class Wire, class T>
void convert(std::span<const std::byte> bytes, T* out) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(Wire); ++i) {
    Wire value;
    std::memcpy(&value, bytes.data() + i * sizeof(Wire), sizeof(Wire));
    value = byte_swapped(value);
    if constexpr (sizeof(Wire) == sizeof(T)) {
      out[i] = std::bit_cast<T>(value);
    } else {
      out[i] = static_cast<std::int16_t>(value);
    }
  }
}

}  // namespace

Tensor parse_idx(std::span<const std::byte> bytes, std::string_view file, const Limits& limits) {
  ByteReader in(bytes, file);
  const IdxHeader header = read_header(in, limits);
  const auto payload = in.take(header.payload, "elements");
  if (in.remaining() != 0) {
    malformed(file, in.offset(), "end", "expected the end of ", header.shape,
              " elements, found more bytes: ", in.remaining());
  }
  Tensor result = empty(header.shape, header.type.dtype);
  if (payload.empty()) return result;
  switch (header.type.code) {
    case 0x0B:
      convert<std::uint16_t>(payload, result.data<std::int32_t>());
      break;
    case 0x0C:
      convert<std::uint32_t>(payload, result.data<std::int32_t>());
      break;
    case 0x0D:
      convert<std::uint32_t>(payload, result.data<float>());
      break;
    case 0x0E:
      convert<std::uint64_t>(payload, result.data<double>());
      break;
    default:
      std::memcpy(result.raw(), payload.data(), payload.size());
  }
  return result;
}

Tensor load_idx(const std::filesystem::path& path, const Limits& limits) {
  const MappedFile file(path, limits);
  const std::string name = path.string();
  if (!is_gzip(file.bytes())) return parse_idx(file.bytes(), name, limits);
  const std::vector<std::byte> content = gunzip(file.bytes(), name, limits);
  return parse_idx(content, name + " (decompressed)", limits);
}

bool is_idx(const std::filesystem::path& path) {
  try {
    ByteStream stream(path);
    char magic[4] = {};
    std::size_t count = 0;
    while (count < sizeof magic) {
      const std::size_t more = stream.read(magic + count, sizeof magic - count);
      if (more == 0) return false;
      count += more;
    }
    const auto type = static_cast<unsigned char>(magic[2]);
    return magic[0] == 0 && magic[1] == 0 && type >= 8 && type <= 14 && magic[3] > 0;
  } catch (const Error&) {
    return false;
  }
}

std::string encode_idx(const Tensor& array) {
  const IdxType* type = nullptr;
  for (const IdxType& candidate : kIdxTypes) {
    if (candidate.dtype == array.dtype() && candidate.bytes == size_of(array.dtype())) {
      type = &candidate;
    }
  }
  if (type == nullptr) {
    fail("encode_idx", "expected u8, i8, i32, f32 or f64, got ", array.dtype());
  }
  std::string out{'\0', '\0', static_cast<char>(type->code), static_cast<char>(array.rank())};
  for (const std::int64_t size : array.shape()) {
    if (size > std::int64_t{0xffffffff}) {
      fail("encode_idx", "expected sizes below 2^32, got ", array.shape());
    }
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(size >> shift));
  }
  const std::size_t begin = out.size();
  for_each_row_major_piece(array, [&](const char* p, std::size_t n) { out.append(p, n); });
  for (std::size_t at = begin; type->bytes > 1 && at < out.size(); at += type->bytes) {
    std::reverse(out.begin() + at, out.begin() + at + type->bytes);
  }
  return out;
}

void save_idx(const std::filesystem::path& path, const Tensor& array) {
  const std::string bytes = encode_idx(array);
  write_file_atomically(path, path.extension() == ".gz" ? gzip(bytes) : bytes);
}

}  // namespace athanor::data
