#include "data/image_file.h"

#include <catch2/catch.hpp>

#include "data/image_folder.h"
#include "tests/data/jpeg_bytes.h"
#include "tests/io/mutate.h"
#include "tests/io/scratch.h"

using namespace athanor;
using namespace athanor::data;
using athanor::test::error_of;
using athanor::test::jpeg_of;

namespace {

Tensor gradient(std::int64_t channels, std::int64_t height, std::int64_t width) {
  std::vector<std::uint8_t> values;
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        values.push_back(static_cast<std::uint8_t>(40 * c + 5 * y + 3 * x));
      }
    }
  }
  return from_values(values, {channels, height, width});
}

}  // namespace

TEST_CASE("PNG goes there and back exactly, JPEG within its loss") {
  const test::ScratchDirectory scratch;
  for (const std::int64_t channels : {1, 3}) {
    const Tensor image = gradient(channels, 6, 9);
    save_png(scratch.path() / "x.png", image);
    const Tensor read = load_image(scratch.path() / "x.png", static_cast<PixelFormat>(channels));
    CHECK(read.shape() == image.shape());
    CHECK(read.to_vector<std::uint8_t>() == image.to_vector<std::uint8_t>());
  }
  const Tensor image = gradient(3, 16, 16);
  const Tensor read = parse_image(test::as_bytes(jpeg_of(image)), "x.jpg", PixelFormat::rgb);
  const auto a = image.to_vector<std::uint8_t>(), b = read.to_vector<std::uint8_t>();
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(std::abs(a[i] - b[i]) <= 8);
  CHECK(parse_image(test::as_bytes(jpeg_of(image)), "x.jpg", PixelFormat::gray).shape() ==
        Shape{1, 16, 16});
}

TEST_CASE("damaged pictures are refused within the limits") {
  const test::ScratchDirectory scratch;
  save_png(scratch.path() / "x.png", gradient(3, 12, 12));
  const std::string png = test::slurp(scratch.path() / "x.png"),
                    jpeg = jpeg_of(gradient(3, 12, 12));
  Limits limits;
  limits.max_bytes = 1 << 16;
  const auto parse = [&](std::span<const std::byte> bytes) {
    parse_image(bytes, "x", PixelFormat::rgb, limits);
  };
  // What follows the last pixel may be cut.
  CHECK(test::every_truncation(png, parse).refused > 40);
  CHECK(test::every_truncation(jpeg, parse).refused > 300);
  CHECK(test::random_mutations(png, 1500, parse).refused > 300);
  CHECK(test::random_mutations(jpeg, 1500, parse).refused > 100);
  limits.max_bytes = 431;
  CHECK_THAT(error_of([&] { parse(test::as_bytes(png)); }).what(),
             Catch::Contains("expected 1 to 431 bytes of pixels, found 12 x 12"));
  CHECK_THAT(error_of([&] { parse(test::as_bytes("GIF89a")); }).what(),
             Catch::Contains("expected a PNG or JPEG picture"));
}

TEST_CASE("resizing is bilinear between pixel centres") {
  const Tensor image = from_values<std::uint8_t>({0, 100, 200, 100}, {1, 2, 2});
  // PyTorch: interpolate(x, (4, 4), mode="bilinear", align_corners=False), rounded.
  CHECK(resize_image(image, 4, 4).to_vector<std::uint8_t>() ==
        std::vector<std::uint8_t>{0, 25, 75, 100, 50, 63, 88, 100, 150, 138, 113, 100, 200, 175,
                                  125, 100});
  CHECK(resize_image(image, 1, 1).to_vector<std::uint8_t>() == std::vector<std::uint8_t>{100});
}

TEST_CASE("a folder of pictures becomes labelled images") {
  const test::ScratchDirectory scratch;
  const auto root = scratch.path() / "pictures";
  for (const char* name : {"b", "a"}) std::filesystem::create_directories(root / name);
  save_png(root / "a" / "2.png", gradient(3, 8, 8));
  save_png(root / "a" / "10.PNG", gradient(1, 8, 8));
  test::spill(root / "b" / "1.jpg", jpeg_of(gradient(3, 16, 16)));
  ImageFolderOptions options;
  options.height = options.width = 8;
  const LabelledImages images = load_image_folder(root, options);
  CHECK(images.images.shape() == Shape{3, 3, 8, 8});
  CHECK(images.ids == std::vector<std::string>{"a/10.PNG", "a/2.png", "b/1.jpg"});
  CHECK(images.labels.to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 0, 1});
  CHECK(images.class_names == std::vector<std::string>{"a", "b"});
  options.class_names = {"b", "c"};
  CHECK_THAT(error_of([&] { load_image_folder(root, options); }).what(),
             Catch::Contains("expected one of the 2 known classes, found a"));
  test::spill(root / "b" / "2.png", "broken");
  CHECK_THAT(error_of([&] { load_image_folder(root); }).what(), Catch::Contains("2.png: offset 0"));
}

TEST_CASE("CIFAR's binary files") {
  const test::ScratchDirectory scratch;
  std::string record(3073, '\0'), batch;
  for (int i = 0; i < 4; ++i) {
    record[0] = static_cast<char>(i);
    record[1 + 1024 + 33] = static_cast<char>(100 + i);  // green at (1, 1)
    batch += record;
  }
  test::spill(scratch.path() / "data_batch_1.bin", batch);
  test::spill(scratch.path() / "data_batch_2.bin", batch);
  test::spill(scratch.path() / "test_batch.bin", batch);
  const CifarData data = load_cifar(scratch.path());
  CHECK(data.train.images.shape() == Shape{8, 3, 32, 32});
  CHECK(data.test.labels.to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK(data.train.images.to_vector<std::uint8_t>()[3072 * 5 + 1024 + 33] == 101);
  CHECK(data.train.ids[5] == "data_batch_2.bin:1");
  batch[3073] = 10;
  CHECK_THAT(error_of([&] { parse_cifar(test::as_bytes(batch), "b.bin", 1, 10); }).what(),
             Catch::Contains("b.bin: offset 3073, label: expected 0 to 9, found 10"));
  CHECK_THAT(error_of([&] { parse_cifar(test::as_bytes(batch + "x"), "b.bin", 1, 10); }).what(),
             Catch::Contains("expected whole records of 3073 bytes, found 1 bytes"));
}
