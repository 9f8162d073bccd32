#include "distill/refine/overlap.h"

#include <map>
#include <unordered_map>

#include "distill/refine/text_units.h"
#include "tensor/base/error.h"
#include "tensor/io/atomic_file.h"

namespace athanor::distill {
namespace {

constexpr std::size_t kWindow = 24;  // bytes by which contained texts are found
constexpr std::uint64_t kBase = 1'000'003;

// Calls fn(hash, position) for each window of `text` (Rabin & Karp 1987).
template <class Fn>
void for_each_window(std::string_view text, Fn&& fn) {
  if (text.size() < kWindow) return;
  std::uint64_t power = 1, hash = 0;
  for (std::size_t i = 1; i < kWindow; ++i) power *= kBase;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i >= kWindow) hash -= power * static_cast<unsigned char>(text[i - kWindow]);
    hash = hash * kBase + static_cast<unsigned char>(text[i]);
    if (i + 1 >= kWindow) fn(hash, i + 1 - kWindow);
  }
}

// Texts by the hash of their first window.
using Fronts = std::unordered_multimap<std::uint64_t, std::int64_t>;

Fronts fronts_of(const TextArena& texts) {
  Fronts fronts;
  for (std::int64_t i = 0; i < texts.size(); ++i) {
    for_each_window(texts[i].substr(0, kWindow), [&](auto hash, auto) { fronts.emplace(hash, i); });
  }
  return fronts;
}

// Calls fn(whole, part) where texts `part` stand inside texts `whole`.
template <class Fn>
void for_each_contained(const TextArena& wholes, const TextArena& parts, Fn&& fn) {
  const Fronts fronts = fronts_of(parts);
  for (std::int64_t i = 0; i < wholes.size(); ++i) {
    const std::string_view whole = wholes[i];
    for_each_window(whole, [&](std::uint64_t hash, std::size_t at) {
      const auto [begin, end] = fronts.equal_range(hash);
      for (auto p = begin; p != end; ++p) {
        if (whole.substr(at).starts_with(parts[p->second])) fn(i, p->second);
      }
    });
  }
}

}  // namespace

std::string_view name_of(OverlapKind kind) {
  constexpr std::string_view names[] = {"exact", "near", "contained"};
  return names[static_cast<std::size_t>(kind)];
}

std::vector<Overlap> find_overlaps(const TableRecords& records, const TableRecords& other,
                                   double near) {
  if (records.columns != other.columns) {
    raise(ErrorKind::usage, "--against: expected the columns of the input, found others");
  }
  std::map<std::int64_t, Overlap> found;
  const auto note = [&](std::int64_t row, std::int64_t with, OverlapKind kind) {
    found.try_emplace(row, Overlap{row, with, kind});
  };
  std::map<ContentHash, std::int64_t> content;
  for (std::int64_t j = 0; j < other.size(); ++j) content.try_emplace(other.content[j], j);
  for (std::int64_t i = 0; i < records.size(); ++i) {
    const auto at = content.find(records.content[i]);
    if (at != content.end()) note(i, at->second, OverlapKind::exact);
  }
  if (records.has_text) {
    const std::int64_t n = records.size();
    std::vector<BandKeys> bands = records.bands;
    bands.insert(bands.end(), other.bands.begin(), other.bands.end());
    const std::vector<char> all(bands.size(), 0);
    for_each_candidate(bands, all, [&](std::int64_t i, std::int64_t j) {
      if (i >= n || j < n || found.contains(i)) return;
      if (gram_jaccard(records.text[i], other.text[j - n]) >= near) {
        note(i, j - n, OverlapKind::near);
      }
    });
    for_each_contained(records.text, other.text,
                       [&](auto i, auto j) { note(i, j, OverlapKind::contained); });
    for_each_contained(other.text, records.text,
                       [&](auto j, auto i) { note(i, j, OverlapKind::contained); });
  }
  std::vector<Overlap> overlaps;
  for (const auto& [row, overlap] : found) overlaps.push_back(overlap);
  return overlaps;
}

void write_overlaps(const std::filesystem::path& path, const std::vector<Overlap>& overlaps) {
  std::string text = "row,other,kind\n";
  for (const Overlap& o : overlaps) text += str(o.row, ',', o.other, ',', name_of(o.kind), '\n');
  write_file_atomically(path, text);
}

}  // namespace athanor::distill
