#include "distill/refine/record_media.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/audio.h"
#include "data/image_file.h"
#include "data/vector_text.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/sound_checks.h"
#include "tensor/base/error.h"
#include "tensor/base/parallel.h"
#include "tensor/io/mapped_file.h"
#include "tensor/ops/cat.h"
#include "tensor/ops/copy.h"

namespace athanor::distill {
namespace {

constexpr Limits kImageLimits = {.max_bytes = std::uint64_t{128} << 20};
constexpr Limits kSoundLimits = {.max_bytes = std::uint64_t{256} << 20};

}  // namespace

MediaReading::MediaReading(const data::TableSchema& schema, const std::vector<std::string>& columns,
                           const std::filesystem::path& file,
                           const std::filesystem::path& schema_folder) {
  if (!schema.folder.empty()) schema_folder_ = (schema_folder / schema.folder).string();
  for (std::size_t c = 0; c < columns.size(); ++c) {
    Column column{schema.column(columns[c]), schema.sentinels, {}, {}};
    if (!data::is_media(column.spec.type)) continue;
    column.sentinels.insert(column.sentinels.end(), column.spec.sentinels.begin(),
                            column.spec.sentinels.end());
    if (column.spec.type == data::ColumnType::embedding) {
      if (column.spec.width == 0) {
        column.spec.width = data::usual_width(file, schema, columns[c]);
      }
      if (column.spec.width == 0) {
        raise(ErrorKind::bad_input, file.string(), ": column '", columns[c], "': expected vectors ",
              "(\"[0.1, 0.2]\", numbers with blanks or commas between them), found none in the ",
              "first records; columns.", columns[c], ".width says how many numbers they have");
      }
      media_.width = column.spec.width;
    }
    place_.push_back(c);
    column_.push_back(std::move(column));
  }
}

void MediaReading::begin_file(const std::filesystem::path& file) {
  folder_ = schema_folder_.empty() ? file.parent_path() : std::filesystem::path(schema_folder_);
}

void MediaReading::add(const std::vector<std::string_view>& fields) {
  if (place_.empty()) return;
  for (std::size_t k = 0; k < place_.size(); ++k) {
    column_[k].value.emplace_back(data::trimmed(fields[place_[k]]));
  }
  folders_.push_back(folder_);
}

MediaField MediaReading::read_vector(const Column& column, const std::string& value,
                                     float* out) const {
  std::vector<float> numbers;
  switch (data::parse_vector(value, numbers)) {
    case data::VectorFault::type:
      return {CellFault::type, {}};
    case data::VectorFault::not_finite:
      return {CellFault::not_finite, {}};
    case data::VectorFault::none:
      break;
  }
  if (std::ssize(numbers) != column.spec.width) return {CellFault::width, {}};
  if (std::all_of(numbers.begin(), numbers.end(), [](float x) { return x == 0; })) {
    return {CellFault::zero, {}};
  }
  std::copy(numbers.begin(), numbers.end(), out);
  return {{}, content_hash(numbers.data(), numbers.size() * sizeof(float))};
}

MediaField MediaReading::read_file(const Column& column, const std::filesystem::path& path,
                                   Look& look, std::string& why) const {
  const bool image = column.spec.type == data::ColumnType::image;
  const Limits& limits = image ? kImageLimits : kSoundLimits;
  std::error_code error;
  // A pipe would be waited for, a device would not end.
  if (!std::filesystem::is_regular_file(path, error)) {
    why =
        path.string() + ": expected a file, found " + (error ? error.message() : "something else");
    return {CellFault::file, {}};
  }
  std::optional<MappedFile> file;
  try {
    file.emplace(path, limits);
  } catch (const Error& problem) {
    if (problem.kind() != ErrorKind::bad_input) throw;
    why = problem.what();
    return {CellFault::file, {}};
  }
  const std::span<const std::byte> bytes = file->bytes();
  try {
    look = image ? look_at(data::parse_image(bytes, path.string(), data::PixelFormat::rgb, limits))
                 : look_at(data::parse_sound(bytes, path.string(), limits));
  } catch (const Error& problem) {
    if (problem.kind() != ErrorKind::bad_input) throw;
    why = problem.what();
    return {CellFault::undecodable, {}};
  }
  return {{}, content_hash(bytes.data(), bytes.size())};
}

std::vector<MediaField> MediaReading::read() {
  const std::int64_t n = std::ssize(folders_), columns = std::ssize(place_);
  std::vector<MediaField> fields(static_cast<std::size_t>(n * columns));
  std::vector<std::string> why(fields.size());
  for (std::int64_t k = 0; k < columns; ++k) {
    const Column& column = column_[k];
    const bool vector = column.spec.type == data::ColumnType::embedding;
    auto& looks = column.spec.type == data::ColumnType::image ? media_.images : media_.sounds;
    const auto first = looks.size();
    float* numbers = nullptr;
    if (vector) {
      numbers = vectors_.emplace_back(static_cast<std::size_t>(n * media_.width)).data();
    } else {
      looks.resize(first + static_cast<std::size_t>(n));
    }
    parallel_for(n, vector ? 64 : 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::string& value = column.value[i];
        MediaField& field = fields[i * columns + k];
        if (value.empty()) {
          field.fault = CellFault::absent;
        } else if (data::is_absent(value, column.sentinels)) {
          field.fault = CellFault::sentinel;
        } else if (vector) {
          field = read_vector(column, value, numbers + i * media_.width);
        } else {
          field = read_file(column, folders_[i] / value, looks[first + i], why[i * columns + k]);
        }
        // What cannot be read is no copy of all else that cannot.
        if (field.fault && *field.fault != CellFault::absent) {
          field.hash = content_hash(value.data(), value.size());
        }
      }
    });
  }
  count_faults(fields, why);
  records_ += n;
  folders_.clear();
  for (Column& column : column_) column.value.clear();
  return fields;
}

void MediaReading::count_faults(const std::vector<MediaField>& fields,
                                const std::vector<std::string>& why) {
  for (std::size_t f = 0; f < fields.size(); ++f) {
    if (!fields[f].fault || *fields[f].fault == CellFault::absent) continue;
    const std::size_t record = f / place_.size();
    Column& column = column_[f % place_.size()];
    Column::Count& count = column.faults[static_cast<std::size_t>(*fields[f].fault)];
    if (count.fields++ > 0) continue;
    const std::string value = column.value[record].substr(0, 60);
    count.first = fmt::format("row {}: {}", records_ + static_cast<std::int64_t>(record),
                              why[f].empty() ? "'" + value + "'" : why[f]);
  }
}

RecordMedia MediaReading::finish() {
  if (media_.width > 0) {
    media_.vectors = empty({records_, media_.width});
    float* out = media_.vectors.data<float>();
    for (std::vector<float>& batch : vectors_) {
      out = std::copy(batch.begin(), batch.end(), out);
      std::vector<float>().swap(batch);  // both copies of all vectors would be too much
    }
  }
  for (const Column& column : column_) {
    for (std::size_t f = 0; f < kCellFaults; ++f) {
      const std::int64_t fields = column.faults[f].fields;
      if (fields == 0) continue;
      std::string expected;
      if (static_cast<CellFault>(f) == CellFault::width) {
        expected = fmt::format(" (expected {} numbers)", column.spec.width);
      }
      media_.notes.push_back(
          fmt::format("{}: {} at fault: {}{}; the first is {}", column.spec.name,
                      fields == 1 ? "one field is" : fmt::format("{} fields are", fields),
                      name_of(static_cast<CellFault>(f)), expected, column.faults[f].first));
    }
  }
  for (const Column& column : column_) {
    if (column.spec.type == data::ColumnType::image) {
      media_.set = picture_set(media_.images);
      media_.notes.push_back(column.spec.name + ": " + media_.set.note);
    } else if (column.spec.type == data::ColumnType::audio) {
      media_.notes.push_back(column.spec.name + ": " + check_sounds(media_.sounds));
    }
  }
  return std::move(media_);
}

LookFault RecordMedia::look_fault(std::int64_t row) const {
  for (const auto* looks : {&images, &sounds}) {
    if (!looks->empty() && (*looks)[row].fault != LookFault::none) return (*looks)[row].fault;
  }
  return LookFault::none;
}

double RecordMedia::surface_share(std::int64_t row, double share, std::uint8_t checks) const {
  double applied = 0, passed = 0;
  for (const auto* looks : {&images, &sounds}) {
    if (looks->empty()) continue;
    applied += (*looks)[row].applied;
    passed += (*looks)[row].applied - (*looks)[row].failed;
  }
  if (applied == 0) return share;
  if (!is_applicable(share)) return passed / applied;
  const double others = std::max<double>(checks, 1);
  return (passed + others * share) / (applied + others);
}

Tensor vectors_of(const RecordMedia& media) {
  if (media.width > 0) return media.vectors;
  std::vector<Tensor> parts;
  for (const auto* looks : {&media.images, &media.sounds}) {
    if (!looks->empty()) parts.push_back(look_vectors(*looks));
  }
  if (parts.empty()) return {};
  return parts.size() == 1 ? parts.front() : contiguous(cat(parts, 1));
}

}  // namespace athanor::distill
