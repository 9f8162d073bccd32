// Scalars in the event-file format that TensorBoard reads: TFRecord frames around `Event` protocol
// buffers (tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace athanor::distill {

// CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4).
std::uint32_t crc32c(std::string_view bytes);

// The CRC as TFRecord stores it: rotated right by 15 bits plus a constant, so that a CRC over data
// which itself holds CRCs stays meaningful.
std::uint32_t masked_crc32c(std::string_view bytes);

// One TFRecord frame: length (u64), masked CRC of the length, payload, masked CRC of the payload;
// little-endian.
std::string tfrecord_frame(std::string_view payload);

// Writes one event file. Not thread-safe.
class TensorBoardWriter {
 public:
  // Opens `directory`/events.out.tfevents.<seconds>.<pid>.athanor and creates the directory when it
  // does not exist. Throws out_of_resources on a full disk, else runtime, naming the path.
  explicit TensorBoardWriter(const std::filesystem::path& directory);
  ~TensorBoardWriter();
  TensorBoardWriter(const TensorBoardWriter&) = delete;
  TensorBoardWriter& operator=(const TensorBoardWriter&) = delete;

  // One event that holds all (tag, value) pairs; values are stored as float. The event reaches the
  // operating system before the call returns.
  void add_scalars(std::int64_t step, std::span<const std::pair<std::string, double>> scalars);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write_event(std::string_view event);

  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace athanor::distill
