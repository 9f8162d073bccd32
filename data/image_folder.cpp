#include "data/image_folder.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>

#include "tensor/base/parallel.h"
#include "tensor/io/bytes.h"
#include "tensor/io/mapped_file.h"

namespace athanor::data {
namespace {

namespace fs = std::filesystem;

bool is_picture(const fs::path& path) {
  std::string end = path.extension().string();
  std::transform(end.begin(), end.end(), end.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return end == ".png" || end == ".jpg" || end == ".jpeg";
}

std::vector<fs::path> sorted_entries(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!entry.path().filename().string().starts_with('.')) entries.push_back(entry.path());
  }
  if (error) {
    raise(ErrorKind::bad_input, directory.string(),
          ": expected a folder, found: ", error.message());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

}  // namespace

LabelledImages load_image_folder(const fs::path& directory, const ImageFolderOptions& options,
                                 const Limits& limits) {
  LabelledImages result;
  result.class_names = options.class_names;
  std::vector<fs::path> files;
  std::vector<std::int64_t> labels;
  for (const fs::path& folder : sorted_entries(directory)) {
    if (!fs::is_directory(folder)) {
      raise(ErrorKind::bad_input, folder.string(),
            ": expected one folder for each class, found a file");
    }
    const std::string name = folder.filename().string();
    auto at = std::find(result.class_names.begin(), result.class_names.end(), name);
    if (at == result.class_names.end()) {
      if (!options.class_names.empty()) {
        raise(ErrorKind::bad_input, folder.string(), ": expected one of the ",
              options.class_names.size(), " known classes, found ", name);
      }
      at = result.class_names.insert(at, name);
    }
    for (const fs::path& file : sorted_entries(folder)) {
      if (!is_picture(file)) {
        raise(ErrorKind::bad_input, file.string(), ": expected .png, .jpg or .jpeg");
      }
      files.push_back(file);
      labels.push_back(at - result.class_names.begin());
      result.ids.push_back(fs::relative(file, directory).generic_string());
    }
  }
  if (files.empty()) {
    raise(ErrorKind::bad_input, directory.string(),
          ": expected pictures in one folder for each class, found none");
  }
  const auto channels = static_cast<std::int64_t>(options.format);
  const Shape shape{std::ssize(files), channels, options.height, options.width};
  std::uint64_t bytes = 0;
  if (options.height < 1 || options.width < 1 ||
      !checked_bytes(shape, 1, limits.max_bytes, bytes)) {
    raise(ErrorKind::bad_input, directory.string(), ": expected at most ", limits.max_bytes,
          " bytes of pixels, found ", shape);
  }
  result.images = empty(shape, DType::u8);
  result.labels = from_values(labels, {std::ssize(labels)});
  const std::size_t one = bytes / files.size();
  parallel_for(std::ssize(files), 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto index = static_cast<std::size_t>(i);
      const Tensor image = resize_image(load_image(files[index], options.format, limits),
                                        options.height, options.width);
      std::memcpy(result.images.data<std::uint8_t>() + index * one, image.raw(), one);
    }
  });
  return result;
}

LabelledImages parse_cifar(std::span<const std::byte> bytes, std::string_view file, int label_bytes,
                           std::int64_t classes, const Limits& limits) {
  constexpr std::size_t kPixels = 3 * 32 * 32;
  const std::size_t record = kPixels + static_cast<std::size_t>(label_bytes);
  if (bytes.size() > limits.max_bytes || bytes.empty() || bytes.size() % record != 0) {
    malformed(file, bytes.size() / record * record, "record", "expected whole records of ", record,
              " bytes, found ", bytes.size() % record, " bytes at the end of ", bytes.size());
  }
  const std::size_t count = bytes.size() / record;
  LabelledImages result;
  result.images = empty({static_cast<std::int64_t>(count), 3, 32, 32}, DType::u8);
  result.labels = empty({static_cast<std::int64_t>(count)}, DType::i64);
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* at = bytes.data() + i * record;
    const auto label = static_cast<std::int64_t>(at[label_bytes - 1]);
    if (label >= classes) {
      malformed(file, i * record, "label", "expected 0 to ", classes - 1, ", found ", label);
    }
    result.labels.data<std::int64_t>()[i] = label;
    std::memcpy(result.images.data<std::uint8_t>() + i * kPixels, at + label_bytes, kPixels);
    result.ids.push_back(str(file, ":", i));
  }
  for (std::int64_t c = 0; c < classes; ++c) result.class_names.push_back(std::to_string(c));
  return result;
}

CifarData load_cifar(const fs::path& directory, const Limits& limits) {
  const bool hundred = fs::exists(directory / "train.bin");
  const int label_bytes = hundred ? 2 : 1;
  const std::int64_t classes = hundred ? 100 : 10;
  std::vector<fs::path> train_files;
  if (hundred) {
    train_files.push_back(directory / "train.bin");
  } else {
    for (int i = 1; i <= 5; ++i) {
      const fs::path path = directory / str("data_batch_", i, ".bin");
      if (fs::exists(path)) train_files.push_back(path);
    }
  }
  if (train_files.empty()) {
    raise(ErrorKind::bad_input, directory.string(),
          ": expected data_batch_1.bin or train.bin of CIFAR's binary version, found neither");
  }
  // All training files as one run of records.
  std::vector<std::byte> all;
  CifarData data;
  std::vector<std::string> ids;
  for (const fs::path& path : train_files) {
    const std::vector<std::byte> bytes = read_file(path, limits);
    const LabelledImages part =
        parse_cifar(bytes, path.filename().string(), label_bytes, classes, limits);
    ids.insert(ids.end(), part.ids.begin(), part.ids.end());
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  data.train = parse_cifar(all, directory.string(), label_bytes, classes, limits);
  data.train.ids = std::move(ids);
  const fs::path test = directory / (hundred ? "test.bin" : "test_batch.bin");
  data.test =
      parse_cifar(read_file(test, limits), test.filename().string(), label_bytes, classes, limits);
  const std::vector<std::string> names =
      lines_of(directory / (hundred ? "fine_label_names.txt" : "batches.meta.txt"));
  if (std::ssize(names) == classes) data.train.class_names = data.test.class_names = names;
  return data;
}

}  // namespace athanor::data
