// The truth about a pool with planted defects, known to the evaluator alone: which records are
// broken and how, and what a selection of the pool is worth measured against that.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace athanor::distill {

// What can be wrong with a record.
enum class Defect : std::uint8_t {
  flip,            // label replaced by any other class, uniformly
  confuse,         // label replaced by the class it is most easily taken for
  duplicate,       // a bit-exact copy of another record
  near_duplicate,  // a shifted, slightly noisy copy of another record
  stale,           // label by a rule that has changed: two classes were swapped before t0
  missing,         // part of the record is blank
  noise,           // strong additive noise
  out_of_domain,   // nothing of the domain at all
  truncation,      // a text's end is missing
  contradiction,   // an exact copy of another record with another label
  rule_conflict,   // a field breaks a rule
};

inline constexpr int kDefectCount = 11;
inline constexpr int kImageDefectCount = 8;  // the first ones; the others are of tables alone

// The names above.
std::string_view name_of(Defect kind);
// The inverse. Throws usage, naming the known kinds, for any other name.
Defect defect_from_name(std::string_view name);
std::vector<Defect> all_defects();
std::vector<Defect> image_defects();

// A set of defects: they overlap (a copy of a flipped record is both).
class DefectSet {
 public:
  constexpr DefectSet() = default;
  constexpr void add(Defect kind) { bits_ |= bit(kind); }
  constexpr bool has(Defect kind) const { return (bits_ & bit(kind)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(DefectSet, DefectSet) = default;
  // Names joined by ';', "" for none.
  std::string to_string() const;

 private:
  static constexpr std::uint16_t bit(Defect kind) {
    return static_cast<std::uint16_t>(1u << static_cast<int>(kind));
  }
  std::uint16_t bits_ = 0;
};

// One record of the pool; rows count from 0 in the pool's order.
struct ManifestRow {
  DefectSet kinds;              // empty: nothing is wrong
  bool correct = false;         // label right and content unbroken (a good copy is correct, too)
  bool effective = false;       // correct, and not a copy: what the effective share counts
  std::int64_t original = 0;    // pool row it is a copy of; its own row when it is no copy
  std::int64_t group = 0;       // records of one group are copies of each other (= original)
  std::int64_t source = 0;      // row in the clean data it was made from
  std::int64_t true_label = 0;  // label in the clean data
};

using Manifest = std::vector<ManifestRow>;

// A selection measured against the manifest. A group of copies is credited once, if any correct
// copy of an effective record was kept, whichever it is.
struct SelectionQuality {
  std::int64_t kept = 0;
  std::int64_t effective_kept = 0;   // groups credited
  std::int64_t effective_total = 0;  // groups planted
  double effective_share = 0;        // effective_kept / kept; 0 when nothing was kept
  double retention = 0;              // effective_kept / effective_total; 0 when there are none
};

// `rows`: distinct rows of the pool, in any order. Throws when a row is out of range or repeated.
SelectionQuality evaluate_selection(const Manifest& manifest, std::span<const std::int64_t> rows);

// How much of one kind a selection removed.
struct KindRecall {
  Defect kind = Defect::flip;
  std::int64_t planted = 0;
  std::int64_t removed = 0;
  double recall = 0;  // removed / planted
};

// For every kind that occurs. A record of several kinds counts under each. A copy counts as removed
// as a copy (duplicate, near_duplicate) when it is not kept or when it is the only record of its
// group that is kept: a filter may choose which copy represents a group.
std::vector<KindRecall> recall_by_kind(const Manifest& manifest,
                                       std::span<const std::int64_t> rows);

// CSV: row,kinds,correct,effective,original,group,source,true_label. Whole or not at all.
void write_manifest_csv(const std::filesystem::path& path, const Manifest& manifest);
// Errors are bad_input, naming path and line.
Manifest read_manifest_csv(const std::filesystem::path& path);

}  // namespace athanor::distill
