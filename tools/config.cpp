// tools/config.cpp: `ringcast config check|print FILE`, and the flags of the configuration.
#include "tools/config.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>

#include "engine/config/print.hpp"
#include "tools/subcommand.hpp"

namespace ringcast {
namespace {

constexpr const char* kFlagGroup = "Configuration";
constexpr const char* kHidden = "";  // CLI11's name for the group that --help leaves out

/// The dashes that CLI11 wants in front of each of a flag's names: "shards-count,shards" is "--shards-count,--shards".
std::string dashed(const std::string& names) {
  std::string text = "--" + names;
  for (std::size_t comma = text.find(','); comma != std::string::npos; comma = text.find(',', comma + 3)) {
    text.insert(comma + 1, "--");
  }
  return text;
}

/// What was given on the command line. A flag of a list that was repeated is one list.
std::vector<Setting> given_flags(const ConfigArguments& arguments) {
  std::vector<Setting> settings;
  for (const ConfigArguments::Flag& flag : arguments.flags) {
    if (flag.option->count() == 0) continue;
    Setting& setting = settings.emplace_back(flag.name, "");
    for (const std::string& text : flag.option->results()) {
      if (!setting.text.empty()) setting.text += ',';
      setting.text += text;
    }
  }
  return settings;
}

}  // namespace

void add_configuration_flags(CLI::App& command, ConfigArguments& arguments) {
  for (const FlagRow& row : configuration_flags()) {
    const std::string names = dashed(row.name);
    CLI::Option* option = nullptr;
    if (row.is_switch) {
      option = command.add_flag(names);
    } else {
      option = command.add_option(names)->type_name(row.form);
      if (row.is_list) option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
    option->description(row.description)->group(row.is_hidden ? kHidden : kFlagGroup);
    arguments.flags.push_back({row.name.substr(0, row.name.find(',')), option});
  }
}

void add_configuration_options(CLI::App& command, ConfigArguments& arguments) {
  command.add_option("--config", arguments.file, "the configuration, TOML")
      ->type_name("FILE")
      ->envname("RINGCAST_CONFIG");
  add_configuration_flags(command, arguments);
}

ConfigSources sources_of(const ConfigArguments& arguments) {
  ConfigSources sources;
  if (!arguments.file.empty()) sources.file = arguments.file;
  sources.environment = environment_settings(environ);
  sources.flags = given_flags(arguments);
  return sources;
}

Result<Configuration, int> load_or_report(const ConfigArguments& arguments) {
  auto loaded = load_configuration(sources_of(arguments));
  if (loaded) return *std::move(loaded);
  bool only_flags = true;
  for (const ConfigProblem& problem : loaded.error()) {
    std::fprintf(stderr, "%s\n", text_of(problem).c_str());
    only_flags = only_flags && problem.source == ConfigProblem::Source::flag;
  }
  return unexpected(only_flags ? kExitUsage : kExitFailure);
}

void add_config_command(CLI::App& app, int& exit_code) {
  CLI::App* config = app.add_subcommand("config", "check a configuration, or print what it comes to");
  config->require_subcommand(1);

  const auto check_arguments = std::make_shared<ConfigArguments>();
  CLI::App* check = config->add_subcommand("check", "say what is wrong with a file; nothing if it is fine");
  check->add_option("FILE", check_arguments->file, "the configuration, TOML")->required()->type_name("");
  add_configuration_flags(*check, *check_arguments);
  check->callback([check_arguments, &exit_code] {
    const auto loaded = load_or_report(*check_arguments);
    if (!loaded) exit_code = loaded.error();
  });

  const auto print_arguments = std::make_shared<ConfigArguments>();
  CLI::App* print = config->add_subcommand("print", "print the effective configuration with each value's origin");
  print->add_option("FILE", print_arguments->file, "the configuration, TOML; without it, what a node starts with")
      ->type_name("");
  add_configuration_flags(*print, *print_arguments);
  print->callback([print_arguments, &exit_code] {
    const auto loaded = load_or_report(*print_arguments);
    if (!loaded) {
      exit_code = loaded.error();
      return;
    }
    std::fputs(print_configuration(*loaded).c_str(), stdout);
  });
}

}  // namespace ringcast
