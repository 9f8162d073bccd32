// NPZ, NumPy's format for several named arrays: a zip archive of .npy files.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor::data {

// All arrays by name (without ".npy"), stored or deflated. Throws bad_input naming `file` and the
// member: no zip archive, an encrypted or damaged member, a name twice, a member that is no .npy,
// what parse_npy() refuses, and more than limits.max_bytes in all.
std::map<std::string, Tensor> parse_npz(std::span<const std::byte> bytes, std::string_view file,
                                        const Limits& limits = {});
std::map<std::string, Tensor> load_npz(const std::filesystem::path& path,
                                       const Limits& limits = {});

// Writes atomically, members stored as numpy.savez does, or deflated as numpy.savez_compressed.
void save_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& arrays,
              bool compressed = false);

}  // namespace athanor::data
