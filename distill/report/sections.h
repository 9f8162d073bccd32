// The parts of the report. Each takes what was read from the run directory and gives HTML; a part
// whose file is absent says so and why that can be.
#pragma once

#include <string>

#include "distill/report/fields.h"
#include "distill/report/run_files.h"

namespace athanor::distill::report {

// First screen: the result in a sentence, the table teacher / student alone / vanilla KD /
// three-stage, what each stage did, and the notes.
std::string headline(const RunFiles& run);

// "#results": every arm of the run.
std::string results_section(const RunFiles& run);
// "#refine": stage 1 from refine/.
std::string refine_section(const RunFiles& run);
// "#restructure": stage 2 from restructure/graph.json.
std::string restructure_section(const RunFiles& run);
// "#control": stage 3 from log.jsonl.
std::string control_section(const RunFiles& run);
// "#int8": the INT8 student from summary.json's "int8" and "speed".
std::string int8_section(const RunFiles& run);
// "#training": losses and validation curves from log.jsonl.
std::string training_section(const RunFiles& run);
// "#confusion": confusion matrices from summary.json.
std::string confusion_section(const RunFiles& run);
// "#time": where the seconds went.
std::string time_section(const RunFiles& run);

// summary.json's fields, empty when there is no summary.
Fields summary_of(const RunFiles& run);

// The arm that stage 3 controlled: "student", else the first arm with a bound in its steps, else
// "".
std::string controlled_run(const LogData& log);

// Share of the steps of `run` at which lambda stood above its floor, which is the smallest lambda
// of the run; NaN when lambda was not logged.
double active_share(const LogData& log, const std::string& run);

// The bound is called vacuous when lambda leaves its floor in fewer steps than this.
inline constexpr double kVacuousShare = 0.10;

// The (x, y) of all steps of one arm; x is the epoch where it was logged, else the step.
std::vector<Point> step_series(const LogData& log, const std::string& run,
                               double StepEvent::*value);
// "epoch" or "step", to match.
std::string step_axis(const LogData& log, const std::string& run);

}  // namespace athanor::distill::report
