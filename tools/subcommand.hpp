// tools/subcommand.hpp: the words of the program, and the three ways it can end.
//
// Owner    main (ringcast.cpp) calls each add_<name>_command once; the callback that it registers runs the command and
//          stores the exit code. The options live as long as the CLI::App.
// Thread   main.  Memory  the options of one command.
// Failure  a bad command line is CLI11's own exception, which main turns into kExitUsage.
// Not here what a command does (one file each).
#pragma once

namespace CLI {
class App;
}

namespace ringcast {

inline constexpr int kExitSuccess = 0;  // protocol.md section 1
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

inline constexpr const char* kDefaultUrl = "ws://127.0.0.1:9001/ws/connect";  // where `serve` listens by default

void add_pub_command(CLI::App& app, int& exit_code);
void add_sub_command(CLI::App& app, int& exit_code);
void add_replay_command(CLI::App& app, int& exit_code);
void add_load_command(CLI::App& app, int& exit_code);
void add_serve_command(CLI::App& app, int& exit_code);
void add_stat_command(CLI::App& app, int& exit_code);
void add_config_command(CLI::App& app, int& exit_code);
void add_token_command(CLI::App& app, int& exit_code);

}  // namespace ringcast
