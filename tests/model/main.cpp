// model_test [--long] [--gtest_filter=...]: the lock-free templates of src/shm under Relacy.
#include <gtest/gtest.h>

#include <string_view>

namespace signalbox::model {
extern bool long_form;
bool long_form = false;
}  // namespace signalbox::model

int main(int count, char** arguments) {
  ::testing::InitGoogleTest(&count, arguments);
  for (int i = 1; i < count; ++i) {
    if (std::string_view(arguments[i]) == "--long") signalbox::model::long_form = true;
  }
  return RUN_ALL_TESTS();
}
