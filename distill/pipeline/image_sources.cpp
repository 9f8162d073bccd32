#include "distill/pipeline/image_sources.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "tensor/base/error.h"
#include "tensor/ops.h"
#include "tensor/ops/cat.h"

namespace athanor::distill {
namespace {

void check_size(const Tensor& images, const Tensor& like, const ImageFiles& files,
                const char* whose) {
  if (images.size(1) == like.size(1) && images.size(2) == like.size(2)) return;
  raise(ErrorKind::bad_input, files.images.string(), ": expected images of ", like.size(1), " x ",
        like.size(2), " pixels as ", whose, ", found ", images.size(1), " x ", images.size(2));
}

std::string_view pixels_of(const Tensor& images, std::int64_t i) {
  const std::int64_t size = images.size(1) * images.size(2);
  return {reinterpret_cast<const char*>(images.data<std::uint8_t>()) + i * size,
          static_cast<std::size_t>(size)};
}

}  // namespace

data::ImageSet load_image_parts(const std::vector<ImageFiles>& parts) {
  data::ImageSet all = data::load_image_set(parts.front().images, parts.front().labels);
  if (parts.size() == 1) return all;
  std::vector<Tensor> images = {all.images}, labels = {all.labels};
  for (std::size_t k = 1; k < parts.size(); ++k) {
    data::ImageSet part = data::load_image_set(parts[k].images, parts[k].labels);
    check_size(part.images, all.images, parts[k], "in the first file");
    images.push_back(part.images);
    labels.push_back(part.labels);
    if (part.classes() > all.classes()) all.class_names = std::move(part.class_names);
  }
  all.images = contiguous(cat(images, 0));
  all.labels = contiguous(cat(labels, 0));
  return all;
}

std::int64_t TrustedImages::overlap() const {
  return std::count_if(row.begin(), row.end(), [](std::int64_t r) { return r >= 0; });
}

TrustedImages read_trusted_images(const ImageFiles& files, const data::ImageSet& pool) {
  TrustedImages trusted{data::load_image_set(files.images, files.labels), {}, {}};
  const data::ImageSet& set = trusted.set;
  check_size(set.images, pool.images, files, "in the pool");
  const auto theirs = set.labels.to_vector<std::int64_t>();
  const auto ours = pool.labels.to_vector<std::int64_t>();
  std::vector<char> occurs(static_cast<std::size_t>(std::max(pool.classes(), set.classes())));
  for (const std::int64_t y : ours) occurs[static_cast<std::size_t>(y)] = 1;
  std::unordered_map<std::string_view, std::int64_t> first, row;  // by pixels
  for (std::int64_t v = 0; v < set.size(); ++v) {
    const std::int64_t y = theirs[static_cast<std::size_t>(v)];
    if (!occurs[static_cast<std::size_t>(y)]) {
      raise(ErrorKind::bad_input, files.labels.string(), ": image ", v,
            ": expected a label that the pool has, found ", y);
    }
    const auto [at, fresh] = first.emplace(pixels_of(set.images, v), v);
    const std::int64_t other = theirs[static_cast<std::size_t>(at->second)];
    if (!fresh && other != y) {
      raise(ErrorKind::bad_input, files.labels.string(), ": images ", at->second, " and ", v,
            " have the same pixels: expected one label, found ", other, " and ", y);
    }
  }
  for (std::int64_t i = 0; i < pool.size(); ++i) {
    const auto at = first.find(pixels_of(pool.images, i));
    trusted.truth.push_back(at == first.end() ? -1 : theirs[static_cast<std::size_t>(at->second)]);
    if (at != first.end()) row.emplace(at->first, i);
  }
  for (std::int64_t v = 0; v < set.size(); ++v) {
    const auto at = row.find(pixels_of(set.images, v));
    trusted.row.push_back(at == row.end() ? -1 : at->second);
  }
  trusted.truth.insert(trusted.truth.end(), theirs.begin(), theirs.end());
  return trusted;
}

}  // namespace athanor::distill
