#include "distill/refine/table_slices.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data/time_text.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/label_weighing.h"

namespace athanor::distill {
namespace {

constexpr std::size_t kMostValues = 40;

// "2024-03-01" of "2024-03-01 12:00:00" and its like.
std::string day_of(double seconds) { return data::format_time(seconds).substr(0, 10); }

}  // namespace

SliceCounts::SliceCounts(const TableInput& input, const TableRecords& records,
                         const std::vector<char>& keep)
    : in_(input), r_(records), keep_(keep) {
  const data::TableSchema& schema = in_.schema;
  for (std::size_t place = 0; place < r_.columns.size(); ++place) {
    const std::string& name = r_.columns[place];
    const bool used = name == schema.id || name == schema.label || name == schema.time ||
                      std::find(schema.text.begin(), schema.text.end(), name) != schema.text.end();
    if (used || schema.column(name).type != data::ColumnType::category) continue;
    columns_.push_back({place, {}, false});
  }
}

void SliceCounts::record(std::int64_t row, const data::Record& record) {
  for (Column& column : columns_) {
    if (column.too_many) continue;
    Slice& slice = column.of_value[std::string(record.fields[column.place])];
    ++slice.total;
    slice.kept += keep_[row];
    if (column.of_value.size() <= kMostValues) continue;
    column.too_many = true;
    column.of_value.clear();
  }
}

std::vector<Slicing> SliceCounts::slicings() const {
  std::vector<Slicing> out;
  by_file(out);
  by_time(out);
  for (const Column& column : columns_) {
    if (column.of_value.size() < 2) continue;
    Slicing slicing{r_.columns[column.place], {}};
    for (const auto& [value, slice] : column.of_value) {
      slicing.slices.push_back({value, slice.total, slice.kept});
    }
    std::sort(slicing.slices.begin(), slicing.slices.end(), [](const Slice& a, const Slice& b) {
      return a.total != b.total ? a.total > b.total : a.name < b.name;
    });
    out.push_back(std::move(slicing));
  }
  return out;
}

void SliceCounts::by_file(std::vector<Slicing>& out) const {
  if (in_.files.size() < 2 || in_.files.size() > kMostValues) return;
  Slicing slicing{"input file", {}};
  std::int64_t row = 0;
  std::set<std::string> names;
  for (const auto& file : in_.files) names.insert(file.filename().string());
  const bool short_names = names.size() == in_.files.size();
  for (std::size_t f = 0; f < in_.files.size(); ++f) {
    Slice slice{(short_names ? in_.files[f].filename() : in_.files[f]).string()};
    for (const std::int64_t end = row + r_.rows_of_file[f]; row < end; ++row) {
      ++slice.total;
      slice.kept += keep_[row];
    }
    slicing.slices.push_back(std::move(slice));
  }
  out.push_back(std::move(slicing));
}

// Quarters of the stamps; records of one stamp are of one quarter. What has none comes last.
void SliceCounts::by_time(std::vector<Slicing>& out) const {
  if (!r_.has_time) return;
  const TimeSlices parts = time_slices(r_.time, 1);
  std::vector<Slice> slices(static_cast<std::size_t>(parts.count));
  std::vector<double> first(slices.size(), kNotApplicable);  // stamp of each part
  for (std::int64_t i = 0; i < r_.size(); ++i) {
    const std::int64_t part = parts.of[i];
    ++slices[part].total;
    slices[part].kept += keep_[i];
    first[part] = std::fmin(first[part], r_.time[i]);
  }
  std::set<std::string> days;
  std::size_t stamped = 0;
  for (const double stamp : first) {
    if (!is_applicable(stamp)) continue;
    ++stamped;
    days.insert(day_of(stamp));
  }
  Slicing slicing{in_.schema.time, {}};
  for (std::size_t s = 0; s < slices.size(); ++s) {
    if (slices[s].total == 0) continue;
    slices[s].name = !is_applicable(first[s]) ? "no stamp"
                     : days.size() == stamped ? "from " + day_of(first[s])
                                              : "from " + data::format_time(first[s]);
    slicing.slices.push_back(std::move(slices[s]));
  }
  if (slicing.slices.size() > 1) out.push_back(std::move(slicing));
}

Slicing slices_by_class(const TableRecords& records, const std::vector<char>& keep) {
  Slicing classes{"class", {}};
  for (std::int64_t c = 0; c < records.label_names.size(); ++c) {
    classes.slices.push_back({records.label_names.text(c)});
  }
  for (std::int64_t i = 0; i < records.size(); ++i) {
    if (records.label[i] < 0) continue;
    ++classes.slices[records.label[i]].total;
    classes.slices[records.label[i]].kept += keep[i];
  }
  return classes;
}

}  // namespace athanor::distill
