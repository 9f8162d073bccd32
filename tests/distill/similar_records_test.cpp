// Retrieval of similar records: terms, the formula by hand, and files from end to end.
#include "distill/refine/similar_records.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "distill/refine/audit.h"
#include "distill/refine/table_refine.h"
#include "tensor/base/error.h"
#include "tests/distill/temporary_directory.h"

using namespace athanor;
using namespace athanor::distill;

namespace {

using Terms = std::vector<std::string>;

// Refines `csv` and returns its directory's similar.csv.
std::string similar_of(const TemporaryDirectory& directory, const std::string& csv, std::int64_t k,
                       const std::vector<std::string>& text, const std::string& time = "") {
  TableRefineOptions options;
  options.input.files = {directory.path() / "pool.csv"};
  write_text(options.input.files.front(), csv);
  options.input.schema.id = "id";
  options.input.schema.text = text;
  options.input.schema.time = time;
  options.out = directory.path() / "out";
  options.similar = k;
  NoProgress quiet;
  refine_table(options, quiet);
  return read_text(options.out / "similar.csv");
}

}  // namespace

TEST_CASE("words are split where names have inner capitals or digits", "[similar]") {
  CHECK(similarity_terms("NameNode fails") == Terms{"namenode", "name", "node", "fails"});
  CHECK(similarity_terms("HDFSClient2 io") == Terms{"hdfsclient2", "hdfs", "client", "2", "io"});
  CHECK(similarity_terms("dfs.block_size=64") == Terms{"dfs", "block_size", "block", "size", "64"});
  CHECK(similarity_terms("ÄrgerGroß") == Terms{"ärgergross", "ärger", "gross"});
  CHECK(similarity_terms("读写x") == Terms{"读", "写", "读写", "x"});
  CHECK(similarity_terms(" -- \xff ") == Terms{});
}

TEST_CASE("similarity is the cosine of sublinear tf-idf weights, by hand", "[similar]") {
  const TemporaryDirectory directory;
  const std::string csv = "id,text\na,red red apple\nb,red pear\nc,blue sea\nd,\n";
  // n = 4; df: red 2, the others 1. idf(1) = ln(5/2) + 1, idf(2) = ln(5/3) + 1.
  const double one = std::log(2.5) + 1, two = std::log(5. / 3) + 1, tf = 1 + std::log(2.);
  const double expected = tf * two * two / std::hypot(tf * two, one) / std::hypot(two, one);
  char line[160];
  std::snprintf(line, sizeof line, "0,a,1,1,b,%.4f\n1,b,1,0,a,%.4f\n", expected, expected);
  // c has no word in common with any, d none at all.
  CHECK(similar_of(directory, csv, 2, {"text"}) ==
        "row,id,rank,other,other_id,similarity\n" + std::string(line));
}

TEST_CASE("of equally similar records the nearer in time comes first, by hand", "[similar]") {
  const TemporaryDirectory directory;
  // Ages before the latest: 8, 7, 0 and 12 days, one unknown; half of the median: 3.75 days.
  const std::string csv =
      "id,day,text\na,2024-03-05,red apple\nb,2024-03-06,red apple\nc,2024-03-13,red apple\n"
      "d,,red apple\ne,2024-03-01,blue sea\n";
  const auto expected = [](double apart) { return (1 + 2 * std::exp2(-apart / 3.75)) / 3; };
  char lines[200];
  std::snprintf(lines, sizeof lines, "0,a,1,1,b,%.4f\n0,a,2,3,d,%.4f\n0,a,3,2,c,%.4f\n",
                expected(1), expected(3.75), expected(8));
  CHECK(similar_of(directory, csv, 3, {"text"}, "day").find(lines) != std::string::npos);
  const std::string without = "0,a,1,1,b,1.0000\n0,a,2,2,c,1.0000\n0,a,3,3,d,1.0000\n";
  CHECK(similar_of(directory, csv, 3, {"text"}).find(without) != std::string::npos);
  const std::string one_day = "id,day,text\na,2024-03-05,red\nb,2024-03-05,red\nc,,red\n";
  CHECK(similar_of(directory, one_day, 1, {"text"}, "day").find("0,a,1,1,b,1.0000\n") !=
        std::string::npos);
}

TEST_CASE("a title counts a second time; the audit finds the pairs", "[similar]") {
  const TemporaryDirectory directory;
  const std::string csv =
      "id,title,body\n"
      "q,DataNode hangs,the disk was full and nothing was written any more\n"
      "far,Printer jams,paper of the wrong size was in the tray\n"
      "body,Logs missing,data node hangs when started\n"
      "title,data node hangs,when started after the logs were missing\n"
      "none,zzz,yyy\n";
  const std::string listed = similar_of(directory, csv, 3, {"title", "body"});
  CHECK(listed.find("0,q,1,3,title,") != listed.npos);  // the same words, but in the title
  CHECK(listed.find("0,q,2,2,body,") != listed.npos);
  CHECK(listed.find(",none,") == listed.npos);
  write_text(directory.path() / "pairs.csv", "q,title\nq,body\nbody,title\nnone,far\n");
  const SimilarAudit audit =
      audit_similar(directory.path() / "out", directory.path() / "pairs.csv");
  CHECK(audit.pairs == 4);
  CHECK(audit.recall_at_1 == .5);  // q - title and body - title
  CHECK(audit.recall_at_5 == .75);
  CHECK(audit.recall_at_10 == .75);
  CHECK(audit.reciprocal_rank == Approx((1 + 1 + .5) / 4));
}

TEST_CASE("retrieval refuses what it cannot do", "[similar]") {
  const TemporaryDirectory directory;
  const auto message = [&](std::int64_t k, const std::vector<std::string>& text) {
    try {
      similar_of(directory, "id,n\na,1\nb,2\n", k, text);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK_THAT(message(3, {}), Catch::Contains("--similar: expected a column of text"));
  CHECK_THAT(message(-1, {}), Catch::Contains("expected a number of records >= 1, got -1"));
  write_text(directory.path() / "out" / "similar.csv", "id,other_id,rank\na,b,first\n");
  write_text(directory.path() / "pairs.csv", "a,b\n");
  CHECK_THROWS_WITH(audit_similar(directory.path() / "out", directory.path() / "pairs.csv"),
                    Catch::Contains("expected a rank >= 1, found 'first'"));
}
