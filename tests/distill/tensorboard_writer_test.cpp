#include "distill/run/tensorboard_writer.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tensor/base/error.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

// An independent reader of the wire format, enough for events.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return at_ >= bytes_.size(); }
  std::uint64_t fixed(int size) {
    REQUIRE(at_ + static_cast<std::size_t>(size) <= bytes_.size());
    std::uint64_t value = 0;
    for (int i = 0; i < size; ++i) {
      value |= std::uint64_t(static_cast<unsigned char>(bytes_[at_++])) << (8 * i);
    }
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = fixed(1);
      value |= (byte & 0x7fu) << shift;
      if (byte < 0x80u) return value;
    }
  }
  std::string_view bytes(std::size_t size) {
    REQUIRE(at_ + size <= bytes_.size());
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

struct Event {
  double wall_time = 0;
  std::uint64_t step = 0;
  std::string version;
  std::map<std::string, float> scalars;
};

void read_value(std::string_view bytes, Event& event) {
  Reader in(bytes);
  std::string tag;
  float value = 0;
  while (!in.done()) {
    const auto key = in.varint();
    if (key == ((1u << 3) | 2u)) {
      tag = in.bytes(in.varint());
    } else {
      REQUIRE(key == ((2u << 3) | 5u));
      value = std::bit_cast<float>(static_cast<std::uint32_t>(in.fixed(4)));
    }
  }
  event.scalars[tag] = value;
}

Event read_event(std::string_view bytes) {
  Event event;
  Reader in(bytes);
  while (!in.done()) {
    const auto key = in.varint();
    if (key == ((1u << 3) | 1u)) {
      event.wall_time = std::bit_cast<double>(in.fixed(8));
    } else if (key == (2u << 3)) {
      event.step = in.varint();
    } else if (key == ((3u << 3) | 2u)) {
      event.version = in.bytes(in.varint());
    } else {
      REQUIRE(key == ((5u << 3) | 2u));
      Reader summary(in.bytes(in.varint()));
      while (!summary.done()) {
        REQUIRE(summary.varint() == ((1u << 3) | 2u));
        read_value(summary.bytes(summary.varint()), event);
      }
    }
  }
  return event;
}

std::vector<Event> read_events(const std::string& file) {
  std::vector<Event> events;
  Reader in(file);
  while (!in.done()) {
    const auto length = in.fixed(8);
    std::string length_bytes;
    for (int i = 0; i < 8; ++i) length_bytes.push_back(static_cast<char>(length >> (8 * i)));
    REQUIRE(in.fixed(4) == masked_crc32c(length_bytes));
    const auto payload = in.bytes(length);
    REQUIRE(in.fixed(4) == masked_crc32c(payload));
    events.push_back(read_event(payload));
  }
  return events;
}

}  // namespace

TEST_CASE("crc32c gives the published check values", "[tensorboard]") {
  CHECK(crc32c("") == 0u);
  CHECK(crc32c("123456789") == 0xe3069283u);  // the check value of CRC-32/ISCSI
  // RFC 3720, appendix B.4.
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aau);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising.push_back(static_cast<char>(i));
  CHECK(crc32c(rising) == 0x46dd794eu);
}

TEST_CASE("the CRC mask follows its definition", "[tensorboard]") {
  const std::uint32_t crc = 0xe3069283u;
  CHECK(masked_crc32c("123456789") == ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
}

TEST_CASE("an event file reads back", "[tensorboard]") {
  const TemporaryDirectory dir;
  std::filesystem::path path;
  {
    TensorBoardWriter writer(dir.path() / "tensorboard" / "student");
    path = writer.path();
    const std::vector<std::pair<std::string, double>> first = {{"loss/total", 2.25},
                                                               {"train/lr", 0.002}};
    const std::vector<std::pair<std::string, double>> second = {{"loss/total", -1.5}};
    writer.add_scalars(0, first);
    writer.add_scalars(300000, second);  // a step of three varint bytes
  }
  CHECK(path.filename().string().find("tfevents") != std::string::npos);
  const auto events = read_events(read_text(path));
  REQUIRE(events.size() == 3);
  CHECK(events[0].version == "brain.Event:2");
  CHECK(events[0].wall_time > 1.6e9);  // after 2020
  CHECK(events[1].step == 0);
  CHECK(events[1].scalars.at("loss/total") == 2.25f);
  CHECK(events[1].scalars.at("train/lr") == 0.002f);
  CHECK(events[2].step == 300000);
  CHECK(events[2].scalars.at("loss/total") == -1.5f);
}

TEST_CASE("a directory that cannot be made is named", "[tensorboard]") {
  const TemporaryDirectory dir;
  write_text(dir.path() / "taken", "a file");
  try {
    TensorBoardWriter writer(dir.path() / "taken" / "below");
    FAIL("expected an error");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::runtime);
    CHECK(std::string(e.what()).find("taken") != std::string::npos);
  }
}
