// Labelled pictures: a folder a class, and CIFAR's binary files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/image_file.h"
#include "tensor/io/limits.h"
#include "tensor/tensor.h"

namespace athanor::data {

struct LabelledImages {
  Tensor images;                         // u8 [N, C, H, W]
  Tensor labels;                         // i64 [N], each in [0, class_names.size())
  std::vector<std::string> class_names;  // index = label
  std::vector<std::string> ids;          // relative path, or "FILE:INDEX"

  std::int64_t size() const { return images.size(0); }
};

struct ImageFolderOptions {
  PixelFormat format = PixelFormat::rgb;
  std::int64_t height = 32, width = 32;  // every picture is resized to it
  // Names of the classes in the order of their labels, as of a training set; empty: the folders
  // that are there, sorted.
  std::vector<std::string> class_names;
};

// directory/CLASS/*.png, *.jpg, *.jpeg (any case), in the order of class and name. Files of other
// endings are bad_input, as are a folder without pictures, a class that is not in class_names, and
// whatever parse_image() refuses. Reads on several threads.
LabelledImages load_image_folder(const std::filesystem::path& directory,
                                 const ImageFolderOptions& options = {}, const Limits& limits = {});

// CIFAR's binary layout: records of label_bytes label bytes (10: one; 100: coarse, then fine; the
// last counts) and 3 x 32 x 32 bytes of pixels, planes R, G, B. Throws bad_input naming `file`: a
// length that is no whole number of records, a label that is no class.
LabelledImages parse_cifar(std::span<const std::byte> bytes, std::string_view file, int label_bytes,
                           std::int64_t classes, const Limits& limits = {});

struct CifarData {
  LabelledImages train, test;
};
// A folder with data_batch_1.bin to data_batch_5.bin (as many as there are) and test_batch.bin, or
// train.bin and test.bin with 100 classes; names from batches.meta.txt or fine_label_names.txt.
CifarData load_cifar(const std::filesystem::path& directory, const Limits& limits = {});

}  // namespace athanor::data
