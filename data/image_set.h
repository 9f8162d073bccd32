// Labelled images from IDX files, as Fashion-MNIST and the other sets of its family are published.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor::data {

// Where Debian's package dataset-fashion-mnist puts its files: the default data set.
inline constexpr const char* kFashionMnistDirectory = "/usr/share/datasets/fashion-mnist";

struct ImageSet {
  Tensor images;                         // u8 [N, H, W] or [N, C, H, W], 0 = black
  Tensor labels;                         // i64 [N], each in [0, class_names.size())
  std::vector<std::string> class_names;  // one a class, index = label
  std::vector<std::string> ids = {};     // of the records; empty: their numbers from 0 on

  std::int64_t size() const { return images.size(0); }
  std::int64_t channels() const { return images.rank() == 4 ? images.size(1) : 1; }
  std::int64_t classes() const { return static_cast<std::int64_t>(class_names.size()); }
};

struct ImageData {
  ImageSet train;
  ImageSet test;
};

// Reads train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
// t10k-labels-idx1-ubyte, each with or without ".gz", from `directory`. Class names come from its
// file labels.txt (one a line) where there is one, are known for kFashionMnistDirectory, and are
// "0", "1", ... up to the largest label otherwise. Both parts have the same classes and image size.
//
// Errors are bad_input: a missing directory or file (the message says how to get the data set),
// images and labels of different count, a part without images, a label without a class.
ImageData load_image_data(const std::filesystem::path& directory, const Limits& limits = {});

// One part, from two files. With no `class_names` they are "0", "1", ... up to the largest label.
ImageSet load_image_set(const std::filesystem::path& images, const std::filesystem::path& labels,
                        std::vector<std::string> class_names = {}, const Limits& limits = {});

// Pixels as f32 in [0, 1]: x / 255. x is u8 of any shape; the result has the same shape, row-major.
Tensor to_unit_floats(const Tensor& x);

}  // namespace athanor::data
