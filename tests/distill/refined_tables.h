// What tests of refined tables share.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "distill/refine/table_refine.h"

namespace athanor::distill {

namespace fs = std::filesystem;
using Json = nlohmann::json;

inline TableRefineOptions options_for(const fs::path& input, const fs::path& out) {
  TableRefineOptions options;
  options.input.files = {input};
  options.input.schema = data::infer_schema(input, {});
  options.out = out;
  return options;
}

inline std::string reason(const TableRefineResult& result, std::int64_t row) {
  return result.selection.reasons.text(result.selection.reason[row]);
}

// kept + dropped + rejected = read, and each drop has a reason.
inline Json checked_summary(const TableRefineResult& result) {
  Json s = Json::parse(result.summary);
  CHECK(s["kept"].get<int>() + s["dropped"].get<int>() + s["rejected"].get<int>() ==
        s["total"].get<int>());
  int reasons = 0;
  for (const auto& [name, count] : s["dropped_by_reason"].items()) reasons += count.get<int>();
  CHECK(reasons == s["dropped"].get<int>());
  return s;
}

inline bool has_note(const Json& summary, const std::string& part) {
  for (const auto& note : summary["notes"]) {
    if (note.get<std::string>().find(part) != std::string::npos) return true;
  }
  return false;
}

}  // namespace athanor::distill
