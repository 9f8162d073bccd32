#include "distill/refine/table_stages.h"

#include "tensor/base/error.h"

namespace athanor::distill {
namespace {

template <class T>
Tensor column(const std::vector<T>& values) {
  return from_values(values, {std::ssize(values)});
}

// Characters (flags, bytes of a text) as u8.
template <class Bytes>
Tensor byte_column(const Bytes& bytes) {
  return column(std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
}

const Tensor& named(const NamedTensors& tensors, const std::string& name) {
  const auto it = tensors.find(name);
  if (it == tensors.end()) raise(ErrorKind::bad_input, "kept stage: it has no tensor ", name);
  return it->second;
}

template <class T>
std::vector<T> values_of(const NamedTensors& tensors, const std::string& name) {
  return named(tensors, name).to_vector<T>();
}

template <class Bytes>
Bytes bytes_of(const NamedTensors& tensors, const std::string& name) {
  const auto bytes = values_of<std::uint8_t>(tensors, name);
  return Bytes(bytes.begin(), bytes.end());
}

std::int64_t number_of(const NamedTensors& tensors, const std::string& name) {
  return named(tensors, name).to_vector<std::int64_t>().at(0);
}

Tensor pack_table(const ProbabilityTable& p) { return from_values(p.values, {p.rows, p.classes}); }

ProbabilityTable table_of(const NamedTensors& tensors, const std::string& name) {
  const Tensor& p = named(tensors, name);
  if (p.rank() != 2) raise(ErrorKind::bad_input, "kept stage: expected a matrix ", name);
  return {p.size(0), p.size(1), p.to_vector<double>()};
}

}  // namespace

NamedTensors pack_links(const std::vector<Link>& links) {
  std::vector<std::int64_t> a, b;
  std::vector<double> similarity, posterior;
  for (const Link& link : links) {
    a.push_back(link.a);
    b.push_back(link.b);
    similarity.push_back(link.similarity);
    posterior.push_back(link.posterior);
  }
  return {{"a", column(a)},
          {"b", column(b)},
          {"similarity", column(similarity)},
          {"posterior", column(posterior)}};
}

std::vector<Link> unpack_links(const NamedTensors& t) {
  const auto a = values_of<std::int64_t>(t, "a"), b = values_of<std::int64_t>(t, "b");
  const auto similarity = values_of<double>(t, "similarity"),
             posterior = values_of<double>(t, "posterior");
  std::vector<Link> links;
  for (std::size_t k = 0; k < a.size(); ++k) {
    links.push_back({a[k], b.at(k), similarity.at(k), posterior.at(k)});
  }
  return links;
}

NamedTensors pack_copies(const DuplicateGroups& groups) {
  return {{"group", column(groups.group)},
          {"wording", column(groups.wording)},
          {"exact", byte_column(groups.exact)},
          {"count", column(std::vector<std::int64_t>{groups.count})}};
}

DuplicateGroups unpack_copies(const NamedTensors& t) {
  return {values_of<std::int64_t>(t, "group"), values_of<std::int64_t>(t, "wording"),
          bytes_of<std::vector<char>>(t, "exact"), number_of(t, "count")};
}

NamedTensors pack_values(const std::vector<double>& values) { return {{"values", column(values)}}; }

std::vector<double> unpack_values(const NamedTensors& t) { return values_of<double>(t, "values"); }

NamedTensors pack_neighbours(const NeighbourFeatures& f) {
  return {{"novelty", column(f.novelty)},
          {"typicality", column(f.typicality)},
          {"cluster", column(f.cluster)},
          {"clusters", column(std::vector<std::int64_t>{f.clusters})},
          {"note", byte_column(f.note)}};
}

NeighbourFeatures unpack_neighbours(const NamedTensors& t) {
  return {values_of<double>(t, "novelty"), values_of<double>(t, "typicality"),
          values_of<std::int64_t>(t, "cluster"), number_of(t, "clusters"),
          bytes_of<std::string>(t, "note")};
}

NamedTensors pack_labels(const LabelEvidence& e) {
  const std::vector<std::int64_t> numbers = {e.joint, e.training.presentations};
  return {{"answers", pack_table(e.answers)},
          {"p", pack_table(e.p)},
          {"posterior", pack_table(e.posterior)},
          {"training_p", pack_table(e.training.p)},
          {"forgetting", column(e.training.forgetting)},
          {"confidence", column(e.training.confidence)},
          {"variability", column(e.training.variability)},
          {"accuracy", column(std::vector<double>{e.training.accuracy})},
          {"numbers", column(numbers)}};
}

LabelEvidence unpack_labels(const NamedTensors& t) {
  const auto numbers = values_of<std::int64_t>(t, "numbers");
  LabelEvidence e;
  e.answers = table_of(t, "answers");
  e.p = table_of(t, "p");
  e.posterior = table_of(t, "posterior");
  e.joint = numbers.at(0) != 0;
  e.training.p = table_of(t, "training_p");
  e.training.forgetting = values_of<std::int64_t>(t, "forgetting");
  e.training.presentations = numbers.at(1);
  e.training.confidence = values_of<float>(t, "confidence");
  e.training.variability = values_of<float>(t, "variability");
  e.training.accuracy = values_of<double>(t, "accuracy").at(0);
  return e;
}

NamedTensors pack_similar(const std::vector<SimilarRecord>& similar) {
  std::vector<std::int64_t> row, other;
  std::vector<double> similarity;
  for (const SimilarRecord& s : similar) {
    row.push_back(s.row);
    other.push_back(s.other);
    similarity.push_back(s.similarity);
  }
  return {{"row", column(row)}, {"other", column(other)}, {"similarity", column(similarity)}};
}

std::vector<SimilarRecord> unpack_similar(const NamedTensors& t) {
  const auto row = values_of<std::int64_t>(t, "row"), other = values_of<std::int64_t>(t, "other");
  const auto similarity = values_of<double>(t, "similarity");
  std::vector<SimilarRecord> similar;
  for (std::size_t k = 0; k < row.size(); ++k) {
    similar.push_back({row[k], other.at(k), similarity.at(k)});
  }
  return similar;
}

}  // namespace athanor::distill
