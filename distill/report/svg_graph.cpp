// The knowledge graph in two dimensions: edges below, clusters as coloured symbols, noise hollow,
// the majority label written over each large cluster.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>

#include "distill/report/html.h"
#include "distill/report/svg_chart.h"
#include "distill/report/svg_frame.h"

namespace athanor::distill::report {
namespace {

constexpr std::size_t kMaxLabels = 16;
constexpr int kHues = 7;  // the eighth colour is kept for alarms

struct Cluster {
  int id = -1;
  std::vector<std::size_t> nodes;
};

struct Drawing {
  std::vector<GraphNode> nodes;  // in pixels
  std::vector<ChartEdge> edges;
};

// A fixed pseudo-random order (SplitMix64, Steele 2014): taking every n-th node instead would hide
// whole classes when the file lists them in turn.
std::uint64_t shuffled(std::uint64_t i) {
  i += 0x9e3779b97f4a7c15u;
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9u;
  i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
  return i ^ (i >> 31);
}

// A random part of the nodes when there are too many, the heaviest edges among them.
Drawing thin_out(const GraphChart& chart) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < chart.nodes.size(); ++i) {
    if (std::isfinite(chart.nodes[i].x) && std::isfinite(chart.nodes[i].y)) chosen.push_back(i);
  }
  if (chosen.size() > chart.max_nodes) {
    std::sort(chosen.begin(), chosen.end(),
              [](std::size_t a, std::size_t b) { return shuffled(a) < shuffled(b); });
    chosen.resize(chart.max_nodes);
    std::sort(chosen.begin(), chosen.end());
  }
  constexpr std::size_t kLeftOut = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> place(chart.nodes.size(), kLeftOut);
  Drawing out;
  for (const std::size_t i : chosen) {
    place[i] = out.nodes.size();
    out.nodes.push_back(chart.nodes[i]);
  }
  for (const ChartEdge& e : chart.edges) {
    if (place[e.from] != kLeftOut && place[e.to] != kLeftOut) {
      out.edges.push_back({place[e.from], place[e.to], e.weight});
    }
  }
  std::stable_sort(out.edges.begin(), out.edges.end(),
                   [](const ChartEdge& a, const ChartEdge& b) { return a.weight > b.weight; });
  if (out.edges.size() > chart.max_edges) out.edges.resize(chart.max_edges);
  return out;
}

// The range that holds all but the outermost hundredth on each side, with a margin; what lies
// beyond is drawn on the border, so that a few stray nodes do not squeeze all others.
Range robust_range(std::vector<double> values) {
  if (values.empty()) return {0, 1};
  std::sort(values.begin(), values.end());
  const std::size_t cut = values.size() / 100;
  const double lo = values[cut];
  const double hi = values[values.size() - 1 - cut];
  const double margin = (hi - lo) * 0.06;
  const Range range{std::max(values.front(), lo - margin), std::min(values.back(), hi + margin)};
  return range.hi > range.lo ? range : Range{range.lo, range.lo + 1};
}

void place_nodes(std::vector<GraphNode>& nodes, const Area& area) {
  std::vector<double> xs;
  std::vector<double> ys;
  for (const GraphNode& node : nodes) {
    xs.push_back(node.x);
    ys.push_back(node.y);
  }
  const Range x_range = robust_range(xs);
  const Range y_range = robust_range(ys);
  const Scale x(x_range.lo, x_range.hi, area.left, area.right);
  const Scale y(y_range.lo, y_range.hi, area.bottom, area.top);
  for (GraphNode& node : nodes) {
    node.x = x(node.x);
    node.y = y(node.y);
  }
}

// Largest first, noise (-1) left out.
std::vector<Cluster> clusters_of(const std::vector<GraphNode>& nodes) {
  std::map<int, Cluster> by_id;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].cluster < 0) continue;
    Cluster& c = by_id[nodes[i].cluster];
    c.id = nodes[i].cluster;
    c.nodes.push_back(i);
  }
  std::vector<Cluster> out;
  for (auto& [id, cluster] : by_id) out.push_back(std::move(cluster));
  std::stable_sort(out.begin(), out.end(), [](const Cluster& a, const Cluster& b) {
    return a.nodes.size() > b.nodes.size();
  });
  return out;
}

// The commonest label of a cluster and its share.
std::pair<std::string, double> majority(const Cluster& cluster,
                                        const std::vector<GraphNode>& nodes) {
  std::map<std::string, std::size_t> votes;
  for (const std::size_t i : cluster.nodes) ++votes[nodes[i].label];
  const auto best = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return {best->first,
          static_cast<double>(best->second) / static_cast<double>(cluster.nodes.size())};
}

std::string symbol(double x, double y, int shape) {
  switch (shape % 4) {
    case 0:
      return fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"3.2\"/>", coord(x), coord(y));
    case 1:
      return fmt::format("<path d=\"M{} {}h5.6v5.6h-5.6z\"/>", coord(x - 2.8), coord(y - 2.8));
    case 2:
      return fmt::format("<path d=\"M{} {}l3.6 6.4h-7.2z\"/>", coord(x), coord(y - 3.9));
    default:
      return fmt::format("<path d=\"M{} {}l3.8 3.8l-3.8 3.8l-3.8 -3.8z\"/>", coord(x),
                         coord(y - 3.8));
  }
}

// Three paths by weight, so that the page does not carry one element an edge.
std::string draw_edges(const Drawing& drawing) {
  if (drawing.edges.empty()) return "";
  const double heaviest = std::max(drawing.edges.front().weight, 1e-12);
  std::string paths[3];
  for (const ChartEdge& e : drawing.edges) {
    const double share = std::clamp(e.weight / heaviest, 0.0, 0.999);
    const GraphNode& a = drawing.nodes[e.from];
    const GraphNode& b = drawing.nodes[e.to];
    paths[static_cast<int>(share * 3)] +=
        "M" + coord(a.x) + " " + coord(a.y) + "L" + coord(b.x) + " " + coord(b.y);
  }
  std::string out;
  for (int i = 0; i < 3; ++i) {
    if (!paths[i].empty()) out += fmt::format("<path class=\"edge w{}\" d=\"{}\"/>\n", i, paths[i]);
  }
  return out;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Labels at cluster medians, the largest clusters first; a label that would cover an earlier one is
// moved up or down, or left out.
std::string draw_labels(const std::vector<Cluster>& clusters, const std::vector<GraphNode>& nodes,
                        const Area& area) {
  struct Box {
    double x, y, half_width;
  };
  std::vector<Box> placed;
  std::string out;
  for (const Cluster& cluster : clusters) {
    if (placed.size() == kMaxLabels) break;
    const auto [label, share] = majority(cluster, nodes);
    if (label.empty()) continue;
    const std::string text = fmt::format("{} {:.0f}%", label, share * 100);
    std::vector<double> xs;
    std::vector<double> ys;
    for (const std::size_t i : cluster.nodes) {
      xs.push_back(nodes[i].x);
      ys.push_back(nodes[i].y);
    }
    const double half_width = 4.2 * static_cast<double>(text.size());
    const double x = std::clamp(median(xs), area.left + half_width, area.right - half_width);
    for (const double shift : {0.0, -22.0, 22.0, -44.0, 44.0}) {
      const double y = std::clamp(median(ys) + shift, area.top + 12, area.bottom - 4);
      const bool free = std::none_of(placed.begin(), placed.end(), [&](const Box& b) {
        return std::abs(b.y - y) < 19 && std::abs(b.x - x) < b.half_width + half_width;
      });
      if (!free) continue;
      placed.push_back({x, y, half_width});
      out += text_at(x, y, text, "node-label mid") + "\n";
      break;
    }
  }
  return out;
}

}  // namespace

std::string render(const GraphChart& chart) {
  const Area area{12, 12, chart.width - 12, chart.height - 12};
  Drawing drawing = thin_out(chart);
  place_nodes(drawing.nodes, area);
  const std::vector<Cluster> clusters = clusters_of(drawing.nodes);

  std::string out = open_svg(chart.width, chart.height, chart.title, chart.description, "graph");
  out += draw_edges(drawing);
  out += "<g class=\"noise\"><title>noise: in no cluster</title>";
  for (const GraphNode& node : drawing.nodes) {
    if (node.cluster < 0) out += symbol(node.x, node.y, 0);
  }
  out += "</g>\n";
  for (std::size_t rank = 0; rank < clusters.size(); ++rank) {
    const auto [label, share] = majority(clusters[rank], drawing.nodes);
    out += fmt::format("<g class=\"node k{}\"><title>cluster {}: {} ({:.0f}%)</title>",
                       rank % kHues, clusters[rank].id, escape(label), share * 100);
    for (const std::size_t i : clusters[rank].nodes) {
      out += symbol(drawing.nodes[i].x, drawing.nodes[i].y, static_cast<int>(rank) / kHues);
    }
    out += "</g>\n";
  }
  out += draw_labels(clusters, drawing.nodes, area);
  return out.append(kCloseSvg);
}

}  // namespace athanor::distill::report
