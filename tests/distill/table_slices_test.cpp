// What became of the parts of a table, and the pages that show it.
#include "distill/refine/table_slices.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "distill/refine/audit.h"
#include "tests/distill/refined_tables.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;
using Catch::Detail::Approx;

namespace {

// 120 records of two files: `site` has two values and an empty one, `one` a single one, `many` 60;
// the first 30 of the first file say nothing and so are dropped, the last has no stamp.
TableRefineOptions two_files(const TemporaryDirectory& directory) {
  std::string csv[2];
  for (int i = 0; i < 120; ++i) {
    const int file = i / 60;
    csv[file] += (i < 30 ? std::string("?") : "record number " + std::to_string(7 * i) + " of all");
    csv[file] += i % 10 == 0 ? "," : i % 2 ? ",Rome" : ",Oslo";
    csv[file] += ",same,m" + std::to_string(i % 60) + ",";
    csv[file] += i == 119 ? "\n" : "2024-01-" + std::to_string(i / 5 + 1) + "\n";
  }
  TableRefineOptions options;
  for (int file = 0; file < 2; ++file) {
    const auto path = directory.path() / ("part" + std::to_string(file) + ".csv");
    write_text(path, "text,site,one,many,when\n" + csv[file]);
    options.input.files.push_back(path);
  }
  options.input.schema = data::parse_schema(
      "text = 'text'\ntime = 'when'\ncolumns = { when = { type = 'timestamp' } }", "s");
  options.out = directory.path() / "out";
  return options;
}

}  // namespace

TEST_CASE("drop rates are told by file, by time and by the values of categories", "[slices]") {
  const TemporaryDirectory directory;
  NoProgress quiet;
  const TableRefineResult result = refine_table(two_files(directory), quiet);
  REQUIRE(result.records.size() == 120);
  std::vector<std::string> by;
  for (const Slicing& slicing : result.slicings) {
    by.push_back(slicing.by);
    std::int64_t total = 0, kept = 0;
    for (const Slice& slice : slicing.slices) {
      total += slice.total;
      kept += slice.kept;
    }
    CHECK(total == 120);
    CHECK(kept == result.selection.kept);
  }
  REQUIRE(by == std::vector<std::string>{"input file", "when", "site"});
  const Slicing& file = result.slicings[0];
  const Slicing& time = result.slicings[1];
  const Slicing& site = result.slicings[2];
  CHECK(file.slices[0].name == "part0.csv");
  CHECK(file.slices[0].total == 60);
  CHECK(file.slices[0].kept <= 30);
  REQUIRE(time.slices.size() == 5);
  CHECK(time.slices[0].name == "from 2024-01-01");
  CHECK(time.slices[0].kept == 0);  // the records that say nothing are the oldest
  CHECK(time.slices[4].name == "no stamp");
  CHECK(time.slices[4].total == 1);
  REQUIRE(site.slices.size() == 3);
  CHECK(site.slices[0].name == "Rome");
  CHECK(site.slices[0].total == 60);
  CHECK(site.slices[1].total == 48);
  CHECK(site.slices[2].name.empty());
  const Json summary = checked_summary(result);
  CHECK(summary["slices"]["site"][1] ==
        Json{{"name", "Oslo"}, {"total", 48}, {"kept", site.slices[1].kept}});
  CHECK(summary["slices"]["site"][2]["total"] == 12);
  const std::string page = read_text(directory.path() / "out" / "report.html");
  CHECK(page.find("Dropped by site") != std::string::npos);
  CHECK(page.find("(empty)") != std::string::npos);
  CHECK(page.find("Dropped by many") == std::string::npos);
  CHECK(page.find("Calibration of the label models") == std::string::npos);  // there is no label
}

TEST_CASE("quarters of one day are told apart by the hour", "[slices]") {
  TableRecords records;
  TableInput input;
  input.schema.time = "when";
  records.has_time = true;
  for (int i = 0; i < 40; ++i) records.time.push_back(1704067200 + 600. * i);
  records.content.resize(40);
  const std::vector<char> keep(40, 1);
  const std::vector<Slicing> slicings = SliceCounts(input, records, keep).slicings();
  REQUIRE(slicings.size() == 1);
  REQUIRE(slicings[0].slices.size() == 4);
  CHECK(slicings[0].slices[0].name == "from 2024-01-01T00:00:00Z");
  CHECK(slicings[0].slices[1].name == "from 2024-01-01T01:40:00Z");
  CHECK(slicings[0].slices[1].total == 10);
}

TEST_CASE("an audit tells how often scores are right, in numbers and in a picture", "[audit]") {
  AuditedScores scores;
  scores.names = {"score", "uniqueness"};
  scores.columns.resize(2);
  // Of scores .05 none is good, of .95 all but one, of .55 half.
  for (int i = 0; i < 60; ++i) {
    const double score = i < 20 ? .05 : i < 40 ? .55 : .95;
    scores.columns[0].push_back(score);
    scores.columns[1].push_back(1);
    scores.keep.push_back(score > .5);
    scores.reason.push_back(score > .5 ? "" : "score:label_trust");
    ManifestRow row;
    row.correct = row.effective = i >= 20 && (i < 40 ? i % 2 == 0 : i != 40);
    if (!row.correct) row.kinds.add(Defect::flip);
    row.original = row.group = i;
    scores.manifest.push_back(row);
  }
  const Audit a = audit(scores);
  REQUIRE(a.calibration.size() == 10);
  CHECK(a.calibration[0].records == 20);
  CHECK(a.calibration[0].good == 0);
  CHECK(a.calibration[5].good == Approx(.5));
  CHECK(a.calibration[9].good == Approx(.95));
  CHECK(a.calibration[9].score == Approx(.95));
  CHECK(a.calibration[3].records == 0);
  CHECK(std::isnan(a.calibration[3].good));
  CHECK(a.ece == Approx((.05 + .05 + 0) / 3));
  const Json json = Json::parse(audit_json(a));
  CHECK(json["calibration"][9]["records"] == 20);
  CHECK(json["calibration"][3]["good"].is_null());
  const std::string page = render_audit_report({{"a <b>", a}, {"second", a}});
  CHECK(page.find("a &lt;b&gt;") != std::string::npos);
  CHECK(page.find("Calibration of the score") != std::string::npos);
  CHECK(page.find("flip") != std::string::npos);
  CHECK(page.find("<h2>second") != std::string::npos);
}
