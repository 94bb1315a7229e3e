#include "engine/channel/frame_encoder.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ringcast {
namespace {

class FrameEncoderTest : public testing::Test {
 protected:
  std::string encode(Form form, const MessageView& message) {
    FrameLog log{pool, {}, Purpose::log_blocks, message.seq};
    encode_frame(log, form, message, Instant{seconds{1}}, Instant{seconds{1}});
    const auto run = log.run_from(message.seq, SIZE_MAX);
    EXPECT_EQ(run->frames, 1U);
    EXPECT_EQ(log.next(), next(message.seq));
    return {reinterpret_cast<const char*>(run->data), run->bytes};
  }
  BlockPool pool{nullptr};
};

const MessageView kMessage{.channel = "orders",
                           .epoch = Epoch{1},
                           .seq = Sequence{45},
                           .published_at = WallTime{nanoseconds{1'795'168'800'123'456'789}},
                           .event = "order_update",
                           .message_id = "7f3c",
                           .data = R"({"order_id":17})",
                           .snapshot = false,
                           .channel_id = 9};

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST_F(FrameEncoderTest, AFrameIsOneUnmaskedFinalMessageInItsForm) {
  struct Row {
    Form form;
    std::string payload;
  };
  const Row rows[] = {
      {Form::native_json, R"({"type":"message","channel":"orders","seq":45,"event":"order_update",)"
                          R"("timestamp":"2026-11-20T10:00:00.123456Z","message_id":"7f3c","data":{"order_id":17}})"},
      {Form::exchange_raw, R"({"order_id":17})"},
      {Form::exchange_combined, R"({"stream":"orders","data":{"order_id":17}})"},
      {Form::binary,
       "\x01\x01\x00\x00\x09\x00\x00\x00\x2d\x00\x00\x00\x00\x00\x00\x00\x15\x0d\x39\x33\x83\xb8\xe9\x18"
       "\x1f\x00\x00\x00\x00\x0c\x04\x00"
       R"(order_update7f3c{"order_id":17})"s},
  };
  for (const Row& row : rows) {
    const std::string frame = encode(row.form, kMessage);
    std::string expected{row.form == Form::binary ? "\x82" : "\x81"};
    if (row.payload.size() < 126) {
      expected.push_back(static_cast<char>(row.payload.size()));
    } else {
      expected.push_back(126);
      expected.push_back(static_cast<char>(row.payload.size() >> 8));
      expected.push_back(static_cast<char>(row.payload.size()));
    }
    EXPECT_EQ(frame, expected + row.payload);
  }
}

struct LengthRow {
  std::size_t payload_bytes;
  std::string_view header;  // RFC 6455 section 5.2: as short as possible
};
constexpr LengthRow kLengthRows[] = {
    {1, "\x81\x01"sv},
    {124, "\x81\x7c"sv},
    {125, "\x81\x7d"sv},
    {126, "\x81\x7e\x00\x7e"sv},
    {127, "\x81\x7e\x00\x7f"sv},
    {65'534, "\x81\x7e\xff\xfe"sv},
    {65'535, "\x81\x7e\xff\xff"sv},
    {65'536, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"sv},
    {65'537, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x01"sv},
    {1'048'576, "\x81\x7f\x00\x00\x00\x00\x00\x10\x00\x00"sv},
};

TEST_F(FrameEncoderTest, TheLengthOfEveryFormIsWrittenInTheFewestBytes) {
  for (const Form form : {Form::native_json, Form::exchange_raw, Form::exchange_combined, Form::binary}) {
    for (const LengthRow& row : kLengthRows) {
      MessageView message = kMessage;
      std::string data = "1";
      message.data = data;
      const std::size_t envelope = message_payload_size(form, message) - 1;
      if (row.payload_bytes <= envelope) continue;  // shorter than this form can be
      data = std::string(row.payload_bytes - envelope, '7');
      message.data = data;
      const std::string frame = encode(form, message);
      EXPECT_EQ(frame[0], form == Form::binary ? '\x82' : '\x81');
      EXPECT_EQ(frame.substr(1, row.header.size() - 1), row.header.substr(1)) << row.payload_bytes;
      EXPECT_EQ(frame.size(), row.header.size() + row.payload_bytes);
      EXPECT_NE(frame.find(data), std::string::npos);
    }
  }
}

TEST_F(FrameEncoderTest, ALogTakesOnlyTheNumberThatIsNext) {
  FrameLog log{pool, {}, Purpose::log_blocks, Sequence{7}};
  MessageView message = kMessage;
  message.seq = Sequence{8};
  EXPECT_DEATH(encode_frame(log, Form::native_json, message, Instant{}, Instant{}), "in order");
}

}  // namespace
}  // namespace ringcast
