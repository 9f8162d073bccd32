#include "distill/refine/table_rules.h"

#include <muParser.h>
#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_set>
#include <utility>

#include "data/time_text.h"
#include "distill/refine/dependency.h"
#include "distill/refine/dictionary.h"
#include "distill/refine/text_units.h"
#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

using data::RuleKind;
using data::RuleSpec;

// What a rule has to know about a column.
struct Column {
  std::size_t index = 0;
  data::ColumnSpec spec;
  std::vector<std::string> sentinels;

  bool absent(std::string_view value) const { return data::is_absent(value, sentinels); }
};

std::string identifier(const std::string& name) {
  std::string out;
  for (const char c : name) {
    out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  }
  if (out.empty() || std::isdigit(static_cast<unsigned char>(out[0]))) out.insert(0, "_");
  return out;
}

class Rule {
 public:
  virtual ~Rule() = default;
  virtual void add(std::int64_t row, const std::vector<std::string_view>& fields) = 0;
  virtual void finish(std::vector<RuleCheck>& checks, std::vector<CellIssue>& issues) = 0;
};

RuleCheck check_of(const RuleSpec& spec, std::string name) {
  return RuleCheck{std::move(name), spec.drop, {}, 0};
}

void note(RuleCheck& check, RuleState state) {
  check.state.push_back(state);
  check.broken += state == RuleState::broken;
}

// A rule on each field of its columns by itself.
class FieldRule : public Rule {
 public:
  FieldRule(const RuleSpec& spec, std::vector<Column> columns, CellFault fault)
      : spec_(spec),
        columns_(std::move(columns)),
        fault_(fault),
        check_(check_of(spec, spec.name)) {}

  void add(std::int64_t row, const std::vector<std::string_view>& fields) final {
    RuleState state = RuleState::not_applicable;
    for (const Column& column : columns_) {
      const std::string_view value = data::trimmed(fields[column.index]);
      if (column.absent(value)) continue;
      const bool right = holds(value);
      if (!right) {
        issues_.push_back({row, static_cast<std::int32_t>(column.index), fault_, suggest(value)});
      }
      if (!right || state == RuleState::not_applicable) {
        state = right ? RuleState::holds : RuleState::broken;
      }
    }
    note(check_, state);
  }
  void finish(std::vector<RuleCheck>& checks, std::vector<CellIssue>& issues) final {
    checks.push_back(std::move(check_));
    std::move(issues_.begin(), issues_.end(), std::back_inserter(issues));
  }

 protected:
  virtual bool holds(std::string_view value) = 0;
  virtual std::optional<std::string> suggest(std::string_view) { return {}; }
  const RuleSpec& spec_;

 private:
  std::vector<Column> columns_;
  const CellFault fault_;
  RuleCheck check_;
  std::vector<CellIssue> issues_;
};

class PatternRule final : public FieldRule {
 public:
  PatternRule(const RuleSpec& spec, std::vector<Column> columns)
      : FieldRule(spec, std::move(columns), CellFault::pattern),
        pattern_(spec.pattern, RE2::Quiet) {
    if (!pattern_.ok()) {
      raise(ErrorKind::usage, "rule ", spec.name, ": expected a pattern of RE2, found '",
            spec.pattern, "' (", pattern_.error(), ")");
    }
  }

 private:
  bool holds(std::string_view value) override {
    return RE2::FullMatch(re2::StringPiece(value.data(), value.size()), pattern_);
  }
  const RE2 pattern_;
};

class RangeRule final : public FieldRule {
 public:
  RangeRule(const RuleSpec& spec, std::vector<Column> columns)
      : FieldRule(spec, std::move(columns), CellFault::range) {}

 private:
  bool holds(std::string_view value) override {
    const auto number = data::parse_number(value);
    return number && *number >= spec_.min && *number <= spec_.max;
  }
};

class ValuesRule final : public FieldRule {
 public:
  ValuesRule(const RuleSpec& spec, std::vector<Column> columns)
      : FieldRule(spec, std::move(columns), CellFault::pattern),
        values_(spec.values.begin(), spec.values.end()) {}

 private:
  bool holds(std::string_view value) override { return values_.contains(std::string(value)); }
  std::optional<std::string> suggest(std::string_view value) override {
    return nearest_value(value, spec_.values);
  }
  const std::unordered_set<std::string> values_;
};

class ForeignKeyRule final : public FieldRule {
 public:
  ForeignKeyRule(const RuleSpec& spec, std::vector<Column> columns,
                 const std::filesystem::path& folder)
      : FieldRule(spec, std::move(columns), CellFault::key) {
    const std::filesystem::path path = folder / spec.file;
    data::RecordReader reader(path, data::dialect_of_path(path));
    const auto& names = reader.columns();
    const auto at = std::find(names.begin(), names.end(), spec.key);
    if (at == names.end()) {
      raise(ErrorKind::usage, "rule ", spec.name, ": expected a column of ", path.string(),
            ", found '", spec.key, "'");
    }
    data::Record record;
    while (reader.next(record)) {
      if (!record.problem) keys_.emplace(data::trimmed(record.fields[at - names.begin()]));
    }
  }

 private:
  bool holds(std::string_view value) override { return keys_.contains(std::string(value)); }
  std::unordered_set<std::string> keys_;
};

class ExpressionRule final : public Rule {
 public:
  ExpressionRule(const RuleSpec& spec, const std::vector<Column>& columns)
      : check_(check_of(spec, spec.name)), columns_(columns), value_(2 * columns.size()) {
    try {
      for (std::size_t c = 0; c < columns.size(); ++c) {
        const std::string name = identifier(columns[c].spec.name);
        parser_.DefineVar(name, &value_[2 * c]);
        parser_.DefineVar("len_" + name, &value_[2 * c + 1]);
      }
      parser_.SetExpr(spec.expression);
      for (const auto& [name, pointer] : parser_.GetUsedVar()) {
        const auto at = std::find_if(value_.begin(), value_.end(),
                                     [p = pointer](const double& v) { return &v == p; });
        if (at == value_.end()) {
          raise(ErrorKind::usage, "rule ", spec.name,
                ": expected columns in the expression, found '", name, "'");
        }
        used_.push_back(static_cast<std::size_t>(at - value_.begin()));
      }
      parser_.Eval();
    } catch (const mu::Parser::exception_type& error) {
      raise(ErrorKind::usage, "rule ", spec.name, ": expression '", spec.expression, "', position ",
            error.GetPos(), ": ", error.GetMsg());
    }
  }

  void add(std::int64_t, const std::vector<std::string_view>& fields) override {
    for (const std::size_t v : used_) {
      const Column& column = columns_[v / 2];
      const std::string_view field = fields[column.index];
      if (v % 2 == 1) {
        std::size_t at = 0;
        double length = 0;
        for (; at < field.size(); ++length) next_character(field, at);
        value_[v] = length;
        continue;
      }
      const auto number = column.absent(field) ? std::optional<double>() : number_of(column, field);
      if (!number) return note(check_, RuleState::not_applicable);
      value_[v] = *number;
    }
    note(check_, parser_.Eval() != 0 ? RuleState::holds : RuleState::broken);
  }
  void finish(std::vector<RuleCheck>& checks, std::vector<CellIssue>&) override {
    checks.push_back(std::move(check_));
  }

 private:
  static std::optional<double> number_of(const Column& column, std::string_view field) {
    if (column.spec.type != data::ColumnType::timestamp) return data::parse_number(field);
    const auto& formats = column.spec.time_formats;
    const double time =
        data::parse_time(field, formats.empty() ? data::usual_time_formats() : formats);
    return std::isnan(time) ? std::optional<double>() : time;
  }

  RuleCheck check_;
  std::vector<Column> columns_;
  std::vector<double> value_;      // a column's number, then its length
  std::vector<std::size_t> used_;  // places in value_
  mu::Parser parser_;
};

class UniqueRule final : public Rule {
 public:
  UniqueRule(const RuleSpec& spec, std::vector<Column> columns)
      : check_(check_of(spec, spec.name)), columns_(std::move(columns)) {}

  void add(std::int64_t row, const std::vector<std::string_view>& fields) override {
    std::string key;
    for (const Column& column : columns_) {
      if (column.absent(fields[column.index])) return note(check_, RuleState::not_applicable);
      key += std::string(data::trimmed(fields[column.index])) + '\x1f';
    }
    const bool first = seen_.insert(std::move(key)).second;
    if (!first) {
      for (const Column& column : columns_) {
        issues_.push_back({row, static_cast<std::int32_t>(column.index), CellFault::key, {}});
      }
    }
    note(check_, first ? RuleState::holds : RuleState::broken);
  }
  void finish(std::vector<RuleCheck>& checks, std::vector<CellIssue>& issues) override {
    checks.push_back(std::move(check_));
    std::move(issues_.begin(), issues_.end(), std::back_inserter(issues));
  }

 private:
  RuleCheck check_;
  std::vector<Column> columns_;
  std::unordered_set<std::string> seen_;
  std::vector<CellIssue> issues_;
};

class DependencyRule final : public Rule {
 public:
  DependencyRule(const RuleSpec& spec, std::vector<Column> determinant,
                 std::vector<Column> dependent, std::vector<Column> source)
      : spec_(spec),
        determinant_(std::move(determinant)),
        dependent_(std::move(dependent)),
        source_(std::move(source)),
        value_(dependent_.size()) {}

  void add(std::int64_t, const std::vector<std::string_view>& fields) override {
    std::string key;
    for (const Column& column : determinant_) {
      const std::string_view value = data::trimmed(fields[column.index]);
      if (column.absent(value)) {
        key.clear();
        break;
      }
      key += std::string(value) + '\x1f';
    }
    group_.push_back(key.empty() ? -1 : groups_.number(key));
    for (std::size_t d = 0; d < dependent_.size(); ++d) {
      const std::string_view value = data::trimmed(fields[dependent_[d].index]);
      value_[d].push_back(dependent_[d].absent(value) ? -1 : values_.number(value));
    }
    for (const Column& column : source_) {
      who_.push_back(sources_.number(data::trimmed(fields[column.index])));
    }
  }

  void finish(std::vector<RuleCheck>& checks, std::vector<CellIssue>& issues) override {
    const DependencyVote vote = vote_on_dependency(group_, groups_.size(), value_, who_);
    for (std::size_t d = 0; d < dependent_.size(); ++d) {
      RuleCheck check = check_of(
          spec_, dependent_.size() == 1 ? spec_.name : spec_.name + "." + dependent_[d].spec.name);
      for (std::size_t i = 0; i < group_.size(); ++i) {
        const std::int32_t own = value_[d][i], winner = vote.winner[d][i];
        if (own < 0 || winner < 0) {
          note(check, RuleState::not_applicable);
        } else {
          note(check, own == winner ? RuleState::holds : RuleState::broken);
        }
        if (winner >= 0 && own != winner) {
          issues.push_back(
              {static_cast<std::int64_t>(i), static_cast<std::int32_t>(dependent_[d].index),
               own < 0 ? CellFault::absent : CellFault::dependency, values_.text(winner)});
        }
      }
      checks.push_back(std::move(check));
    }
  }

 private:
  const RuleSpec& spec_;
  const std::vector<Column> determinant_, dependent_, source_;
  Dictionary groups_, values_, sources_;
  std::vector<std::int32_t> group_, who_;
  std::vector<std::vector<std::int32_t>> value_;
};

}  // namespace

struct TableRules::State {
  data::TableSchema schema;
  std::vector<std::unique_ptr<Rule>> rules;
  std::int64_t rows = 0;
};

TableRules::TableRules(const data::TableSchema& schema, const std::vector<std::string>& columns,
                       const std::filesystem::path& folder)
    : state_(std::make_unique<State>()) {
  state_->schema = schema;
  const auto column_of = [&](const std::string& name) {
    const auto at = std::find(columns.begin(), columns.end(), name);
    if (at == columns.end()) {
      raise(ErrorKind::usage, "rules: expected a column of the table, found '", name, "'");
    }
    Column column{static_cast<std::size_t>(at - columns.begin()), schema.column(name),
                  schema.sentinels};
    column.sentinels.insert(column.sentinels.end(), column.spec.sentinels.begin(),
                            column.spec.sentinels.end());
    return column;
  };
  const auto columns_of = [&](const std::vector<std::string>& names) {
    std::vector<Column> result;
    for (const std::string& name : names) result.push_back(column_of(name));
    return result;
  };
  const auto add = [&](std::unique_ptr<Rule> rule) { state_->rules.push_back(std::move(rule)); };
  for (const RuleSpec& spec : state_->schema.rules) {
    switch (spec.kind) {
      case RuleKind::expression:
        add(std::make_unique<ExpressionRule>(spec, columns_of(columns)));
        break;
      case RuleKind::regex:
        add(std::make_unique<PatternRule>(spec, columns_of(spec.columns)));
        break;
      case RuleKind::range:
        add(std::make_unique<RangeRule>(spec, columns_of(spec.columns)));
        break;
      case RuleKind::values:
        add(std::make_unique<ValuesRule>(spec, columns_of(spec.columns)));
        break;
      case RuleKind::unique:
        add(std::make_unique<UniqueRule>(spec, columns_of(spec.columns)));
        break;
      case RuleKind::foreign_key:
        add(std::make_unique<ForeignKeyRule>(spec, columns_of(spec.columns), folder));
        break;
      case RuleKind::functional_dependency:
        add(std::make_unique<DependencyRule>(
            spec, columns_of(spec.determinant), columns_of(spec.dependent),
            spec.source.empty() ? std::vector<Column>() : columns_of({spec.source})));
        break;
    }
  }
}

TableRules::~TableRules() = default;

void TableRules::add(const std::vector<std::string_view>& fields) {
  for (const auto& rule : state_->rules) rule->add(state_->rows, fields);
  ++state_->rows;
}

std::vector<RuleCheck> TableRules::finish(std::vector<CellIssue>& issues) {
  std::vector<RuleCheck> checks;
  for (const auto& rule : state_->rules) rule->finish(checks, issues);
  return checks;
}

}  // namespace athanor::distill
