#include "data/image_formats.h"

#include <algorithm>
#include <map>
#include <utility>

#include "data/image_folder.h"
#include "tensor/base/error.h"
#include "tensor/print.h"

namespace athanor::data {
namespace {

namespace fs = std::filesystem;

ImageSet set_of(LabelledImages images) {
  return {images.images, images.labels, std::move(images.class_names), std::move(images.ids)};
}

ImageData idx(const fs::path& directory, const ImageFormatOptions& o) {
  return load_image_data(directory, o.limits);
}

ImageData cifar(const fs::path& directory, const ImageFormatOptions& o) {
  CifarData data = load_cifar(directory, o.limits);
  return {set_of(std::move(data.train)), set_of(std::move(data.test))};
}

ImageData folder(const fs::path& directory, const ImageFormatOptions& o) {
  ImageFolderOptions options;
  options.height = options.width = o.side;
  ImageData data;
  data.train = set_of(load_image_folder(directory / "train", options, o.limits));
  options.class_names = data.train.class_names;
  data.test = set_of(load_image_folder(directory / "test", options, o.limits));
  return data;
}

const std::pair<const char*, LoadImages> kBuiltIn[] = {
    {"idx", idx}, {"cifar", cifar}, {"folder", folder}};

std::map<std::string, LoadImages>& registered() {
  static std::map<std::string, LoadImages> formats;
  return formats;
}

void check_part(const std::string& format, const char* part, const ImageSet& set) {
  const auto refuse = [&](const auto&... what) {
    raise(ErrorKind::bad_input, "data.format ", format, ", ", part, " part: expected ", what...);
  };
  if (!set.images.defined() || set.images.dtype() != DType::u8 || set.images.rank() < 3 ||
      set.images.rank() > 4 || set.images.numel() == 0) {
    refuse("images u8 [N, H, W] or [N, C, H, W], found ",
           set.images.defined() ? describe(set.images) : std::string("none"));
  }
  if (!set.labels.defined() || set.labels.dtype() != DType::i64 ||
      !(set.labels.shape() == Shape{set.size()})) {
    refuse("labels i64 [", set.size(), "], found ",
           set.labels.defined() ? describe(set.labels) : std::string("none"));
  }
  if (!set.ids.empty() && std::ssize(set.ids) != set.size()) {
    refuse(set.size(), " ids or none, found ", set.ids.size());
  }
  const std::vector<std::int64_t> labels = set.labels.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= set.classes()) {
      refuse("labels below ", set.classes(), ", the number of class names, found ", labels[i],
             " at record ", i);
    }
  }
}

}  // namespace

void register_image_format(const std::string& name, LoadImages load) {
  const std::vector<std::string> taken = image_formats();
  if (name.empty() || !load || std::find(taken.begin(), taken.end(), name) != taken.end()) {
    raise(ErrorKind::usage, "register_image_format: expected a new name and a function, got '",
          name, "'", load ? "" : " without one");
  }
  registered().emplace(name, std::move(load));
}

std::vector<std::string> image_formats() {
  std::vector<std::string> names;
  for (const auto& [name, load] : kBuiltIn) names.emplace_back(name);
  for (const auto& [name, load] : registered()) names.push_back(name);
  return names;
}

ImageData load_images(const std::string& format, const fs::path& directory,
                      const ImageFormatOptions& options) {
  for (const auto& [name, load] : kBuiltIn) {
    if (format == name) return load(directory, options);
  }
  const auto found = registered().find(format);
  if (found == registered().end()) {
    std::string names;
    for (const std::string& name : image_formats()) names += (names.empty() ? "" : ", ") + name;
    raise(ErrorKind::usage, "data.format: expected images as one of ", names, "; got ", format);
  }
  ImageData data = found->second(directory, options);
  check_part(format, "training", data.train);
  check_part(format, "test", data.test);
  return data;
}

}  // namespace athanor::data
