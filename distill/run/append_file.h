// The few POSIX calls that append-only logs share: open, write everything, and errors that name the
// path and tell a full disk from other failures.
#pragma once

#include <filesystem>
#include <string_view>

namespace athanor::distill {

// Opens `path` for appending, empty when `truncate`; returns the descriptor. Throws
// out_of_resources on a full disk or quota, else runtime.
int open_append(const std::filesystem::path& path, bool truncate);

// Writes all of `bytes`; throws as above.
void write_all(int fd, std::string_view bytes, const std::filesystem::path& path);

// Creates `directory` and its parents; throws as above.
void make_directories(const std::filesystem::path& directory);

}  // namespace athanor::distill
