#include "distill/refine/scores_reader.h"

#include "data/table_schema.h"
#include "distill/refine/feature_values.h"
#include "tensor/base/error.h"

namespace athanor::distill {

void ScoresReader::refuse_header() const {
  raise(ErrorKind::bad_input, path_.string(), ": expected the header of scores.csv, found '",
        reader_.header().substr(0, 60), "'");
}

bool ScoresReader::next() {
  if (!reader_.next(record_)) return false;
  if (record_.problem) {
    raise(ErrorKind::bad_input, path_.string(), ":", record_.line, ": expected ",
          record_.problem->expected, ", found ", record_.problem->found);
  }
  return true;
}

double ScoresReader::number(std::size_t k) const {
  if (record_.fields[k].empty()) return kNotApplicable;
  const auto value = data::parse_number(record_.fields[k]);
  if (!value) {
    raise(ErrorKind::bad_input, path_.string(), ":", record_.line, ": expected a number, found '",
          record_.fields[k], "'");
  }
  return *value;
}

}  // namespace athanor::distill
