// oneDNN: engine, stream, scratch memory and a bounded cache of primitives.
//
// This header and its users are compiled once, not per instruction set: oneDNN picks its own.
// Threads: Debian's oneDNN runs on OpenMP and so follows set_num_threads; a primitive is made for a
// number of threads, which is therefore part of its key.
#pragma once

#include <array>
#include <cstdint>
#include <dnnl.hpp>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "tensor/base/error.h"
#include "tensor/base/parallel.h"

namespace athanor::cpu {

// The CPU engine. Its first use caps oneDNN's instruction set by ATHANOR_ISA.
dnnl::engine& onednn_engine();
// This thread's stream.
dnnl::stream& onednn_stream();

// Calls f(); a oneDNN error becomes an athanor::Error that names `op`.
template <class F>
void with_onednn(const char* op, F&& f) {
  try {
    f();
  } catch (const dnnl::error& e) {
    if (e.status == dnnl_out_of_memory) {
      raise(ErrorKind::out_of_resources, "[", op, "] oneDNN ran out of memory");
    }
    fail(op, "oneDNN failed: ", e.what(), " (status ", static_cast<int>(e.status), ")");
  }
}

// Values made on first use and kept for the `Capacity` keys used last. Safe from several threads.
template <class Key, class Value, std::size_t Capacity>
class LruCache {
 public:
  template <class Make>
  std::shared_ptr<const Value> get(const Key& key, Make&& make) {
    std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->second;
    }
    entries_.emplace_front(key, std::make_shared<const Value>(make()));
    index_[key] = entries_.begin();
    if (entries_.size() > Capacity) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    return entries_.front().second;
  }

 private:
  using Entries = std::list<std::pair<Key, std::shared_ptr<const Value>>>;
  std::mutex mutex_;
  Entries entries_;
  std::map<Key, typename Entries::iterator> index_;
};

}  // namespace athanor::cpu
