#include "data/image_set.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "data/idx.h"
#include "tensor/ops/copy.h"
#include "tensor/ops/shape.h"
#include "tests/io/scratch.h"

using namespace athanor;
using data::ImageData;
using data::load_image_data;
using data::save_idx;
namespace fs = std::filesystem;

namespace {

Tensor images(std::int64_t n, std::int64_t height = 2) { return zeros({n, height, 3}, DType::u8); }

Tensor labels(const std::vector<std::uint8_t>& values) {
  return from_values<std::uint8_t>(values, {static_cast<std::int64_t>(values.size())});
}

// A small data set: 3 training and 2 test images, labels up to 4.
void write_set(const fs::path& directory) {
  save_idx(directory / "train-images-idx3-ubyte.gz", images(3));
  save_idx(directory / "train-labels-idx1-ubyte", labels({0, 2, 1}));
  save_idx(directory / "t10k-images-idx3-ubyte", images(2));
  save_idx(directory / "t10k-labels-idx1-ubyte.gz", labels({4, 0}));
}

std::string failure(const fs::path& directory) {
  const Error error = test::error_of([&] { load_image_data(directory); });
  CHECK(error.kind() == ErrorKind::bad_input);
  return error.what();
}

}  // namespace

TEST_CASE("a data set directory is read, gzipped or not, and both parts share the classes") {
  const test::ScratchDirectory scratch;
  write_set(scratch.path());
  const ImageData data = load_image_data(scratch.path());
  CHECK(data.train.images.shape() == Shape{3, 2, 3});
  CHECK(data.test.size() == 2);
  CHECK(data.train.labels.to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 2, 1});
  CHECK(data.test.labels.to_vector<std::int64_t>() == std::vector<std::int64_t>{4, 0});
  CHECK(data.train.class_names == std::vector<std::string>{"0", "1", "2", "3", "4"});
  CHECK(data.test.class_names == data.train.class_names);
}

TEST_CASE("labels.txt names the classes, and a label beyond them is an error") {
  const test::ScratchDirectory scratch;
  write_set(scratch.path());
  test::spill(scratch.path() / "labels.txt", "a\nb\r\nc\nd d\ne");
  CHECK(load_image_data(scratch.path()).train.class_names ==
        std::vector<std::string>{"a", "b", "c", "d d", "e"});
  test::spill(scratch.path() / "labels.txt", "a\nb\nc\nd\n");
  CHECK_THAT(failure(scratch.path()), Catch::Contains("t10k-labels-idx1-ubyte.gz: label 0: "
                                                      "expected [0, 4), found 4"));
  test::spill(scratch.path() / "labels.txt", "a\n\nb\n");
  CHECK_THAT(failure(scratch.path()), Catch::Contains("labels.txt: line 2"));
}

TEST_CASE("a data set that is not there says how to get one") {
  const test::ScratchDirectory scratch;
  CHECK_THAT(failure(scratch.path() / "absent"),
             Catch::Contains("apt install dataset-fashion-mnist") &&
                 Catch::Contains("--set data.dir=DIR") &&
                 Catch::Contains("absent/train-images-idx3-ubyte'"));
  write_set(scratch.path());
  fs::remove(scratch.path() / "t10k-labels-idx1-ubyte.gz");
  CHECK_THAT(failure(scratch.path()), Catch::Contains("t10k-labels-idx1-ubyte' or the same"));
}

TEST_CASE("image and label files that do not fit together are errors") {
  const test::ScratchDirectory scratch;
  const fs::path& d = scratch.path();
  write_set(d);
  save_idx(d / "train-labels-idx1-ubyte", labels({0, 2}));
  CHECK_THAT(failure(d), Catch::Contains("expected 3 labels") && Catch::Contains("found 2"));
  save_idx(d / "train-labels-idx1-ubyte", from_values<float>({0, 1, 2}, {3}));
  CHECK_THAT(failure(d), Catch::Contains("integer type, found [3] f32"));
  save_idx(d / "train-labels-idx1-ubyte", from_values<std::int32_t>({0, -1, 2}, {3}));
  CHECK_THAT(failure(d), Catch::Contains("label 1: expected [0, 100000), found -1"));
  write_set(d);
  save_idx(d / "t10k-images-idx3-ubyte", images(2, 5));
  CHECK_THAT(failure(d), Catch::Contains("[3, 2, 3] u8") && Catch::Contains("[2, 5, 3] u8"));
  save_idx(d / "t10k-images-idx3-ubyte", images(0));
  CHECK_THAT(failure(d), Catch::Contains("expected images [N, H, W] u8"));
}

TEST_CASE("pixels become x / 255 in f32") {
  std::vector<std::uint8_t> all(256);
  std::iota(all.begin(), all.end(), std::uint8_t{0});
  const Tensor x = from_values<std::uint8_t>(all, {2, 128});
  const Tensor y = data::to_unit_floats(transpose(x));
  CHECK(y.shape() == Shape{128, 2});
  const std::vector<float> values = y.to_vector<float>();
  // Exact: the quotient of two small integers, rounded once, is what the definition says.
  CHECK(values[0] == 0.0f);
  CHECK(values[1] == 128.0f / 255.0f);
  CHECK(values[255] == 1.0f);
  CHECK_THROWS_AS(data::to_unit_floats(zeros({2})), Error);
}

TEST_CASE("Fashion-MNIST, where it is installed, has its published sizes and balance") {
  if (!fs::exists(data::kFashionMnistDirectory)) {
    WARN("dataset-fashion-mnist is not installed: skipped");
    return;
  }
  const ImageData data = load_image_data(data::kFashionMnistDirectory);
  CHECK(data.train.images.shape() == Shape{60000, 28, 28});
  CHECK(data.test.images.shape() == Shape{10000, 28, 28});
  CHECK(data.train.class_names.at(9) == "Ankle boot");
  std::vector<int> counts(10);
  for (const std::int64_t label : data.train.labels.to_vector<std::int64_t>()) ++counts.at(label);
  CHECK(counts == std::vector<int>(10, 6000));
}
