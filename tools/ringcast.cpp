// tools/ringcast.cpp: one program, few words: the table of subcommands.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "tools/subcommand.hpp"

namespace {

using AddCommand = void (*)(CLI::App&, int&);
constexpr AddCommand kCommands[] = {
    // in the order of --help
    ringcast::add_serve_command, ringcast::add_pub_command,  ringcast::add_sub_command,   ringcast::add_replay_command,
    ringcast::add_load_command,  ringcast::add_stat_command, ringcast::add_token_command, ringcast::add_config_command,
};

}  // namespace

int main(int argument_count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is an error where we write, not a death
  CLI::App app{"ringcast: takes each message once and puts it, in order, in front of every subscriber", "ringcast"};
  app.set_version_flag("--version", "ringcast " RINGCAST_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  int exit_code = ringcast::kExitSuccess;
  for (const AddCommand add : kCommands) add(app, exit_code);
  try {
    app.parse(argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? ringcast::kExitSuccess : ringcast::kExitUsage;
  }
  if (std::fflush(stdout) != 0 && exit_code == ringcast::kExitSuccess) exit_code = ringcast::kExitFailure;
  return exit_code;
}
