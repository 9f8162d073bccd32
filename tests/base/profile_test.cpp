// The profile: what it records of kernels and spans, and that others can read it.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tensor/base/parallel.h"
#include "tensor/base/profile.h"
#include "tensor/ops.h"

using namespace athanor;
using Catch::Contains;

namespace {

// The events of the trace with this name.
std::vector<nlohmann::json> events_named(const std::string& name) {
  std::ostringstream text;
  write_profile(text);
  std::vector<nlohmann::json> found;
  const nlohmann::json trace = nlohmann::json::parse(text.str());
  for (const nlohmann::json& event : trace.at("traceEvents")) {
    if (event.at("name") == name) found.push_back(event);
  }
  return found;
}

}  // namespace

TEST_CASE("a kernel call is an event with operation, shape, dtype, path, bytes and time") {
  const Tensor a = ones({64, 32}), b = ones({32, 16}, DType::f32);
  matmul(a, b);  // before the start: not recorded
  start_profile();
  CHECK(profile_running());
  matmul(a, b);
  add(a, ones({32}));  // broadcast: the row is read once
  stop_profile();
  CHECK_FALSE(profile_running());
  matmul(a, b);

  const auto products = events_named("matmul");
  REQUIRE(products.size() == 1);
  const nlohmann::json& args = products[0].at("args");
  CHECK(args.at("shape") == "[64, 32]");
  CHECK(args.at("dtype") == "f32");
  CHECK(args.at("bytes") == 4 * (64 * 32 + 32 * 16 + 64 * 16));
  CHECK_FALSE(args.at("path").get<std::string>().empty());
  CHECK(products[0].at("ph") == "X");
  CHECK(products[0].at("ts").get<double>() >= 0);
  CHECK(products[0].at("dur").get<double>() > 0);
  const auto sums = events_named("add");
  REQUIRE(sums.size() == 1);
  CHECK(sums[0].at("args").at("bytes") == 4 * (2 * 64 * 32 + 32));
  CHECK(events_named("full").size() == 1);
  CHECK_THAT(profile_table(), Contains("matmul f32") && Contains("add f32"));
}

TEST_CASE("spans hold what runs inside them, and their names are escaped") {
  start_profile();
  {
    const ProfileSpan span("epoch \"1\"\n");
    exp(ones({1000}));
  }
  stop_profile();
  const auto spans = events_named("epoch \"1\"\n"), kernels = events_named("exp");
  REQUIRE(spans.size() == 1);
  REQUIRE(kernels.size() == 1);
  const double begin = spans[0].at("ts"), length = spans[0].at("dur");
  const double at = kernels[0].at("ts"), time = kernels[0].at("dur");
  CHECK(begin <= at);
  CHECK(at + time <= begin + length + 0.002);  // rounded to nanoseconds
}

TEST_CASE("threads have numbers of their own, and a new start drops what was recorded") {
  start_profile();
  std::thread([] { exp(ones({10})); }).join();
  exp(ones({10}));
  stop_profile();
  const auto events = events_named("exp");
  REQUIRE(events.size() == 2);
  CHECK(events[0].at("tid") != events[1].at("tid"));
  start_profile();
  stop_profile();
  CHECK(events_named("exp").empty());
}

TEST_CASE("events beyond the limit are counted in the table and named as missing") {
  start_profile(5);
  for (int i = 0; i < 20; ++i) neg(ones({4}));
  stop_profile();
  CHECK(events_named("neg").size() + events_named("full").size() == 5);
  CHECK_THAT(profile_table(), Contains("35 events are not in the trace"));
  CHECK_THROWS_WITH(start_profile(0), Contains("expected max_events >= 1"));
}

TEST_CASE("where recording would cost too much, most calls are left out and counted") {
  const Tensor a = ones({4});
  const auto call = [&a](int calls) {
    for (int i = 0; i < calls; ++i) neg(a);
  };
  start_profile(1'000'000, 0.05);
  int calls = 0;
  do {
    call(20'000);
    calls += 20'000;
  } while (events_named("not recorded").empty() && calls < 10'000'000);
  stop_profile();

  // Each pause says how many calls it left out; the last one may not be over.
  const std::size_t recorded = events_named("neg").size();
  CHECK(recorded >= 1024);
  std::int64_t left_out = 0;
  for (const nlohmann::json& pause : events_named("not recorded")) {
    CHECK(pause.at("dur").get<double>() > 0);
    left_out += pause.at("args").at("calls").get<std::int64_t>();
  }
  CHECK(left_out > 0);
  CHECK(left_out + static_cast<std::int64_t>(recorded) <= calls);
  CHECK_THAT(profile_table(), Contains(str("estimated from ", recorded, " of ")));

  // This thread may be in a pause: a new start records from its first call on, and all if asked to.
  start_profile(1'000'000, 1);
  call(20'000);
  stop_profile();
  CHECK(events_named("neg").size() == 20'000);
  CHECK(events_named("not recorded").empty());
  CHECK_THAT(profile_table(), !Contains("estimated"));
  CHECK_THROWS_WITH(start_profile(100, 0), Contains("expected max_cost in (0, 1], got 0"));
  CHECK_THROWS_WITH(start_profile(100, 1.5), Contains("expected max_cost in (0, 1], got 1.5"));
}

TEST_CASE("the reference kernels are named as such") {
  start_profile();
  sort(ones({8}));
  stop_profile();
  const auto events = events_named("sort");
  REQUIRE(events.size() == 1);
  CHECK(events[0].at("args").at("path") == "reference");
}
