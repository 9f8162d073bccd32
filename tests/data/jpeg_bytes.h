// JPEG pictures for tests; the library itself writes none.
#pragma once

#include <turbojpeg.h>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace athanor::test {

// The bytes of a baseline JPEG of u8 [3, H, W], quality 95, full colour resolution.
inline std::string jpeg_of(const Tensor& image) {
  const auto planes = image.to_vector<std::uint8_t>();
  const std::size_t area = planes.size() / 3;
  std::vector<unsigned char> pixels(planes.size());
  for (std::size_t i = 0; i < planes.size(); ++i) pixels[i] = planes[i % 3 * area + i / 3];
  unsigned char* out = nullptr;
  unsigned long size = 0;
  tjhandle handle = tjInitCompress();
  REQUIRE(tjCompress2(handle, pixels.data(), static_cast<int>(image.size(2)), 0,
                      static_cast<int>(image.size(1)), TJPF_RGB, &out, &size, TJSAMP_444, 95,
                      0) == 0);
  std::string bytes(reinterpret_cast<char*>(out), size);
  tjFree(out);
  tjDestroy(handle);
  return bytes;
}

}  // namespace athanor::test
