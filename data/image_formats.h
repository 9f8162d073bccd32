// The kinds of image data sets by name, and those that a program adds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/image_set.h"
#include "tensor/io/limits.h"

namespace athanor::data {

struct ImageFormatOptions {
  std::int64_t side = 32;  // "folder": pictures are resized to side x side
  Limits limits;
};

// Reads the training and the test part from a directory (or whatever the name stands for).
using LoadImages =
    std::function<ImageData(const std::filesystem::path&, const ImageFormatOptions&)>;

// From now on `name` is a value of data.format. Throws Error(usage) for a name that is taken. Not
// for use while other threads load.
void register_image_format(const std::string& name, LoadImages load);

// "idx" (load_image_data), "cifar" (load_cifar), "folder" (train/CLASS/* and test/CLASS/*, see
// load_image_folder), then what was registered.
std::vector<std::string> image_formats();

// Throws Error(usage) for an unknown format, and what the format's loader throws. What a registered
// loader returns is checked: dtypes, shapes, counts, labels that are classes (bad_input).
ImageData load_images(const std::string& format, const std::filesystem::path& directory,
                      const ImageFormatOptions& options = {});

}  // namespace athanor::data
