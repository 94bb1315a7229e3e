#include "alloc/log/block_pool.hpp"

#include <new>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

constexpr std::uint8_t kMadeToMeasure = BlockPool::kBlockBytes.size();
constexpr std::align_val_t kBlockAlignment{kCacheLineBytes};

std::size_t whole_bytes(const LogBlock& block) { return sizeof(LogBlock) + block.capacity; }

}  // namespace

BlockPool::~BlockPool() {
  release_free();
  ensure(in_use_ == 0, "every log gives its blocks back before its pool ends");
}

LogBlock* BlockPool::take(std::uint8_t size_class, std::size_t frame_bytes, Purpose purpose) {
  const std::size_t needed = sizeof(LogBlock) + frame_bytes + sizeof(LogBlock::Entry);
  while (size_class < kMadeToMeasure && kBlockBytes[size_class] < needed) ++size_class;

  ++in_use_;
  LogBlock* block = nullptr;
  std::size_t bytes = 0;
  if (size_class < kMadeToMeasure) {
    FreeList& list = free_[size_class];
    bytes = kBlockBytes[size_class];
    if (list.first != nullptr) {
      block = list.first;
      list.first = block->newer;
      --list.size;
      if (budget_ != nullptr) budget_->release(Purpose::other, bytes);
    }
  } else {
    bytes = (needed + 7) / 8 * 8;
  }
  void* memory = block != nullptr ? block : ::operator new(bytes, kBlockAlignment);
  block = ::new (memory) LogBlock{};
  block->pool = this;
  block->capacity = static_cast<std::uint32_t>(bytes - sizeof(LogBlock));
  block->size_class = size_class;
  block->purpose = purpose;
  if (budget_ != nullptr) budget_->charge(purpose, bytes);
  return block;
}

void BlockPool::give_back(LogBlock* block) {
  ensure(block->pins == 0, "a block that is still being sent from stays where it is");
  const std::size_t bytes = whole_bytes(*block);
  --in_use_;
  if (budget_ != nullptr) budget_->release(block->purpose, bytes);
  if (block->size_class < kMadeToMeasure && free_[block->size_class].size < kFreeBlocksMax) {
    FreeList& list = free_[block->size_class];
    block->newer = list.first;
    list.first = block;
    ++list.size;
    if (budget_ != nullptr) budget_->charge(Purpose::other, bytes);
    return;
  }
  ::operator delete(block, kBlockAlignment);
}

void BlockPool::release_free() {
  for (std::size_t size_class = 0; size_class < free_.size(); ++size_class) {
    FreeList& list = free_[size_class];
    while (list.first != nullptr) {
      LogBlock* block = list.first;
      list.first = block->newer;
      ::operator delete(block, kBlockAlignment);
      if (budget_ != nullptr) budget_->release(Purpose::other, kBlockBytes[size_class]);
    }
    list.size = 0;
  }
}

}  // namespace ringcast
