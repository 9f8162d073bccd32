#include "data/image_file.h"

#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tensor/io/atomic_file.h"
#include "tensor/io/bytes.h"
#include "tensor/io/mapped_file.h"

namespace athanor::data {
namespace {

// [height, width, channels] bytes to [channels, height, width].
Tensor planes_of(const std::vector<unsigned char>& pixels, std::int64_t height, std::int64_t width,
                 std::int64_t channels) {
  Tensor image = empty({channels, height, width}, DType::u8);
  auto* out = image.data<std::uint8_t>();
  const std::int64_t area = height * width;
  for (std::int64_t i = 0; i < area; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      out[c * area + i] = pixels[static_cast<std::size_t>(i * channels + c)];
    }
  }
  return image;
}

void check_size(std::uint64_t height, std::uint64_t width, std::uint64_t channels,
                std::string_view file, const Limits& limits) {
  std::uint64_t area = 0, bytes = 0;
  if (height == 0 || width == 0 || !checked_multiply(height, width, area) ||
      !checked_multiply(area, channels, bytes) || bytes > limits.max_bytes) {
    malformed(file, 0, "size", "expected 1 to ", limits.max_bytes, " bytes of pixels, found ",
              width, " x ", height);
  }
}

// libpng's simplified interface, which reports errors without longjmp across C++ frames.
struct PngImage {
  png_image image = {};
  PngImage() { image.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image); }
};

Tensor parse_png(std::span<const std::byte> bytes, std::string_view file, PixelFormat format,
                 const Limits& limits) {
  PngImage png;
  if (!png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size())) {
    malformed(file, 0, "PNG", "expected a picture, found: ", png.image.message);
  }
  const auto channels = static_cast<std::uint64_t>(format);
  check_size(png.image.height, png.image.width, channels, file, limits);
  png.image.format = format == PixelFormat::gray ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::vector<unsigned char> pixels(PNG_IMAGE_SIZE(png.image));
  const png_color black = {0, 0, 0};
  if (!png_image_finish_read(&png.image, &black, pixels.data(), 0, nullptr)) {
    malformed(file, 0, "PNG", "expected ", png.image.width, " x ", png.image.height,
              " pixels, found: ", png.image.message);
  }
  return planes_of(pixels, png.image.height, png.image.width, static_cast<std::int64_t>(channels));
}

struct JpegHandle {
  tjhandle handle = tjInitDecompress();
  ~JpegHandle() {
    if (handle) tjDestroy(handle);
  }
};

Tensor parse_jpeg(std::span<const std::byte> bytes, std::string_view file, PixelFormat format,
                  const Limits& limits) {
  const JpegHandle jpeg;
  if (!jpeg.handle) fail("parse_image", "libturbojpeg cannot start: ", tjGetErrorStr());
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, sampling = 0, colours = 0;
  if (tjDecompressHeader3(jpeg.handle, data, bytes.size(), &width, &height, &sampling, &colours) !=
      0) {
    malformed(file, 0, "JPEG", "expected a picture, found: ", tjGetErrorStr2(jpeg.handle));
  }
  const auto channels = static_cast<std::uint64_t>(format);
  check_size(static_cast<std::uint64_t>(height), static_cast<std::uint64_t>(width), channels, file,
             limits);
  std::vector<unsigned char> pixels(static_cast<std::size_t>(height) *
                                    static_cast<std::size_t>(width) * channels);
  const int pixel_format = format == PixelFormat::gray ? TJPF_GRAY : TJPF_RGB;
  // A warning (a cut file, say) is an error too: half a picture is none. The flag limits the scans
  // of a progressive picture, which could take minutes.
  if (tjDecompress2(jpeg.handle, data, bytes.size(), pixels.data(), width, 0, height, pixel_format,
                    TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS) != 0) {
    malformed(file, 0, "JPEG", "expected ", width, " x ", height,
              " pixels, found: ", tjGetErrorStr2(jpeg.handle));
  }
  return planes_of(pixels, height, width, static_cast<std::int64_t>(channels));
}

}  // namespace

Tensor parse_image(std::span<const std::byte> bytes, std::string_view file, PixelFormat format,
                   const Limits& limits) {
  constexpr unsigned char kPng[] = {0x89, 'P', 'N', 'G'}, kJpeg[] = {0xff, 0xd8, 0xff};
  const auto begins = [&](const auto& magic) {
    return bytes.size() > sizeof(magic) && std::memcmp(bytes.data(), magic, sizeof(magic)) == 0;
  };
  if (begins(kPng)) return parse_png(bytes, file, format, limits);
  if (begins(kJpeg)) return parse_jpeg(bytes, file, format, limits);
  malformed(file, 0, "format", "expected a PNG or JPEG picture, found ", bytes.size(),
            " other bytes");
}

Tensor load_image(const std::filesystem::path& path, PixelFormat format, const Limits& limits) {
  return parse_image(read_file(path, limits), path.string(), format, limits);
}

std::string to_png(const Tensor& image) {
  const bool fits = image.rank() == 3 && image.dtype() == DType::u8 &&
                    (image.size(0) == 1 || image.size(0) == 3) && image.numel() > 0;
  if (!fits) fail("to_png", "expected u8 [1 or 3, height, width], got ", describe(image));
  const std::vector<std::uint8_t> planes = image.to_vector<std::uint8_t>();
  const auto channels = static_cast<std::size_t>(image.size(0));
  const std::size_t area = planes.size() / channels;
  std::vector<std::uint8_t> pixels(planes.size());
  for (std::size_t i = 0; i < area; ++i) {
    for (std::size_t c = 0; c < channels; ++c) pixels[i * channels + c] = planes[c * area + i];
  }
  PngImage png;
  png.image.width = static_cast<png_uint_32>(image.size(2));
  png.image.height = static_cast<png_uint_32>(image.size(1));
  png.image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  std::string bytes;
  if (png_image_write_get_memory_size(png.image, size, 0, pixels.data(), 0, nullptr)) {
    bytes.resize(size);
    if (png_image_write_to_memory(&png.image, bytes.data(), &size, 0, pixels.data(), 0, nullptr)) {
      bytes.resize(size);
      return bytes;
    }
  }
  fail("to_png", png.image.message);
}

void save_png(const std::filesystem::path& path, const Tensor& image) {
  write_file_atomically(path, to_png(image));
}

Tensor resize_image(const Tensor& image, std::int64_t height, std::int64_t width) {
  if (image.rank() != 3 || image.dtype() != DType::u8 || image.numel() == 0 || height < 1 ||
      width < 1) {
    fail("resize_image", "expected u8 [C, H, W] and a size above 0, got ", describe(image), " and ",
         height, " x ", width);
  }
  const std::int64_t channels = image.size(0), H = image.size(1), W = image.size(2);
  if (H == height && W == width) return image;
  const std::vector<std::uint8_t> in = image.to_vector<std::uint8_t>();
  Tensor result = empty({channels, height, width}, DType::u8);
  auto* out = result.data<std::uint8_t>();
  struct Tap {
    std::int64_t low, high;
    float share;  // of high
  };
  const auto taps = [](std::int64_t from, std::int64_t to) {
    std::vector<Tap> list;
    for (std::int64_t i = 0; i < to; ++i) {
      const float at = std::max(
          (static_cast<float>(i) + 0.5f) * static_cast<float>(from) / static_cast<float>(to) - 0.5f,
          0.0f);
      const auto low = std::min(static_cast<std::int64_t>(at), from - 1);
      list.push_back({low, std::min(low + 1, from - 1), at - static_cast<float>(low)});
    }
    return list;
  };
  const std::vector<Tap> rows = taps(H, height), columns = taps(W, width);
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::uint8_t* plane = in.data() + c * H * W;
    for (const Tap& r : rows) {
      const std::uint8_t *top = plane + r.low * W, *bottom = plane + r.high * W;
      for (const Tap& q : columns) {
        const auto mix = [](float a, float b, float share) { return a + (b - a) * share; };
        const float value = mix(mix(top[q.low], top[q.high], q.share),
                                mix(bottom[q.low], bottom[q.high], q.share), r.share);
        *out++ = static_cast<std::uint8_t>(std::lround(value));
      }
    }
  }
  return result;
}

}  // namespace athanor::data
