// The files of planting: the specification of the defects, the pool.
#include <toml++/toml.h>

#include <algorithm>

#include "distill/refine/table_output.h"
#include "distill/refine/table_plant.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) {
    line += (&field == fields.data() ? "" : ",") + csv_field(field);
  }
  return line + "\n";
}

}  // namespace

TablePlantOptions load_table_defects(const std::filesystem::path& path, bool texts) {
  TablePlantOptions options;
  options.plan.size = 0;
  if (texts) {  // else PlantOptions' own
    options.plan.defects = all_defects();
    std::erase(options.plan.defects, Defect::rule_conflict);
  }
  const std::string file = path.string();
  try {
    const toml::table table = toml::parse_file(file);
    const auto wrong = [&](std::string_view key, const char* expected) {
      raise(ErrorKind::usage, file, ": ", key, ": expected ", expected, ", found something else");
    };
    const auto take = [&](const toml::node& node, std::string_view key, auto& target,
                          const char* expected) {
      const auto value = node.value<std::remove_reference_t<decltype(target)>>();
      if (!value) wrong(key, expected);
      target = *value;
    };
    PlantOptions& plan = options.plan;
    for (const auto& [key, node] : table) {
      const std::string_view k = key.str();
      if (k == "size") {
        take(node, k, plan.size, "a count");
      } else if (k == "effective") {
        take(node, k, plan.effective, "a share");
      } else if (k == "trusted") {
        take(node, k, plan.trusted, "a count");
      } else if (k == "seed") {
        std::int64_t seed = 0;
        take(node, k, seed, "a whole number");
        plan.seed = static_cast<std::uint64_t>(seed);
      } else if (k == "time_column") {
        take(node, k, options.time_column, "a string");
      } else if (k == "conflict_column") {
        take(node, k, options.conflict_column, "a string");
      } else if (k == "conflict_value") {
        take(node, k, options.conflict_value, "a string");
      } else if (k == "mixture" && node.is_table()) {
        const toml::table& m = *node.as_table();
        plan.mixture = {m["labels"].value_or(0.), m["duplicates"].value_or(0.),
                        m["rest"].value_or(0.)};
      } else if (k == "mixture") {
        std::string name;
        take(node, k, name, "a string or a table");
        plan.mixture = mixture_from_name(name);
      } else if (k == "defects" && node.is_array()) {
        plan.defects.clear();
        for (const toml::node& item : *node.as_array()) {
          std::string name;
          take(item, k, name, "strings");
          plan.defects.push_back(defect_from_name(name));
        }
      } else {
        raise(ErrorKind::usage, file, ": line ", node.source().begin.line, ": unknown key ", k,
              "; expected one of size, effective, mixture, defects, trusted, seed, time_column, ",
              "conflict_column, conflict_value");
      }
    }
  } catch (const toml::parse_error& error) {
    raise(ErrorKind::usage, file, ": line ", error.source().begin.line, ": ", error.description());
  }
  return options;
}

void write_planted_table(const std::filesystem::path& out, const PlantedTable& planted,
                         const data::TableSchema& given, const TablePlantOptions& options) {
  std::filesystem::create_directories(out / "manifest");
  const auto write = [&](const char* name, const std::vector<std::vector<std::string>>& rows,
                         std::vector<std::string> columns) {
    BufferedFile file(out / name);
    file << csv_line(columns);
    for (const auto& row : rows) file << csv_line(row);
    file.commit();
  };
  const auto files = [&](const char* name, std::vector<std::vector<std::string>> rows,
                         const std::vector<std::string>& columns, const auto& changes) {
    write_media(out, name, columns, given, changes, rows);
    return rows;
  };
  write("pool.csv", files("", planted.rows, planted.columns, planted.changes), planted.columns);
  std::vector<std::string> clean = planted.columns;
  clean.pop_back();
  if (!planted.trusted.empty()) {
    const std::vector<std::optional<MediaChange>> none;
    write("trusted.csv", files("trusted", planted.trusted, clean, none), clean);
  }
  write_manifest_csv(out / "manifest" / "manifest.csv", planted.manifest);
  data::TableSchema schema = given;
  schema.format = data::TableFormat::csv;
  schema.header = true;
  schema.quoted.reset();
  schema.delimiter = 0;
  schema.latin1 = false;
  schema.names.clear();
  if (!planted.changes.empty()) schema.folder.clear();
  schema.time = options.time_column;
  schema.reference_time = kPlantReferenceTime;
  data::ColumnSpec stamp;
  stamp.name = options.time_column;
  stamp.type = data::ColumnType::timestamp;
  stamp.time_formats = {"%Y-%m-%dT%H:%M:%S%z"};
  schema.columns.push_back(stamp);
  write_file_atomically(out / "schema.toml", data::to_toml(schema));
}

}  // namespace athanor::distill
