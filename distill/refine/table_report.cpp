// report.html of a refinement of a table.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "data/image_file.h"
#include "distill/refine/calibration.h"
#include "distill/refine/feature_values.h"
#include "distill/refine/table_refine.h"
#include "distill/refine/text_units.h"
#include "distill/report/html.h"
#include "distill/report/page.h"
#include "distill/report/svg_chart.h"
#include "tensor/base/version.h"

namespace athanor::distill {
namespace {

using namespace report;

constexpr std::size_t kSnippet = 160;      // characters of a record that the page shows
constexpr std::size_t kWorst = 8;          // records of a reason
constexpr std::size_t kGroups = 20;        // duplicate groups
constexpr std::size_t kMembers = 4;        // records of a group
constexpr std::int64_t kMapPoints = 1500;  // records of the cartography map
constexpr std::size_t kMostValues = 5000;  // values that a chart looks at

class TableReport {
 public:
  TableReport(const TableRefineOptions& options, const TableRefineResult& result)
      : o_(options),
        r_(result.records),
        f_(result.features),
        s_(result.selection),
        result_(result) {
    step_ = std::max<std::int64_t>(1, r_.size() / static_cast<std::int64_t>(kMostValues));
  }

  std::string render() const {
    const std::string name = o_.input.files.front().filename().string();
    std::string page = fmt::format(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<title>{0} · Athanor</title>\n<style>{1}</style></head>\n<body><main>\n"
        "<header class=\"top\"><span class=\"brand\">Athanor · refine</span><span class=\"facts\">"
        "{0} · {2} · version {3}</span></header>\n",
        escape(name), page_style(), format_seconds(result_.seconds), kVersion);
    page += fmt::format(
        "<h1><b>{}</b> of {} records kept</h1>\n<p class=\"lead\">{} dropped, each with a reason; "
        "{} "
        "rejected because they could not be read; {} fields at fault; set diversity {}.</p>\n",
        format_count(s_.kept), format_count(total()), format_count(r_.size() - s_.kept),
        format_count(std::ssize(r_.rejected)), format_count(std::ssize(r_.issues)),
        format_fixed(f_.set_entropy, 3));
    page += notes();
    page += section("scores", "Scores and features",
                    "A score is the estimated probability that the record is good.", features());
    page += section("reasons", "Why records were dropped", "The first reason that applies counts.",
                    reasons());
    page += section("worst", "Worst records of each reason",
                    "Lowest scores first; content is shown normalised and cut, pictures and sounds "
                    "as they are compared.",
                    worst());
    page += section("groups", "Groups of copies",
                    "Equal content, or texts that share most of their 5-grams.", groups());
    page += calibration();
    page += cartography();
    page +=
        "<footer>Made by <code>athanor refine</code>; the page loads nothing from elsewhere."
        "</footer>\n</main></body></html>\n";
    return page;
  }

 private:
  std::int64_t total() const { return r_.size() + std::ssize(r_.rejected); }

  std::string notes() const {
    if (f_.notes.empty()) return "";
    std::string out = "<div class=\"notes\"><ul>";
    for (const std::string& note : f_.notes) out += "<li>" + escape(note) + "</li>";
    return out + "</ul></div>\n";
  }

  std::string features() const {
    Histogram score;
    score.title = "Score";
    score.description = "Histogram of the calibrated score of kept and dropped records.";
    score.x = {"score", 0, 1};
    score.y = {"records"};
    score.series = {{"kept", {}, kGreen}, {"dropped", {}, kAmber}};
    std::vector<RidgeRow> ridges;
    for (std::size_t k = 0; k < kFeatures; ++k) {
      ridges.push_back({readable_name(kFeatureNames[k]), {}, kBlue});
    }
    for (std::int64_t i = 0; i < r_.size(); i += step_) {
      score.series[s_.keep[i] ? 0 : 1].values.push_back(f_.score[i]);
      for (std::size_t k = 0; k < kFeatures; ++k) {
        if (is_applicable(f_.row[i][k])) ridges[k].values.push_back(f_.row[i][k]);
      }
    }
    RidgeChart chart;
    chart.title = "Features";
    chart.description = "One histogram for each feature that applies, each scaled to its own peak.";
    chart.x = {"value", 0, 1};
    for (RidgeRow& row : ridges) {
      if (!row.values.empty()) chart.rows.push_back(std::move(row));
    }
    const std::string key = legend({{"kept", kGreen}, {"dropped", kAmber}});
    return grid(figure("Score", key + report::render(score)) +
                figure("Features", report::render(chart)));
  }

  std::string reasons() const {
    std::map<std::string, double> count;
    for (const std::int32_t reason : s_.reason) {
      if (reason > 0) ++count[s_.reasons.text(reason)];
    }
    if (count.empty()) return absent("No record was dropped.");
    std::vector<std::pair<std::string, double>> order(count.begin(), count.end());
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    BarChart bars;
    bars.title = "Reasons";
    bars.description = "Records dropped for each reason.";
    bars.x = {"records", 0};
    for (const auto& [name, records] : order) {
      bars.rows.push_back({name, {{records, kAmber, name}}, format_count(std::llround(records))});
    }
    std::string figures = figure("Dropped by reason", report::render(bars));
    if (r_.has_label && r_.label_names.size() <= 60)
      figures += figure("Dropped by class", drop_rates(slices_by_class(r_, s_.keep)));
    for (const Slicing& slicing : result_.slicings) {
      figures += figure("Dropped by " + slicing.by, drop_rates(slicing));
    }
    return grid(figures);
  }

  std::string drop_rates(const Slicing& slicing) const {
    BarChart bars;
    bars.title = "Drop rate by " + slicing.by;
    bars.description = "Share of the records of each part that were dropped.";
    bars.x = {"share dropped", 0, 1, false, true};
    for (const Slice& slice : slicing.slices) {
      const double share = static_cast<double>(slice.total - slice.kept) /
                           static_cast<double>(std::max<std::int64_t>(slice.total, 1));
      bars.rows.push_back(
          {slice.name.empty() ? "(empty)" : slice.name,
           {{share, kAmber, "dropped"}},
           fmt::format("{} of {}", format_percent(share), format_count(slice.total))});
    }
    bars.note_width = 110;
    return report::render(bars);
  }

  std::string snippet(std::int64_t row) const {
    const std::string_view text = r_.text[row];
    std::size_t at = 0, characters = 0;
    while (at < text.size() && characters < kSnippet) {
      next_character(text, at);
      ++characters;
    }
    return escape(text.substr(0, at)) + (at < text.size() ? " …" : "");
  }

  // What is kept of the record's picture and sound: grey pixels, a spectrogram.
  std::string looks(std::int64_t row) const {
    std::string out;
    for (const auto* kind : {&r_.media.images, &r_.media.sounds}) {
      if (kind->empty() || !(*kind)[row].there) continue;
      const Tensor pixels = look_pictures({kind->data() + row, 1});
      out += fmt::format(
          "<img width=\"64\" height=\"64\" style=\"image-rendering:pixelated\" alt=\"{} of row "
          "{}\" "
          "src=\"{}\"> ",
          kind == &r_.media.images ? "picture" : "spectrogram", row,
          report::data_uri("image/png", data::to_png(pixels)));
    }
    return out;
  }

  std::string label(std::int64_t row) const {
    if (r_.label[row] < 0) return "";
    std::string text = escape(r_.label_names.text(r_.label[row]));
    if (f_.suspect[row] && f_.guess[row] >= 0 && f_.guess[row] != r_.label[row]) {
      text += " → " + escape(r_.label_names.text(f_.guess[row])) + "?";
    }
    return text;
  }

  std::string table(const std::vector<std::int64_t>& rows) const {
    std::string out =
        "<div class=\"panel\"><table><thead><tr><th>row</th><th>score</th><th>label</th>"
        "<th style=\"text-align:left\">content</th></tr></thead><tbody>";
    for (const std::int64_t i : rows) {
      out += fmt::format(
          "<tr><th>{}</th><td>{}</td><td>{}</td>"
          "<td style=\"text-align:left;white-space:normal\">{}</td></tr>",
          i, format_fixed(f_.score[i], 3), label(i), looks(i) + snippet(i));
    }
    return out + "</tbody></table></div>\n";
  }

  std::string worst() const {
    std::vector<std::vector<std::int64_t>> rows(static_cast<std::size_t>(s_.reasons.size()));
    for (std::int64_t i = 0; i < r_.size(); ++i) {
      if (s_.reason[i] > 0) rows[s_.reason[i]].push_back(i);
    }
    std::string out;
    for (std::size_t k = 1; k < rows.size(); ++k) {
      std::vector<std::int64_t>& of = rows[k];
      if (of.empty()) continue;
      const std::size_t shown = std::min(kWorst, of.size());
      std::partial_sort(of.begin(), of.begin() + static_cast<std::ptrdiff_t>(shown), of.end(),
                        [&](auto a, auto b) {
                          return f_.score[a] != f_.score[b] ? f_.score[a] < f_.score[b] : a < b;
                        });
      const std::string name = escape(s_.reasons.text(static_cast<std::int64_t>(k)));
      out += fmt::format("<h3>{} ({})</h3>\n", name, format_count(std::ssize(of)));
      of.resize(shown);
      out += table(of);
    }
    return out.empty() ? absent("No record was dropped.") : out;
  }

  std::string groups() const {
    std::map<std::int64_t, std::vector<std::int64_t>> members;
    std::vector<std::int64_t> size(static_cast<std::size_t>(r_.size()));
    for (const std::int64_t g : f_.groups.group) ++size[g];
    std::vector<std::int64_t> order;
    for (std::int64_t g = 0; g < r_.size(); ++g) {
      if (size[g] > 1) order.push_back(g);
    }
    if (order.empty()) return absent("No record is a copy of another.");
    const std::size_t found = order.size();
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return size[a] > size[b]; });
    order.resize(std::min(kGroups, order.size()));
    for (const std::int64_t g : order) members[g];
    for (std::int64_t i = 0; i < r_.size(); ++i) {
      const auto at = members.find(f_.groups.group[i]);
      if (at != members.end() && at->second.size() < kMembers) at->second.push_back(i);
    }
    std::string out = sentence(fmt::format("{} groups; the {} largest, {} records of each at most.",
                                           format_count(static_cast<std::int64_t>(found)),
                                           order.size(), kMembers));
    for (const std::int64_t g : order) {
      out += fmt::format("<h3>{} records</h3>\n", format_count(size[g])) + table(members[g]);
    }
    return out;
  }

  // How often the label given is the class, by the probability that models which had not seen it
  // gave the class; every class of every record counts once.
  std::string calibration() const {
    if (!f_.labels || f_.labels->p.rows < r_.size()) return "";
    const ProbabilityTable& p = f_.labels->p;
    Calibration all, kept;
    for (std::int64_t i = 0; i < r_.size(); ++i) {
      if (r_.label[i] < 0 || !p.known(i)) continue;
      for (std::int64_t k = 0; k < p.classes; ++k) {
        all.add(p.row(i)[k], r_.label[i] == k);
        if (s_.keep[i]) kept.add(p.row(i)[k], r_.label[i] == k);
      }
    }
    const CalibrationChart chart{
        "Labels given, by what models say",
        "Calibration of the label models",
        "Share of records whose label is a class, by the probability that was given to the class.",
        "probability of a class",
        "share whose label it is",
        {{"all records", kAmber, all.bins()}, {"kept records", kGreen, kept.bins()}}};
    return section(
        "calibration", "Calibration of the label models",
        "What models say of records that they have not learned from, against the labels "
        "given. Over all records the line is flatter than the dashed one by as much as "
        "labels are wrong; kept records lie nearer to it, in part since the models chose them.",
        grid(distill::render(chart)));
  }

  // Swayamdipta et al. 2020: how sure training was of the given label, and how much that varied.
  std::string cartography() const {
    if (f_.confidence.empty()) return "";
    GraphChart map;
    map.title = "Data map";
    map.description =
        "Left to right: variability of the probability of the given label over training, 0 to 0.5; "
        "bottom to top: its mean, 0 to 1.";
    const std::int64_t step = std::max<std::int64_t>(1, r_.size() / kMapPoints);
    for (std::int64_t i = 0; i < r_.size(); i += step) {
      map.nodes.push_back({f_.variability[i] * 2, 1 - f_.confidence[i], s_.keep[i] ? 2 : 5,
                           fmt::format("row {}: {}", i, label(i))});
    }
    map.height = 420;
    return section(
        "map", "Data map of the labels",
        "Top left is easy, right is ambiguous, bottom left is hard or labelled wrongly; "
        "one colour for kept records, the other for dropped ones.",
        figure("Confidence (up) against variability (right)", report::render(map), "wide"));
  }

  const TableRefineOptions& o_;
  const TableRecords& r_;
  const TableFeatures& f_;
  const TableSelection& s_;
  const TableRefineResult& result_;
  std::int64_t step_ = 1;
};

}  // namespace

std::string render_table_report(const TableRefineOptions& options,
                                const TableRefineResult& result) {
  return TableReport(options, result).render();
}

}  // namespace athanor::distill
