#include "tensor/io/safetensors.h"

#include <algorithm>
#include <optional>

#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/bytes.h"
#include "tensor/io/json_scanner.h"

namespace athanor {
namespace {

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::uint64_t kLengthBytes = 8;

struct TypeName {
  DType dtype;
  std::string_view name;
};
constexpr TypeName kTypeNames[] = {
    {DType::f32, "F32"},   {DType::f64, "F64"}, {DType::f16, "F16"},
    {DType::bf16, "BF16"}, {DType::i8, "I8"},   {DType::u8, "U8"},
    {DType::i32, "I32"},   {DType::i64, "I64"}, {DType::boolean, "BOOL"},
};

std::string_view type_name(DType dtype) {
  for (const TypeName& type : kTypeNames) {
    if (type.dtype == dtype) return type.name;
  }
  fail("save_safetensors", "unknown dtype ", dtype);
}

// Reads one header; offsets are those in the file.
class HeaderParser {
 public:
  HeaderParser(std::string_view header, std::string_view file, std::uint64_t file_bytes,
               const Limits& limits)
      : json_(header, file, kLengthBytes),
        file_(file),
        data_begin_(kLengthBytes + header.size()),
        file_bytes_(file_bytes),
        limits_(limits) {}

  SafetensorsHeader run() {
    json_.object("header", [&](const std::string& name) {
      if (name == kMetadata) {
        metadata();
      } else {
        if (result_.entries.size() >= limits_.max_tensors) {
          json_.refuse("header", str("at most ", limits_.max_tensors, " tensors"), "more");
        }
        const SafetensorsEntry entry = tensor(name);
        if (!result_.entries.emplace(name, entry).second) refuse_twice("header", name);
      }
    });
    json_.expect_end();
    check_cover();
    return std::move(result_);
  }

 private:
  [[noreturn]] void refuse_twice(std::string_view field, std::string_view name) {
    json_.refuse(field, "each name once", str('"', name, "\" twice"));
  }

  void metadata() {
    if (std::exchange(has_metadata_, true)) refuse_twice("header", kMetadata);
    json_.object(kMetadata, [&](const std::string& key) {
      if (!result_.metadata.emplace(key, json_.string(kMetadata)).second) {
        refuse_twice(kMetadata, key);
      }
    });
  }

  SafetensorsEntry tensor(const std::string& name) {
    std::optional<DType> dtype;
    std::optional<Shape> shape;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> offsets;
    const std::string field = str("tensor \"", name, '"');
    json_.object(field, [&](const std::string& key) {
      if (key == "dtype") {
        if (dtype) refuse_twice(field, key);
        dtype = type(field);
      } else if (key == "shape") {
        if (shape) refuse_twice(field, key);
        shape = sizes(field);
      } else if (key == "data_offsets") {
        if (offsets) refuse_twice(field, key);
        offsets = range(field);
      } else {
        json_.refuse(field, "dtype, shape or data_offsets", str('"', key, '"'));
      }
    });
    if (!dtype || !shape || !offsets) {
      json_.refuse(field, "dtype, shape and data_offsets", "not all of them");
    }
    return checked(field, {*dtype, *shape, offsets->first, offsets->second});
  }

  DType type(std::string_view field) {
    const std::string name = json_.string(field);
    for (const TypeName& candidate : kTypeNames) {
      if (candidate.name == name) return candidate.dtype;
    }
    json_.refuse(field, "dtype F32, F64, F16, BF16, I8, U8, I32, I64 or BOOL", str('"', name, '"'));
  }

  Shape sizes(std::string_view field) {
    Shape shape;
    const int max_rank = std::min(limits_.max_rank, kMaxRank);
    json_.array(field, [&] {
      if (shape.size() >= max_rank) {
        json_.refuse(field, str("rank <= ", max_rank), "a larger rank");
      }
      shape.push_back(static_cast<std::int64_t>(json_.unsigned_integer(field)));
    });
    return shape;
  }

  std::pair<std::uint64_t, std::uint64_t> range(std::string_view field) {
    json_.expect('[', field);
    const std::uint64_t begin = json_.unsigned_integer(field);
    json_.expect(',', field);
    const std::uint64_t end = json_.unsigned_integer(field);
    json_.expect(']', field);
    return {begin, end};
  }

  // Offsets from the start of the data -> offsets in the file.
  SafetensorsEntry checked(std::string_view field, SafetensorsEntry entry) {
    const std::uint64_t available = file_bytes_ - data_begin_;
    if (entry.begin > entry.end || entry.end > available) {
      json_.refuse(field, str("data_offsets in order and <= ", available),
                   str('[', entry.begin, ", ", entry.end, ']'));
    }
    std::uint64_t bytes = 0;
    const auto element = static_cast<std::uint64_t>(size_of(entry.dtype));
    if (!checked_bytes(entry.shape, element, limits_.max_bytes, bytes) ||
        bytes != entry.end - entry.begin) {
      json_.refuse(field, str("the bytes of ", entry.shape, ' ', entry.dtype),
                   str(entry.end - entry.begin, " bytes"));
    }
    entry.begin += data_begin_;
    entry.end += data_begin_;
    return entry;
  }

  // The data of all tensors, put in order, are the rest of the file: no gap, no overlap.
  void check_cover() {
    std::vector<const std::pair<const std::string, SafetensorsEntry>*> order;
    for (const auto& item : result_.entries) order.push_back(&item);
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
      return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
    });
    std::uint64_t at = data_begin_;
    for (const auto* item : order) {
      if (item->second.begin != at) {
        malformed(file_, item->second.begin, str("tensor \"", item->first, '"'),
                  "expected data from offset ", at, " on, without gap or overlap; found them at ",
                  item->second.begin);
      }
      at = item->second.end;
    }
    if (at != file_bytes_) {
      malformed(file_, at, "end",
                "expected the end of the file, found more bytes: ", file_bytes_ - at);
    }
  }

  JsonScanner json_;
  std::string_view file_;
  std::uint64_t data_begin_;
  std::uint64_t file_bytes_;
  const Limits& limits_;
  SafetensorsHeader result_;
  bool has_metadata_ = false;
};

std::string header_json(const std::vector<const NamedTensors::value_type*>& order,
                        const SafetensorsMetadata& metadata) {
  std::string json = "{";
  if (!metadata.empty()) {
    json += str('"', kMetadata, "\":{");
    for (const auto& [key, value] : metadata) {
      json += json_quoted(key) + ':' + json_quoted(value) + ',';
    }
    json.back() = '}';
    json += ',';
  }
  std::int64_t begin = 0;
  for (const auto* item : order) {
    const Tensor& t = item->second;
    const std::int64_t end = begin + t.numel() * size_of(t.dtype());
    json +=
        json_quoted(item->first) + str(":{\"dtype\":\"", type_name(t.dtype()), "\",\"shape\":[");
    for (int i = 0; i < t.rank(); ++i) json += str(i ? "," : "", t.size(i));
    json += str("],\"data_offsets\":[", begin, ',', end, "]},");
    begin = end;
  }
  if (json.back() == ',') json.pop_back();
  json += '}';
  json.append((8 - json.size() % 8) % 8, ' ');  // data begin aligned for every dtype
  return json;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> bytes, std::string_view file,
                                           const Limits& limits) {
  ByteReader in(bytes, file);
  const auto length = in.little_endian<std::uint64_t>("header length");
  if (length > limits.max_header) {
    malformed(file, 0, "header length", "expected at most ", limits.max_header, ", found ", length);
  }
  const auto header = in.take(length, "header");
  if (header.empty() || header[0] != std::byte{'{'}) {
    malformed(file, kLengthBytes, "header", "expected '{' as its first byte");
  }
  const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  return HeaderParser(text, file, bytes.size(), limits).run();
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path, const Limits& limits)
    : name_(path.string()),
      file_(path, limits),
      header_(parse_safetensors_header(file_.bytes(), name_, limits)) {}

Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto found = header_.entries.find(name);
  if (found == header_.entries.end()) {
    raise(ErrorKind::bad_input, name_, ": expected a tensor \"", name, "\", found none among ",
          header_.entries.size());
  }
  const SafetensorsEntry& entry = found->second;
  return tensor_from_bytes(file_.bytes().subspan(entry.begin, entry.end - entry.begin), entry.shape,
                           entry.dtype, name_, entry.begin, name);
}

std::pair<NamedTensors, SafetensorsMetadata> load_safetensors(const std::filesystem::path& path,
                                                              const Limits& limits) {
  const SafetensorsFile file(path, limits);
  NamedTensors tensors;
  for (const auto& item : file.entries()) tensors.emplace(item.first, file.tensor(item.first));
  return {std::move(tensors), file.metadata()};
}

void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const SafetensorsMetadata& metadata) {
  std::vector<const NamedTensors::value_type*> order;
  for (const auto& item : tensors) {
    if (item.first == kMetadata) fail("save_safetensors", "a tensor cannot be named ", kMetadata);
    if (!item.second.defined()) {
      fail("save_safetensors", "expected tensors, got none under \"", item.first, '"');
    }
    order.push_back(&item);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return size_of(a->second.dtype()) > size_of(b->second.dtype());
  });
  const std::string json = header_json(order, metadata);
  const auto length = static_cast<std::uint64_t>(json.size());
  AtomicFile file(path);
  file.write(&length, sizeof(length));
  file.write(json);
  for (const auto* item : order) {
    for_each_row_major_piece(item->second,
                             [&](const char* data, std::size_t size) { file.write(data, size); });
  }
  file.commit();
}

}  // namespace athanor
