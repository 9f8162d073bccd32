#include "data/image_set.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>

#include "data/idx.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/io/mapped_file.h"
#include "tensor/ops/copy.h"

namespace athanor::data {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string>& fashion_mnist_classes() {
  static const std::vector<std::string> names{"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                              "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                              "Bag",         "Ankle boot"};
  return names;
}

// `stem` or `stem`.gz in `directory`.
fs::path find_part(const fs::path& directory, const char* stem) {
  for (const char* suffix : {"", ".gz"}) {
    const fs::path path = directory / (std::string(stem) + suffix);
    std::error_code ignored;
    if (fs::exists(path, ignored)) return path;
  }
  raise(ErrorKind::bad_input, "data set: expected '", (directory / stem).string(),
        "' or the same with .gz, found neither. Fashion-MNIST comes with `apt install "
        "dataset-fashion-mnist` (into ",
        kFashionMnistDirectory, "); another directory is named with `--set data.dir=DIR`");
}

std::vector<std::string> read_lines(const fs::path& path, const Limits& limits) {
  const std::vector<std::byte> content = read_file(path, limits);
  std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      raise(ErrorKind::bad_input, path.string(), ": line ", lines.size() + 1,
            ": expected a class name, found an empty line");
    }
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::vector<std::string> class_names_of(const fs::path& directory, const Limits& limits) {
  std::error_code ignored;
  if (fs::exists(directory / "labels.txt", ignored)) {
    return read_lines(directory / "labels.txt", limits);
  }
  if (fs::equivalent(directory, kFashionMnistDirectory, ignored)) return fashion_mnist_classes();
  return {};
}

std::vector<std::string> numbered_classes(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

void check_labels(const Tensor& labels, std::int64_t classes, const std::string& file) {
  const auto* values = labels.data<std::int64_t>();
  for (std::int64_t i = 0; i < labels.numel(); ++i) {
    if (values[i] < 0 || values[i] >= classes) {
      raise(ErrorKind::bad_input, file, ": label ", i, ": expected [0, ", classes, "), found ",
            values[i]);
    }
  }
}

std::int64_t largest(const Tensor& labels) {
  const auto* values = labels.data<std::int64_t>();
  return *std::max_element(values, values + labels.numel());
}

}  // namespace

ImageSet load_image_set(const fs::path& images, const fs::path& labels,
                        std::vector<std::string> class_names, const Limits& limits) {
  ImageSet set;
  set.images = load_idx(images, limits);
  if (set.images.rank() != 3 || set.images.dtype() != DType::u8 || set.images.numel() == 0) {
    raise(ErrorKind::bad_input, images.string(),
          ": expected images [N, H, W] u8, none empty; found ", describe(set.images));
  }
  const Tensor raw_labels = load_idx(labels, limits);
  if (raw_labels.rank() != 1 || is_floating(raw_labels.dtype())) {
    raise(ErrorKind::bad_input, labels.string(), ": expected labels [N] of an integer type, found ",
          describe(raw_labels));
  }
  if (raw_labels.size(0) != set.images.size(0)) {
    raise(ErrorKind::bad_input, labels.string(), ": expected ", set.images.size(0),
          " labels, as many as images in '", images.string(), "', found ", raw_labels.size(0));
  }
  set.labels = cast(raw_labels, DType::i64);
  // Without names a stray 32-bit label must not ask for billions of classes.
  constexpr std::int64_t kMaxUnnamedClasses = 100'000;
  const bool named = !class_names.empty();
  check_labels(set.labels, named ? std::int64_t(class_names.size()) : kMaxUnnamedClasses,
               labels.string());
  set.class_names =
      named ? std::move(class_names) : numbered_classes(std::size_t(largest(set.labels)) + 1);
  return set;
}

ImageData load_image_data(const fs::path& directory, const Limits& limits) {
  const fs::path train_images = find_part(directory, "train-images-idx3-ubyte");
  const fs::path train_labels = find_part(directory, "train-labels-idx1-ubyte");
  const fs::path test_images = find_part(directory, "t10k-images-idx3-ubyte");
  const fs::path test_labels = find_part(directory, "t10k-labels-idx1-ubyte");
  const std::vector<std::string> names = class_names_of(directory, limits);

  ImageData data;
  data.train = load_image_set(train_images, train_labels, names, limits);
  data.test = load_image_set(test_images, test_labels, names, limits);
  for (const int axis : {1, 2}) {
    if (data.train.images.size(axis) != data.test.images.size(axis)) {
      raise(ErrorKind::bad_input, test_images.string(), ": expected images of the size in '",
            train_images.string(), "', ", describe(data.train.images), "; found ",
            describe(data.test.images));
    }
  }
  // A class may be absent from one part.
  auto& fewer = data.train.classes() < data.test.classes() ? data.train : data.test;
  const auto& more = data.train.classes() < data.test.classes() ? data.test : data.train;
  fewer.class_names = more.class_names;
  return data;
}

Tensor to_unit_floats(const Tensor& x) {
  if (x.dtype() != DType::u8) fail("to_unit_floats", "expected u8, got ", describe(x));
  const Tensor pixels = contiguous(x);
  Tensor result = empty(x.shape(), DType::f32);
  std::array<float, 256> unit;
  for (int i = 0; i < 256; ++i) unit[i] = static_cast<float>(i) / 255.0f;
  const std::uint8_t* in = pixels.data<std::uint8_t>();
  float* out = result.data<float>();
  parallel_for(x.numel(), 1 << 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) out[i] = unit[in[i]];
  });
  return result;
}

}  // namespace athanor::data
