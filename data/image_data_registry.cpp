#include "data/image_data_registry.h"

#include <map>

#include "tensor/base/error.h"

namespace athanor::data {
namespace {

std::map<std::string, ImageDataReader>& readers() {
  static std::map<std::string, ImageDataReader> table = {
      {"idx", [](const std::string& where) { return load_image_data(where); }}};
  return table;
}

}  // namespace

void register_image_data(const std::string& format, ImageDataReader reader) {
  if (!reader || format.empty() || !readers().emplace(format, std::move(reader)).second) {
    raise(ErrorKind::usage, "register_image_data: expected a new name and a function, got ",
          format);
  }
}

ImageData read_image_data(const std::string& format, const std::string& where) {
  const auto at = readers().find(format);
  if (at == readers().end()) {
    raise(ErrorKind::usage, "data.format: expected a known format, got ", format);
  }
  ImageData data = at->second(where);
  for (const ImageSet* part : {&data.train, &data.test}) {
    const bool fits = part->images.defined() && part->images.rank() == 3 &&
                      part->images.dtype() == DType::u8 && part->labels.defined() &&
                      part->labels.dtype() == DType::i64 &&
                      part->labels.numel() == part->images.size(0) && part->classes() >= 2;
    if (!fits) {
      raise(ErrorKind::bad_input, "data.format = ", format,
            ": expected u8 images [N, H, W], i64 labels [N] and at least 2 class names for both "
            "parts from the reader");
    }
  }
  return data;
}

std::vector<std::string> image_data_formats() {
  std::vector<std::string> names;
  for (const auto& [name, reader] : readers()) names.push_back(name);
  return names;
}

}  // namespace athanor::data
