#include "distill/refine/record_copies.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <unordered_map>

#include "data/batches.h"
#include "distill/refine/components.h"
#include "distill/refine/content_hash.h"
#include "distill/refine/table_features.h"
#include "distill/restructure/knn_graph.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

const ImageCopyOptions kCentred = {.threshold = .01, .centred = true};
constexpr double kColourDistance = 12;  // root mean square, of 255
constexpr float kLength = .05f;         // by which sounds may differ
constexpr float kCosineDistance = .002f;
constexpr std::int64_t kNearest = 10;

// Rows as groups, and for each group its first row.
class Distinct {
 public:
  explicit Distinct(std::int64_t rows) : components_(rows) {}

  void add(std::int64_t row, const void* bytes, std::size_t size) {
    const auto [at, fresh] = first_.emplace(content_hash(bytes, size), row);
    if (fresh) {
      rows_.push_back(row);
    } else {
      components_.join(at->second, row);
    }
  }
  const std::vector<std::int64_t>& rows() const { return rows_; }
  Components& components() { return components_; }

 private:
  std::unordered_map<ContentHash, std::int64_t, FirstWord> first_;
  std::vector<std::int64_t> rows_;
  Components components_;
};

std::vector<std::int64_t> groups_of(Components& components, std::int64_t n) {
  std::vector<std::int64_t> group;
  for (std::int64_t i = 0; i < n; ++i) group.push_back(components.find(i));
  return group;
}

bool same_colours(const Look& a, const Look& b) {
  double squares = 0;
  for (std::size_t k = 0; k < a.colour.size(); ++k) {
    const double apart = double(a.colour[k]) - double(b.colour[k]);
    squares += apart * apart;
  }
  return squares <= kColourDistance * kColourDistance * static_cast<double>(a.colour.size());
}

bool same_length(const Look& a, const Look& b) {
  return std::abs(a.seconds - b.seconds) <= kLength * std::max(a.seconds, b.seconds);
}

bool are_few(const std::vector<Look>& looks) {
  return std::count_if(looks.begin(), looks.end(), [](const Look& l) { return l.there; }) <=
         kMostLooks;
}

// Joins rows of `distinct` that are near, `pair` asked of each two records first.
template <class Pair>
void join_near(const std::vector<std::int64_t>& rows, const Tensor& pictures,
               const ImageCopyOptions& how, Pair&& pair, Components& components) {
  if (rows.size() < 2) return;
  ImageCopyOptions options = how;
  options.also = [&](std::int64_t a, std::int64_t b) { return pair(rows[a], rows[b]); };
  const DuplicateGroups near = find_image_duplicates(pictures, options);
  for (std::size_t r = 0; r < rows.size(); ++r) components.join(rows[r], rows[near.group[r]]);
}

// Of members of a set at their own size, of others at that of looks.
std::vector<std::int64_t> look_groups(const std::vector<Look>& looks, const PictureSet& set) {
  Distinct distinct(std::ssize(looks));
  for (std::int64_t i = 0; i < std::ssize(looks); ++i) {
    if (!looks[i].there) continue;
    std::array<std::uint8_t, sizeof looks[i].grey + sizeof looks[i].colour + sizeof(float)> all{};
    auto* out = std::copy(looks[i].grey.begin(), looks[i].grey.end(), all.data());
    out = std::copy(looks[i].colour.begin(), looks[i].colour.end(), out);
    const auto* seconds = reinterpret_cast<const std::uint8_t*>(&looks[i].seconds);
    std::copy_n(seconds, sizeof(float), out);
    distinct.add(i, all.data(), all.size());
  }
  const std::vector<std::int64_t>& rows = distinct.rows();
  if (!are_few(looks)) return groups_of(distinct.components(), std::ssize(looks));
  const auto alike = [&](std::int64_t a, std::int64_t b) {
    return same_colours(looks[a], looks[b]) && same_length(looks[a], looks[b]);
  };
  std::vector<std::int64_t> members, place;
  for (const std::int64_t row : rows) {
    if (!set.has(row)) continue;
    members.push_back(row);
    place.push_back(set.place[row]);
  }
  if (!members.empty()) {
    const ImageCopyOptions by_ground = set.dark_ground ? ImageCopyOptions{} : kCentred;
    join_near(members, data::gather_rows(set.images, place), by_ground, alike,
              distinct.components());
  }
  if (members.size() < rows.size()) {
    Tensor grey = empty({std::ssize(rows), kLookSide, kLookSide}, DType::u8);
    auto* out = grey.data<std::uint8_t>();
    for (const std::int64_t row : rows) {
      out = std::copy(looks[row].grey.begin(), looks[row].grey.end(), out);
    }
    const auto other = [&](std::int64_t a, std::int64_t b) {
      return !(set.has(a) && set.has(b)) && alike(a, b);
    };
    join_near(rows, grey, kCentred, other, distinct.components());
  }
  return groups_of(distinct.components(), std::ssize(looks));
}

std::vector<std::int64_t> vector_groups(const TableRecords& records) {
  const Tensor& vectors = records.media.vectors;
  const std::int64_t n = records.size(), width = records.media.width;
  Distinct distinct(n);
  for (std::int64_t i = 0; i < n; ++i) {
    if (records.missing[i] >= 0) continue;
    distinct.add(i, vectors.data<float>() + i * width,
                 static_cast<std::size_t>(width) * sizeof(float));
  }
  const std::vector<std::int64_t>& rows = distinct.rows();
  if (rows.size() > 1 && n <= kMostLooks) {
    const Tensor some = take_rows(vectors, rows);
    std::vector<std::int64_t> self(rows.size());
    std::iota(self.begin(), self.end(), std::int64_t{0});
    const Neighbours near =
        nearest(some, some, std::min(kNearest, std::ssize(rows) - 1), Metric::cosine, self);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      for (std::int64_t k = 0; k < near.k; ++k) {
        const std::size_t at = r * static_cast<std::size_t>(near.k) + static_cast<std::size_t>(k);
        if (near.distance[at] > kCosineDistance) break;
        distinct.components().join(rows[r], rows[near.index[at]]);
      }
    }
  }
  return groups_of(distinct.components(), n);
}

// Records that are together in each of `parts` get one group.
std::vector<std::int64_t> in_all(const std::vector<std::vector<std::int64_t>>& parts) {
  std::map<std::vector<std::int64_t>, std::int64_t> first;
  std::vector<std::int64_t> group;
  for (std::int64_t i = 0; i < std::ssize(parts.front()); ++i) {
    std::vector<std::int64_t> key;
    for (const auto& part : parts) key.push_back(part[i]);
    group.push_back(first.emplace(std::move(key), i).first->second);
  }
  return group;
}

}  // namespace

DuplicateGroups find_copies(const TableRecords& records, double threshold,
                            const std::vector<Link>& links) {
  const RecordMedia& media = records.media;
  if (!media.any()) return find_text_duplicates(records, threshold, links);
  const std::int64_t n = records.size();
  DuplicateGroups groups = find_text_duplicates(records, threshold, {});
  std::vector<std::vector<std::int64_t>> same;  // groups by each thing that records say
  for (const auto* looks : {&media.images, &media.sounds}) {
    if (looks->empty()) continue;
    same.push_back(look_groups(*looks, looks == &media.images ? media.set : PictureSet{}));
    for (std::int64_t i = 0; i < n; ++i) {
      // Without a picture, where it may be lacking, the rest decides.
      if (!(*looks)[i].there && records.missing[i] < 0) same.back()[i] = -1;
    }
  }
  if (!records.has_text && same.empty()) same.push_back(vector_groups(records));
  Components all(n), wordings(n);
  const auto join = [&](Components& components, const std::vector<std::int64_t>* text) {
    auto parts = same;
    if (text != nullptr) parts.push_back(*text);
    if (parts.empty()) return;
    const std::vector<std::int64_t> group = in_all(parts);
    for (std::int64_t i = 0; i < n; ++i) components.join(i, group[i]);
  };
  join(all, records.has_text ? &groups.group : nullptr);
  join(wordings, records.has_text ? &groups.wording : nullptr);
  std::unordered_map<ContentHash, std::int64_t, FirstWord> first;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t row = first.emplace(records.content[i], i).first->second;
    all.join(row, i);
    wordings.join(row, i);
  }
  for (const Link& link : links) {
    all.join(link.a, link.b);
    wordings.join(link.a, link.b);
  }
  groups.group = groups_of(all, n);
  groups.wording = groups_of(wordings, n);
  groups.count = 0;
  for (std::int64_t i = 0; i < n; ++i) groups.count += groups.group[i] == i;
  return groups;
}

std::vector<std::string> copies_not_sought(const TableRecords& records) {
  const RecordMedia& media = records.media;
  std::vector<std::string> what;
  if (!are_few(media.images)) what.push_back("pictures");
  if (!are_few(media.sounds)) what.push_back("sounds");
  const bool alone = media.width > 0 && !records.has_text && !media.has_looks();
  if (alone && records.size() > kMostLooks) what.push_back("vectors");
  for (std::string& line : what) {
    line = fmt::format("uniqueness: near copies of {} are not sought beyond {}; equal ones are",
                       line, kMostLooks);
  }
  return what;
}

}  // namespace athanor::distill
