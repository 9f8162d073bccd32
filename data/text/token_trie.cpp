#include "data/text/token_trie.h"

#include <algorithm>

namespace athanor::data {
namespace {

constexpr std::int32_t kBlock = 256;
constexpr std::size_t kOpenBlocks = 16;  // in which free places are looked for

}  // namespace

class TokenTrie::Builder {
 public:
  explicit Builder(std::vector<Node>& nodes) : nodes_(nodes) {}

  void add_block() {
    const auto first = static_cast<std::int32_t>(nodes_.size());
    nodes_.resize(nodes_.size() + kBlock);
    open_.push_back({first, kBlock});
    // Older blocks are nearly full; their last places stay free.
    if (open_.size() > kOpenBlocks) open_.erase(open_.begin());
  }

  void take(std::int32_t place, std::int32_t parent) {
    nodes_[place].parent = parent;
    for (Block& block : open_) {
      if (place >= block.first && place < block.first + kBlock) --block.free;
    }
  }

  // A base whose places for all these bytes are free.
  std::int32_t base_for(const std::vector<unsigned char>& bytes) {
    for (const Block& block : open_) {
      if (block.free < static_cast<std::int32_t>(bytes.size())) continue;
      for (std::int32_t base = block.first; base < block.first + kBlock; ++base) {
        if (fits(base, bytes)) return base;
      }
    }
    add_block();
    return open_.back().first;
  }

 private:
  struct Block {
    std::int32_t first, free;
  };
  bool fits(std::int32_t base, const std::vector<unsigned char>& bytes) const {
    return std::all_of(bytes.begin(), bytes.end(),
                       [&](unsigned char b) { return nodes_[base ^ b].parent == -1; });
  }

  std::vector<Node>& nodes_;
  std::vector<Block> open_;
};

TokenTrie::TokenTrie(std::vector<std::pair<std::string, std::int32_t>> tokens) {
  std::sort(tokens.begin(), tokens.end());
  Builder builder(nodes_);
  builder.add_block();
  builder.take(kRoot, -2);  // the root is nobody's child
  // Tokens [begin, end) share the first `depth` bytes, which lead to `node`.
  struct Range {
    std::int32_t node;
    std::size_t begin, end, depth;
  };
  std::vector<Range> pending{{kRoot, 0, tokens.size(), 0}};
  std::vector<unsigned char> bytes;
  std::vector<std::size_t> starts;
  while (!pending.empty()) {
    Range range = pending.back();
    pending.pop_back();
    if (range.begin < range.end && tokens[range.begin].first.size() == range.depth) {
      nodes_[range.node].id = tokens[range.begin++].second;
    }
    // A node without children points at itself: base ^ b is then some place with another parent.
    nodes_[range.node].base = range.node & ~(kBlock - 1);
    if (range.begin == range.end) continue;
    bytes.clear();
    starts.clear();
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const auto byte = static_cast<unsigned char>(tokens[i].first[range.depth]);
      if (bytes.empty() || bytes.back() != byte) {
        bytes.push_back(byte);
        starts.push_back(i);
      }
    }
    starts.push_back(range.end);
    const std::int32_t base = builder.base_for(bytes);
    nodes_[range.node].base = base;
    for (std::size_t i = 0; i < bytes.size(); ++i) builder.take(base ^ bytes[i], range.node);
    for (std::size_t i = bytes.size(); i-- > 0;) {
      pending.push_back({base ^ bytes[i], starts[i], starts[i + 1], range.depth + 1});
    }
  }
}

std::int32_t TokenTrie::walk(std::string_view bytes) const {
  std::int32_t node = kRoot;
  for (const char byte : bytes) {
    node = step(node, byte);
    if (node < 0) return -1;
  }
  return node;
}

std::int32_t TokenTrie::find(std::string_view token) const {
  const std::int32_t node = walk(token);
  return node < 0 ? -1 : id(node);
}

std::pair<std::int32_t, std::size_t> TokenTrie::longest_prefix(std::string_view text) const {
  std::pair<std::int32_t, std::size_t> best{-1, 0};
  std::int32_t node = kRoot;
  for (std::size_t i = 0; i < text.size(); ++i) {
    node = step(node, text[i]);
    if (node < 0) break;
    if (id(node) >= 0) best = {id(node), i + 1};
  }
  return best;
}

}  // namespace athanor::data
