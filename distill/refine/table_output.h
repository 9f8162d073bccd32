// The files that a refinement of a table leaves behind.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "distill/refine/table_refine.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {

// An AtomicFile behind a buffer.
class BufferedFile {
 public:
  explicit BufferedFile(const std::filesystem::path& path) : file_(path) {}
  BufferedFile& operator<<(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() > (std::size_t{1} << 17)) flush();
    return *this;
  }
  void commit() {
    flush();
    file_.commit();
  }

 private:
  void flush() {
    file_.write(buffer_);
    buffer_.clear();
  }
  AtomicFile file_;
  std::string buffer_;
};

// `value` as a CSV field, in quotes where RFC 4180 asks for them.
std::string csv_field(std::string_view value);

// Second reading of the input: golden, dropped, rejected, scores, repairs, groups. Returns what
// became of each slice.
std::vector<Slicing> write_record_files(const TableRefineOptions& options,
                                        const TableRefineResult& result, ProgressSink& progress);

std::string table_summary(const TableRefineOptions& options, const TableRefineResult& result);

}  // namespace athanor::distill
