#include "shim/loader/initial_stack.h"

#include <gtest/gtest.h>
#include <linux/auxvec.h>

#include <vector>

#include "shim/loader/handover.h"

namespace guise::shim {
namespace {

uint64_t Word(const char* text) { return reinterpret_cast<uint64_t>(text); }

TEST(InitialStackTest, DroppingTheLastVariableMovesTheAuxiliaryVectorAndNothingElse) {
  std::vector<uint64_t> words = {
      2, Word("program"), Word("argument"), 0, Word("A=1"), Word("PRIVATE=2"), 0, AT_PAGESZ, 4096, AT_ENTRY, 1, AT_NULL,
      0};
  InitialStack stack(words.data());
  EXPECT_STREQ(stack.LastVariable(), "PRIVATE=2");
  EXPECT_EQ(stack.aux_size(), 3 * sizeof(AuxEntry));
  stack.DropLastVariable();
  stack.SetAux(AT_ENTRY, 77);
  EXPECT_STREQ(stack.argv()[1], "argument");
  EXPECT_STREQ(stack.envp()[0], "A=1");
  EXPECT_EQ(stack.envp()[1], nullptr);
  // A program that walks the stack by itself finds the vector behind the environment.
  EXPECT_EQ(words[6], uint64_t{AT_PAGESZ});
  EXPECT_EQ(stack.Aux(AT_PAGESZ), 4096u);
  EXPECT_EQ(InitialStack(words.data()).Aux(AT_ENTRY), 77u);
}

TEST(InitialStackTest, AnEmptyEnvironmentHasNoLastVariable) {
  std::vector<uint64_t> words = {0, 0, 0, AT_NULL, 0};
  EXPECT_EQ(InitialStack(words.data()).LastVariable(), nullptr);
}

TEST(HandoverTest, TheVariableIsReadInFull) {
  Handover handover;
  ASSERT_TRUE(ParseHandover("GUISE_SHIM=5:224:225:226:9:-2:7:/bin/a:b c", &handover));
  EXPECT_EQ(handover.image_fd, 224);
  EXPECT_EQ(handover.request_fd, 225);
  EXPECT_EQ(handover.reply_fd, 226);
  EXPECT_EQ(handover.flags, 9u);
  EXPECT_EQ(handover.mask, ~uint64_t{1});
  EXPECT_EQ(handover.target_fd, 7);
  EXPECT_STREQ(handover.path, "/bin/a:b c");
}

TEST(HandoverTest, OtherVariablesAndVersionsAreRefused) {
  Handover handover;
  for (const char* variable : {"", "PATH=/bin", "GUISE_SHIM=", "GUISE_SHIM=5:2:3", "GUISE_SHIM=4:2:3:4:5",
                               "GUISE_SHIM=99:224:225:226:0:0:7:/bin/true", "GUISE_SHIM=x:224:225:226:0:0:7:/bin/true",
                               "GUISE_SHIM=5:99999999999999999999:225:226:0:0:7:/bin/true"}) {
    EXPECT_FALSE(ParseHandover(variable, &handover)) << variable;
  }
}

}  // namespace
}  // namespace guise::shim
