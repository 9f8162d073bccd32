#include "distill/run/tensorboard_writer.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>

#include "distill/run/append_file.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) ? 0x82f63b78u : 0u);
    table[byte] = crc;
  }
  return table;
}

constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

void append_little_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xffu));
}

// Protocol buffers, wire format: a key is (field << 3) | type.
enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80u) {
    out.push_back(static_cast<char>((value & 0x7fu) | 0x80u));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void append_key(std::string& out, std::uint32_t field, WireType type) {
  append_varint(out, (field << 3) | type);
}

void append_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out.append(bytes);
}

// Event.wall_time = 1, seconds since 1970.
std::string event_at_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string event;
  append_key(event, 1, kFixed64);
  append_little_endian(event,
                       std::bit_cast<std::uint64_t>(std::chrono::duration<double>(now).count()), 8);
  return event;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char c : bytes) {
    crc = kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xffu] ^ (crc >> 8);
  }
  return crc ^ 0xffffffffu;
}

std::uint32_t masked_crc32c(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

std::string tfrecord_frame(std::string_view payload) {
  std::string frame;
  frame.reserve(payload.size() + 16);
  append_little_endian(frame, payload.size(), 8);
  append_little_endian(frame, masked_crc32c(frame), 4);
  frame.append(payload);
  append_little_endian(frame, masked_crc32c(payload), 4);
  return frame;
}

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& directory) {
  make_directories(directory);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  path_ = directory / str("events.out.tfevents.", seconds, ".", ::getpid(), ".athanor");
  fd_ = open_append(path_, /*truncate=*/false);
  std::string event = event_at_now();
  append_bytes(event, 3, "brain.Event:2");  // Event.file_version = 3
  write_event(event);
}

TensorBoardWriter::~TensorBoardWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void TensorBoardWriter::add_scalars(std::int64_t step,
                                    std::span<const std::pair<std::string, double>> scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    std::string entry;  // Summary.Value
    append_bytes(entry, 1, tag);
    append_key(entry, 2, kFixed32);  // simple_value
    append_little_endian(entry, std::bit_cast<std::uint32_t>(static_cast<float>(value)), 4);
    append_bytes(summary, 1, entry);
  }
  std::string event = event_at_now();
  append_key(event, 2, kVarint);  // Event.step = 2
  append_varint(event, static_cast<std::uint64_t>(step));
  append_bytes(event, 5, summary);  // Event.summary = 5
  write_event(event);
}

void TensorBoardWriter::write_event(std::string_view event) {
  write_all(fd_, tfrecord_frame(event), path_);
}

}  // namespace athanor::distill
