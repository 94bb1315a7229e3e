// alloc/memory/give_back.hpp: empties a container and gives its memory back.
//
// Thread   any.  Memory  gives it back.  Failure  none.
#pragma once

namespace ringcast {

/// `container = {}` would empty it and keep the memory: it assigns an empty std::initializer_list.
template <class Container>
void give_back(Container& container) {
  Container{}.swap(container);
}

}  // namespace ringcast
