// Planting, auditing, linking, comparing and reviewing tables.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <cmath>
#include <fstream>
#include <set>

#include "data/idx.h"
#include "distill/pipeline/image_refine.h"
#include "distill/refine/audit.h"
#include "distill/refine/link_mixture.h"
#include "distill/refine/overlap.h"
#include "distill/refine/review.h"
#include "distill/refine/table_plant.h"
#include "distill/refine/table_split.h"
#include "tensor/base/error.h"
#include "tensor/io/npy.h"
#include "tensor/ops.h"
#include "tensor/random.h"
#include "tests/distill/bright_images.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

std::string sentence(Generator& random, int topic) {
  static const char* kinds[2] = {"goal", "bond"};
  std::string text;
  for (int k = 0; k < 10; ++k) {
    text +=
        std::string(k % 2 ? kinds[topic] : "word") + std::to_string(random.next_below(30)) + " ";
  }
  return text + "end.";
}

TableInput clean_input(const TemporaryDirectory& directory, int records) {
  Generator random(2);
  std::string csv = "text,label,n\n";
  for (int i = 0; i < records; ++i) csv += sentence(random, i % 2) + (i % 2 ? ",b,1\n" : ",a,1\n");
  write_text(directory.path() / "clean.csv", csv);
  TableInput input;
  input.files = {directory.path() / "clean.csv"};
  input.schema = data::parse_schema("text = 'text'\nlabel = 'label'", "s");
  return input;
}

}  // namespace

TEST_CASE("a planted table holds what was asked for, and the audit sees what refine did with it",
          "[plant]") {
  const TemporaryDirectory directory;
  const TableInput clean = clean_input(directory, 1000);
  write_text(directory.path() / "d.toml",
             "size = 800\neffective = 0.6\nmixture = 'standard'\nseed = 3\ntrusted = 40\n");
  const TablePlantOptions options = load_table_defects(directory.path() / "d.toml");
  const PlantedTable planted = plant_table(clean, options);
  REQUIRE(planted.rows.size() == 800);
  CHECK(planted.trusted.size() == 40);
  std::int64_t effective = 0;
  std::set<std::string> kinds;
  for (std::size_t i = 0; i < planted.rows.size(); ++i) {
    const ManifestRow& row = planted.manifest[i];
    effective += row.effective;
    CHECK(row.effective == row.kinds.empty());
    if (row.kinds.has(Defect::duplicate)) {
      CHECK(planted.rows[i][0] == planted.rows[static_cast<std::size_t>(row.original)][0]);
    }
    for (const Defect kind : all_defects()) {
      if (row.kinds.has(kind)) kinds.insert(std::string(name_of(kind)));
    }
  }
  CHECK(effective == 480);
  CHECK(kinds.size() == 10);  // all but rule_conflict
  CHECK(plant_table(clean, options).rows == planted.rows);
  CHECK(load_table_defects(directory.path() / "d.toml", false).plan.defects == image_defects());

  const auto pool = directory.path() / "planted";
  write_planted_table(pool, planted, clean.schema, options);
  TableRefineOptions refine;
  refine.input.files = {pool / "pool.csv"};
  refine.input.schema = data::load_schema(pool / "schema.toml");
  refine.out = directory.path() / "refined";
  refine.review = 20;
  NoProgress quiet;
  const TableRefineResult result = refine_table(refine, quiet);
  const AuditedScores scores = read_audit(refine.out, pool / "manifest" / "manifest.csv");
  const Audit a = audit(scores);
  CHECK(a.effective_before == Approx(.6));
  CHECK(a.selected.effective_share > .85);
  CHECK(a.selected.retention > .9);
  CHECK(a.auroc > .9);
  CHECK(a.free_checks.kept > a.selected.kept);
  CHECK(a.ece < .3);
  CHECK(a.kinds.size() == 10);
  const ScoreModel fitted = fit_to_audits({scores}, {Defect::confuse});
  for (const double weight : fitted.weight) CHECK(weight >= 0);
  CHECK(fitted.weight[3] > 0);
  save_score_model(directory.path() / "m.toml", fitted);
  CHECK(load_score_model(directory.path() / "m.toml").weight[3] ==
        Approx(fitted.weight[3]).epsilon(1e-4));

  SECTION("a review is queued, and its verdicts count") {
    std::string csv = read_text(refine.out / "review.csv");
    CHECK(std::count(csv.begin(), csv.end(), '\n') >= 21);
    std::int64_t dropped = 0, kept = 0;
    while (!result.selection.keep[kept]) ++kept;
    while (result.selection.keep[dropped]) ++dropped;
    const auto reviewed = directory.path() / "reviewed.csv";
    write_text(reviewed, "row,verdict\n" + std::to_string(kept) + ",drop\n" +
                             std::to_string(dropped) + ",keep\n3,\n");
    refine.reviewed = reviewed;
    const TableRefineResult again = refine_table(refine, quiet);
    CHECK_FALSE(again.selection.keep[kept]);
    CHECK(again.selection.reasons.text(again.selection.reason[kept]) == "review");
    CHECK(again.selection.keep[dropped]);
    write_text(reviewed, "row,verdict\n1,maybe\n");
    CHECK_THROWS_WITH(read_verdicts(reviewed, 9),
                      Catch::Contains("line 2, verdict: expected keep"));
    write_text(reviewed, "row,verdict\n9,keep\n");
    CHECK_THROWS_WITH(read_verdicts(reviewed, 9), Catch::Contains("expected a row of the table"));
  }
}

TEST_CASE("copies in the clean table take no part in a planted one", "[plant]") {
  const TemporaryDirectory directory;
  TableInput clean = clean_input(directory, 1000);
  write_text(directory.path() / "d.toml",
             "size = 800\neffective = 0.6\nmixture = 'standard'\nseed = 3\ntrusted = 40\n");
  const TablePlantOptions options = load_table_defects(directory.path() / "d.toml");
  const PlantedTable once = plant_table(clean, options);
  // The same records again, in other letters and with the other label.
  Generator random(2);
  std::string csv;
  for (int i = 0; i < 1000; ++i) {
    std::string text = sentence(random, i % 2);
    text[0] = static_cast<char>(std::toupper(text[0]));
    csv += text + (i % 2 ? " ,a,1\n" : " ,b,1\n");
  }
  std::ofstream(directory.path() / "clean.csv", std::ios::app) << csv;
  const PlantedTable twice = plant_table(clean, options);
  CHECK(twice.rows == once.rows);
  CHECK(twice.copies == once.copies + 1000);
}

TEST_CASE("planting refuses what cannot be", "[plant]") {
  const TemporaryDirectory directory;
  TableInput clean = clean_input(directory, 50);
  TablePlantOptions options;
  options.plan.size = 500;
  CHECK_THROWS_WITH(plant_table(clean, options), Catch::Contains("a pool of 500 needs"));
  options.plan.size = 40;
  options.plan.defects = {Defect::rule_conflict};
  CHECK_THROWS_WITH(plant_table(clean, options), Catch::Contains("expected a column"));
  write_text(directory.path() / "d.toml", "sizes = 3\n");
  CHECK_THROWS_WITH(load_table_defects(directory.path() / "d.toml"),
                    Catch::Contains("unknown key sizes"));
}

TEST_CASE("records of the same thing are linked, across files one to one", "[linkage]") {
  const TemporaryDirectory directory;
  write_text(directory.path() / "a.csv",
             "id,title,authors,year\n1,Mining of massive datasets,\"Leskovec, Ullman\",2014\n"
             "2,The art of programming,Knuth,1968\n3,Pattern recognition,Bishop,2006\n");
  write_text(directory.path() / "b.csv",
             "id,title,authors,year\nx,Mining massive data-sets,J. Leskovec and J. Ullman,2014\n"
             "y,Art of programing,Donald Knuth,1968\nz,Deep learning,Goodfellow,2016\n");
  TableRefineOptions options;
  options.input.files = {directory.path() / "a.csv", directory.path() / "b.csv"};
  options.input.schema = data::parse_schema("id = 'id'", "s");
  options.features.link = {{"title", "authors", "year"}, .6, true};
  options.out = directory.path() / "out";
  NoProgress quiet;
  const TableRefineResult result = refine_table(options, quiet);
  REQUIRE(result.features.links.size() == 2);
  CHECK(result.features.links[0].a == 0);
  CHECK(result.features.links[0].b == 3);
  CHECK(result.features.groups.group[4] == 1);
  write_text(directory.path() / "gold.csv", "1,x\n2,y\n3,z\n");
  const LinkAudit a = audit_links(options.out, directory.path() / "gold.csv");
  CHECK(a.right == 2);
  CHECK(a.recall == Approx(2. / 3));
  CHECK(a.precision == 1);
  options.features.link.fields = {"name"};
  CHECK_THROWS_WITH(refine_table(options, quiet), Catch::Contains("found 'name'"));
}

TEST_CASE("wrong fields are found and repaired, bytes of the others stay", "[repair]") {
  const TemporaryDirectory directory;
  write_text(directory.path() / "dirty.csv",
             "id,zip,city,size\r\n1,7,Bend,12.0 oz\r\n2,7,Bend,16\r\n3,7,\"Bnd\",N/A\r\n");
  write_text(directory.path() / "clean.csv",
             "id,zip,city,size\r\n1,7,Bend,12\r\n2,7,Bend,16\r\n3,7,\"Bend\",\r\n");
  TableRefineOptions options;
  options.input.files = {directory.path() / "dirty.csv"};
  options.input.schema = data::parse_schema(
      "id = 'id'\n[columns.size]\ntype = 'number'\n[[rules]]\nkind = 'functional_dependency'\n"
      "determinant = 'zip'\ndependent = 'city'\n",
      "s");
  options.out = directory.path() / "out";
  options.repair = true;
  NoProgress quiet;
  refine_table(options, quiet);
  const FieldAudit a =
      audit_fields(options.out, directory.path() / "dirty.csv", directory.path() / "clean.csv");
  CHECK(a.wrong == 3);
  CHECK(a.right == 3);
  CHECK(a.repaired == 3);
  CHECK(a.f1 == 1);
  CHECK(read_text(options.out / "repaired.csv") ==
        "id,zip,city,size\r\n1,7,Bend,12\r\n2,7,Bend,16\r\n3,7,Bend,\r\n");
}

TEST_CASE("records that the test set holds are found: equal, nearly equal, inside", "[overlap]") {
  const TemporaryDirectory directory;
  const std::string long_text = "a rather long question about the capital city of france";
  write_text(directory.path() / "train.csv",
             "text\nnothing of the kind at all here\n" + long_text + "\nWell: " + long_text +
                 " and then some more words that make it long enough to differ\n" + long_text +
                 "?!\nthe capital city of france\n");
  write_text(directory.path() / "test.csv", "text\n" + long_text + "\n");
  TableRefineOptions options;
  options.input.files = {directory.path() / "train.csv"};
  options.input.schema = data::parse_schema("text = 'text'", "s");
  options.against = {directory.path() / "test.csv"};
  options.out = directory.path() / "out";
  NoProgress quiet;
  const TableRefineResult result = refine_table(options, quiet);
  CHECK(read_text(options.out / "overlap.csv") ==
        "row,other,kind\n1,0,exact\n2,0,contained\n3,0,near\n4,0,contained\n");
  const TableSelection& s = result.selection;
  CHECK(s.reasons.text(s.reason[3]) == "overlap:near");
  CHECK(s.keep[0]);
}

TEST_CASE("matches are told from others without a threshold", "[linkage]") {
  // 300 of 6,000 pairs match: most of their fields are equal or nearly so, now and then one is
  // wrong or absent. The fields of the others are equal by chance in 6% of the cases.
  Generator random(4);
  std::vector<float> similarity;
  std::vector<char> match;
  for (int p = 0; p < 6000; ++p) {
    match.push_back(p % 20 == 0);
    for (int f = 0; f < 5; ++f) {
      const double u = random.next_uniform();
      double s = u < .06 ? 1 : .5 * u;
      if (match[p]) s = u < .7 ? 1 : (u < .9 ? .5 + .4 * random.next_uniform() : .2);
      similarity.push_back(random.next_uniform() < .05 ? NAN : static_cast<float>(s));
    }
  }
  const std::vector<double> posterior = match_posteriors(similarity, 5);
  const double cut = best_expected_f1_cut(posterior);
  int right = 0, linked = 0;
  for (std::size_t p = 0; p < posterior.size(); ++p) {
    linked += posterior[p] >= cut;
    right += posterior[p] >= cut && match[p];
  }
  CHECK(right >= 280);
  CHECK(linked - right <= 10);
  CHECK(match_posteriors({}, 5).empty());
  // Certain matches are linked, hopeless pairs are not.
  CHECK(best_expected_f1_cut(std::vector<double>{.99, .98, .97, .01, .01}) == Approx(.97));
}

TEST_CASE("splits keep groups together and the latest records for the test", "[split]") {
  TableRecords records;
  records.has_time = true;
  const std::int64_t n = 100;
  for (std::int64_t i = 0; i < n; ++i) {
    records.content.push_back({static_cast<std::uint64_t>(i), 0});
    records.time.push_back(static_cast<double>(i));
    records.group.push_back(records.group_names.number("g" + std::to_string(i / 5)));
  }
  DuplicateGroups copies;
  for (std::int64_t i = 0; i < n; ++i) copies.group.push_back(i);
  copies.group[99] = 0;  // a copy of the first record
  std::vector<char> keep(static_cast<std::size_t>(n), 1);
  keep[50] = 0;
  SplitOptions options{{.7, .1, .2}};
  const auto check_groups = [&](const std::vector<std::int8_t>& split) {
    CHECK(split[50] == -1);
    for (std::int64_t i = 0; i < n; ++i) {
      if (i != 50) CHECK(split[i] == split[i / 5 * 5 + (i / 5 == 10)]);
    }
    CHECK(split[99] == split[0]);
  };
  const auto by_chance = split_records(records, copies, keep, options, 3);
  check_groups(by_chance);
  CHECK(std::abs(std::count(by_chance.begin(), by_chance.end(), 0) - 69) <= 5);
  CHECK(by_chance == split_records(records, copies, keep, options, 3));
  CHECK(by_chance != split_records(records, copies, keep, options, 4));
  options.by_time = true;
  const auto by_time = split_records(records, copies, keep, options, 3);
  check_groups(by_time);
  CHECK(by_time[99] == 2);  // with its group, of which the first record is the copy of 0
  CHECK(by_time[5] == 0);
  CHECK(by_time[60] == 0);
  options.shares = {.5, .2, .2};
  CHECK_THROWS_WITH(split_records(records, copies, keep, options, 3), Catch::Contains("sum 1"));
}

TEST_CASE("images are planted, refined and audited like tables", "[images]") {
  const TemporaryDirectory directory;
  const auto [images, labels] = bright_images(300);
  data::save_idx(directory.path() / "images.gz", images);
  data::save_idx(directory.path() / "labels", labels);
  CHECK(data::is_idx(directory.path() / "images.gz"));
  write_text(directory.path() / "t.csv", "a,b\n1,2\n");
  CHECK_FALSE(data::is_idx(directory.path() / "t.csv"));
  CHECK_FALSE(data::is_idx(directory.path() / "none"));
  PlantOptions plan;
  plan.size = 240;
  plan.effective = .6;
  plan.defects = {Defect::flip, Defect::duplicate, Defect::stale};
  plan.seed = 2;
  const auto planted = directory.path() / "planted";
  const PlantedPool pool =
      plant_images(directory.path() / "images.gz", directory.path() / "labels", plan, planted);
  // A model that knows the classes well, but not surely.
  Tensor p = empty({240, 2}, DType::f32);
  for (std::int64_t i = 0; i < 240; ++i) {
    const std::int64_t truth = pool.manifest[static_cast<std::size_t>(i)].true_label;
    p.data<float>()[2 * i + truth] = .8f;
    p.data<float>()[2 * i + 1 - truth] = .2f;
  }
  save_npy(directory.path() / "p.npy", p);
  ImageRefineOptions options;
  options.parts = {{planted / "pool-images-idx3-ubyte", planted / "pool-labels-idx1-ubyte"}};
  options.times = {planted / "times.npy"};
  options.probabilities = directory.path() / "p.npy";
  options.selection = {Selection::Kind::threshold, .5};
  options.out = directory.path() / "out";
  NoProgress quiet;
  const RefineStageResult result = refine_images(options, quiet);
  CHECK(data::load_idx(options.out / "golden-images-idx3-ubyte").size(0) ==
        std::ssize(result.kept));
  CHECK(data::load_idx(options.out / "dropped-labels-idx1-ubyte").size(0) ==
        240 - std::ssize(result.kept));
  const Audit a = audit(read_audit(options.out, planted / "manifest" / "manifest.csv"));
  CHECK(a.effective_before == Approx(.6));
  CHECK(a.at_95.effective_share > .97);
  CHECK(a.selected.retention > .95);
  options.times = {directory.path() / "p.npy"};
  CHECK_THROWS_WITH(refine_images(options, quiet), Catch::Contains("one number for each of 240"));
}
