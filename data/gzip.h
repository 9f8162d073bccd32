// gzip (RFC 1952) in memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/io/limits.h"

namespace athanor::data {

// The window of zlib that means: the largest, with the gzip wrapper.
inline constexpr int kGzipWindow = 15 + 16;

// True when the bytes begin like a gzip member.
bool is_gzip(std::span<const std::byte> bytes);

// The content of one or more concatenated gzip members, checksums verified. Throws bad_input,
// naming `file`, when the stream is corrupt, ends early, is followed by other bytes, or
// decompresses to more than limits.max_bytes (memory never grows beyond that).
std::vector<std::byte> gunzip(std::span<const std::byte> bytes, std::string_view file,
                              const Limits& limits = {});

// One gzip member without name and time, so that equal input gives equal output. level is 0 (store)
// to 9 (smallest).
std::string gzip(std::string_view bytes, int level = 6);

}  // namespace athanor::data
