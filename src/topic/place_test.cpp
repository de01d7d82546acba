// Goal: names that people write become directories that cannot escape the domain.
// Method: good and bad names against locate(), and file names there and back.
#include "topic/place.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace signalbox::topic {
namespace {

class PlaceOfTopic : public ::testing::Test {
 protected:
  PlaceOfTopic() {
    ::setenv("SIGNALBOX_DIR", "/dev/shm/x", 1);
    ::unsetenv("SIGNALBOX_DOMAIN");
  }
};

TEST_F(PlaceOfTopic, JoinsRootDomainAndTopic) {
  const auto place = locate("camera/frames", "lab");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->topic_path, "/dev/shm/x/lab/camera+frames");
  EXPECT_EQ(place->name, "camera/frames");
  EXPECT_FALSE(place->root_is_ours);
}

TEST_F(PlaceOfTopic, EnvironmentNamesTheDomain) {
  ::setenv("SIGNALBOX_DOMAIN", "robot", 1);
  EXPECT_EQ(locate("pose", "")->domain_path, "/dev/shm/x/robot");
  ::unsetenv("SIGNALBOX_DOMAIN");
  EXPECT_EQ(locate("pose", "")->domain_path, "/dev/shm/x/default");
}

TEST_F(PlaceOfTopic, RefusesNamesThatAreNotNames) {
  const std::string long_name(200, 'x');
  for (const std::string name : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a b", "a+b", "a\nb",
                                 "caf\xc3\xa9", long_name.c_str()}) {
    const auto place = locate(name, "");
    ASSERT_FALSE(place) << name;
    EXPECT_EQ(place.error().code, Errc::bad_name) << name;
    EXPECT_NE(place.error().text.find("topic name"), std::string::npos) << place.error().text;
  }
  EXPECT_FALSE(locate("a", "b/c"));
}

TEST_F(PlaceOfTopic, SaysThatTheLengthCountsAllParts) {
  std::string parts = "part";
  while (parts.size() <= 128) parts += "/part";
  const auto place = locate(parts, "");
  ASSERT_FALSE(place);
  EXPECT_NE(place.error().text.find("128 bytes all together"), std::string::npos)
      << place.error().text;
}

TEST_F(PlaceOfTopic, SplitsNoCharacterWhereItCutsAName) {
  std::string name(39, 'x');
  for (int i = 0; i < 200; ++i) name += "\xc3\xa4";
  const auto place = locate(name, "");
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().text.find('\xc3'), std::string::npos) << place.error().text;
}

TEST_F(PlaceOfTopic, SaysWhichCharacterIsWrong) {
  EXPECT_NE(locate("ab*c", "").error().text.find("column 3 holds '*'"), std::string::npos);
}

TEST_F(PlaceOfTopic, RefusesARelativeRoot) {
  ::setenv("SIGNALBOX_DIR", "relative", 1);
  EXPECT_EQ(locate("pose", "").error().code, Errc::bad_argument);
}

TEST_F(PlaceOfTopic, ParticipantFilesThereAndBack) {
  const std::string file = file_name(Role::subscriber, 0x0123456789abcdef);
  EXPECT_EQ(file, "sub-0123456789abcdef");
  const auto who = participant_of(file);
  ASSERT_TRUE(who);
  EXPECT_EQ(who->role, Role::subscriber);
  EXPECT_EQ(who->incarnation, 0x0123456789abcdefU);
  for (const char* other : {"topic", "bell", "sub-0123", "sub-0123456789abcdef.fifo",
                            "sub-0123456789abcdeg", "pub-+123456789abcdef"}) {
    EXPECT_FALSE(participant_of(other)) << other;
  }
}

TEST_F(PlaceOfTopic, ArenasAreNamedAfterTheirPublisher) {
  const std::string file = file_name(Role::publisher, 0x0123456789abcdef);
  EXPECT_EQ(arena_name(file, 12), "pub-0123456789abcdef.frames-12");
  EXPECT_TRUE(is_arena_name(arena_name(file, 12)));
  EXPECT_FALSE(participant_of(arena_name(file, 12)));
  for (const char* other : {"topic", "pub-0123456789abcdef", "pub-0123456789abcdef.sock"}) {
    EXPECT_FALSE(is_arena_name(other)) << other;
  }
}

}  // namespace
}  // namespace signalbox::topic
