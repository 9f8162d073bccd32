// The report of a run: one HTML page that needs nothing but itself.
#pragma once

#include <filesystem>
#include <string>

namespace athanor::distill {

// Builds the page from the files of `run_dir` (docs/run_directory.md). Files that are absent leave
// a sentence that says so; the result does not depend on the clock. Throws Error bad_input, naming
// file and line, when a file is malformed or the directory is no run directory.
std::string render_report(const std::filesystem::path& run_dir);

// Writes it to `run_dir`/report.html in one piece; throws also as write_file_atomically does.
// Returns the path.
std::filesystem::path write_report(const std::filesystem::path& run_dir);

}  // namespace athanor::distill
