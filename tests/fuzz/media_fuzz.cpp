#include "data/audio.h"
#include "data/image_file.h"
#include "tests/fuzz/fuzz.h"

// A picture when it begins like PNG or JPEG, else a sound.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return athanor::test::fuzz_one(data, size, [](auto bytes, const athanor::Limits& limits) {
    const bool picture =
        !bytes.empty() && (bytes[0] == std::byte{0x89} || bytes[0] == std::byte{0xff});
    if (picture) {
      athanor::data::parse_image(bytes, "fuzz", athanor::data::PixelFormat::rgb, limits);
    } else {
      athanor::data::parse_sound(bytes, "fuzz", limits);
    }
  });
}
