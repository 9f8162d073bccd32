// safetensors, the format in which weights are stored and published
// (https://huggingface.co/docs/safetensors):
//   u64 header length | JSON header: name -> {dtype, shape, data_offsets}, __metadata__ | data
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/io/limits.h"
#include "tensor/io/mapped_file.h"
#include "tensor/tensor.h"

namespace athanor {

// Where a tensor stands in the file.
struct SafetensorsEntry {
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t begin = 0;  // offsets in the file
  std::uint64_t end = 0;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry> entries;
  SafetensorsMetadata metadata;
};

// Reads and checks the header of a whole file. Refused as bad_input, with `file`, offset, field,
// expected and found: a header longer than the file or limits.max_header; JSON that is malformed or
// has a member twice, unknown, missing or of another type; dtypes other than F32 F64 F16 BF16 I8 U8
// I32 I64 BOOL; a shape whose size is not that of the data; data that overlap, leave a gap, or do
// not end with the file.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> bytes, std::string_view file,
                                           const Limits& limits = {});

// A file that is mapped and whose header is checked; tensors are copied out on demand. Reading from
// several threads is safe.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path, const Limits& limits = {});

  const SafetensorsMetadata& metadata() const { return header_.metadata; }
  const std::map<std::string, SafetensorsEntry>& entries() const { return header_.entries; }
  bool contains(const std::string& name) const { return header_.entries.contains(name); }
  // Throws bad_input when the file has no such tensor, or its bool elements are not 0 or 1.
  Tensor tensor(const std::string& name) const;

 private:
  std::string name_;
  MappedFile file_;
  SafetensorsHeader header_;
};

using NamedTensors = std::map<std::string, Tensor>;

// All tensors and the metadata of a file.
std::pair<NamedTensors, SafetensorsMetadata> load_safetensors(const std::filesystem::path& path,
                                                              const Limits& limits = {});

// Writes atomically. Equal tensors and metadata give equal bytes: data are ordered by element size
// (largest first, so that each is aligned), then by name. Any strides. Names and metadata are
// UTF-8; the name "__metadata__" is refused.
void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                      const SafetensorsMetadata& metadata = {});

}  // namespace athanor
