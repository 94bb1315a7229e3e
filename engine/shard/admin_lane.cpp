#include "engine/shard/admin_lane.hpp"

#include "engine/shard/mesh_records.hpp"

namespace ringcast {

std::size_t bytes_of(const AdminQuestion& question) {
  return sizeof(AdminQuestionHead) + question.channel.size() + question.user.size() + question.event.size() +
         question.message_id.size() + question.data.size();
}

void write_question(MutableBytes out, const AdminQuestion& question) {
  constexpr std::size_t kNameBytesMax = 255;
  for (const std::string_view name : {question.channel, question.user, question.event, question.message_id}) {
    ensure(name.size() <= kNameBytesMax, "a name was bounded before it is asked about");
  }
  ensure(out.size() == bytes_of(question), "a question was given its room");
  AdminQuestionHead head = question.head;
  head.channel_bytes = static_cast<std::uint8_t>(question.channel.size());
  head.user_bytes = static_cast<std::uint8_t>(question.user.size());
  head.event_bytes = static_cast<std::uint8_t>(question.event.size());
  head.message_id_bytes = static_cast<std::uint8_t>(question.message_id.size());
  head.data_bytes = static_cast<std::uint32_t>(question.data.size());
  RecordWriter record{out, head};
  for (const std::string_view part :
       {question.channel, question.user, question.event, question.message_id, question.data}) {
    record.put(part);
  }
}

AdminQuestion read_question(Bytes record) {
  AdminQuestion question;
  question.head = load<AdminQuestionHead>(record.data());
  RecordTexts texts{record, sizeof question.head};
  question.channel = texts.take(question.head.channel_bytes);
  question.user = texts.take(question.head.user_bytes);
  question.event = texts.take(question.head.event_bytes);
  question.message_id = texts.take(question.head.message_id_bytes);
  question.data = texts.take(question.head.data_bytes);
  return question;
}

}  // namespace ringcast
