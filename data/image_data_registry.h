// Readers of image data sets by the recipe's data.format, so that programs add their own to "idx".
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/image_set.h"

namespace athanor::data {

// The data set in a directory, or whatever else the recipe's data.dir says to this reader.
using ImageDataReader = std::function<ImageData(const std::string& where)>;

// Throws usage when the name is taken. Not to be called while data are read on other threads.
void register_image_data(const std::string& format, ImageDataReader reader);
// Reads by a format of image_data_formats(); throws usage for another one.
ImageData read_image_data(const std::string& format, const std::string& where);
std::vector<std::string> image_data_formats();

}  // namespace athanor::data
