// Feature 3: the rules of a schema, on the records of a table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/table_schema.h"
#include "distill/refine/cell_issues.h"

namespace athanor::distill {

enum class RuleState : std::uint8_t { not_applicable, holds, broken };

// One check: a rule of the schema, or one dependent column of a functional dependency.
struct RuleCheck {
  std::string name;
  bool drop = true;
  std::vector<RuleState> state;  // one a record
  std::int64_t broken = 0;
};

// Expressions (muParser's syntax) name columns, other characters than letters and digits as `_`; a
// number stands for itself, a timestamp for its seconds since 1970, len_X is the number of
// characters of column X. An expression with an absent value does not apply. Patterns are RE2's and
// must match the whole value.
//
// Errors: usage for an expression or pattern that is wrong or names no column, with the position.
class TableRules {
 public:
  // Reads the other tables of foreign keys; relative paths start at `folder`.
  TableRules(const data::TableSchema& schema, const std::vector<std::string>& columns,
             const std::filesystem::path& folder);
  ~TableRules();

  // The next record; to be called for all of them in their order.
  void add(const std::vector<std::string_view>& fields);
  // After the last record: the checks, and what they say about single fields (appended).
  std::vector<RuleCheck> finish(std::vector<CellIssue>& issues);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace athanor::distill
