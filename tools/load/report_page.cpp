// tools/load/report_page.cpp: the page of a load run; its charts are SVG written by hand, so it needs nothing else.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/load/result.hpp"

namespace ringcast {
namespace {

constexpr double kWidth = 860, kHeight = 300, kLeft = 70, kRight = 20, kTop = 20, kBottom = 40;

struct Point {
  double x = 0, y = 0;  // 0 to 1, from the lower left
};

double to_x(double share) { return kLeft + share * (kWidth - kLeft - kRight); }
double to_y(double share) { return kHeight - kBottom - share * (kHeight - kTop - kBottom); }

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

class Chart {
 public:
  explicit Chart(std::string_view title) {
    svg_ = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", kWidth, kHeight, escaped(title));
    svg_ += fmt::format("<rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", kLeft, kTop,
                        kWidth - kLeft - kRight, kHeight - kTop - kBottom);
  }
  void x_tick(double at, std::string_view label) {
    svg_ += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
        "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4}</text>\n",
        to_x(at), kTop, kHeight - kBottom, kHeight - kBottom + 16, escaped(label));
  }
  void y_tick(double at, std::string_view label) {
    svg_ += fmt::format(
        "<line class=\"grid\" x1=\"{1}\" x2=\"{2}\" y1=\"{0:.1f}\" y2=\"{0:.1f}\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
        to_y(at), kLeft, kWidth - kRight, kLeft - 6, to_y(at) + 4, escaped(label));
  }
  void line(const std::vector<Point>& points, std::string_view css_class) {
    if (points.empty()) return;
    svg_ += fmt::format("<polyline class=\"{}\" points=\"", css_class);
    for (const Point& point : points) svg_ += fmt::format("{:.1f},{:.1f} ", to_x(point.x), to_y(point.y));
    svg_ += "\"/>\n";
  }
  void bar(double from, double to, double height) {
    svg_ += fmt::format("<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
                        to_x(from), to_y(height), std::max(0.5, to_x(to) - to_x(from) - 0.5), to_y(0) - to_y(height));
  }
  [[nodiscard]] std::string finish() const { return svg_ + "</svg>\n"; }

 private:
  std::string svg_;
};

/// The axis of nanoseconds, in decades, that holds the run's smallest and largest latency.
struct LogAxis {
  double low, high;  // decimal logarithms
  explicit LogAxis(const LoadResult& result)
      : low{std::floor(std::log10(static_cast<double>(std::max<std::uint64_t>(result.latency_min, 1))))},
        high{std::ceil(std::log10(static_cast<double>(std::max<std::uint64_t>(result.latency.max(), 2))))} {
    if (high <= low) high = low + 1;
  }
  [[nodiscard]] double place(double ns) const {
    return std::clamp((std::log10(std::max(ns, 1.0)) - low) / (high - low), 0.0, 1.0);
  }
  [[nodiscard]] static std::string label(double decade) {
    if (decade < 3) return fmt::format("{:.0f} ns", std::pow(10, decade));
    if (decade < 6) return fmt::format("{:.0f} µs", std::pow(10, decade - 3));
    if (decade < 9) return fmt::format("{:.0f} ms", std::pow(10, decade - 6));
    return fmt::format("{:.0f} s", std::pow(10, decade - 9));
  }
};

/// Percentile curve: each step to the right is ten times rarer.
std::string percentile_chart(const LoadResult& result) {
  constexpr double kNinesMax = 6;
  Chart chart{"latency by percentile"};
  const LogAxis axis{result};
  for (double decade = axis.low; decade <= axis.high; ++decade)
    chart.y_tick((decade - axis.low) / (axis.high - axis.low), LogAxis::label(decade));
  constexpr std::array kNines{"0", "90", "99", "99.9", "99.99", "99.999", "99.9999"};
  for (std::size_t nines = 0; nines < kNines.size(); ++nines) {
    chart.x_tick(static_cast<double>(nines) / kNinesMax, fmt::format("{}%", kNines[nines]));
  }
  std::vector<Point> points;
  const double countable = std::log10(static_cast<double>(std::max<std::uint64_t>(result.latency.count(), 1)));
  for (double nines = 0; nines <= std::min(kNinesMax, countable); nines += 0.05) {
    const double share = 1 - std::pow(10, -nines);
    points.push_back(
        {nines / kNinesMax, axis.place(static_cast<double>(result.latency.percentile(std::clamp(share, 0.0, 1.0))))});
  }
  chart.line(points, "first");
  return chart.finish();
}

/// How many deliveries took how long, in twelve bars a decade.
std::string distribution_chart(const LoadResult& result) {
  constexpr int kBarsPerDecade = 12;
  const LogAxis axis{result};
  const auto bars = static_cast<std::size_t>((axis.high - axis.low) * kBarsPerDecade);
  std::vector<double> counts(bars);
  const double total = static_cast<double>(std::max<std::uint64_t>(result.latency.count(), 1));
  double share_before = 0;
  for (std::size_t i = 0; i < bars; ++i) {  // the histogram answers by share, so each bar asks for its upper edge
    const double upper = std::pow(10, axis.low + static_cast<double>(i + 1) / kBarsPerDecade);
    double low = share_before, high = 1;
    for (int step = 0; step < 40; ++step) {
      const double middle = (low + high) / 2;
      (static_cast<double>(result.latency.percentile(middle)) <= upper ? low : high) = middle;
    }
    counts[i] = std::max(0.0, low - share_before) * total;
    share_before = low;
  }
  const double most = std::max(1.0, *std::ranges::max_element(counts));
  Chart chart{"latency distribution"};
  for (double decade = axis.low; decade <= axis.high; ++decade)
    chart.x_tick((decade - axis.low) / (axis.high - axis.low), LogAxis::label(decade));
  for (int i = 0; i <= 4; ++i) chart.y_tick(i / 4.0, fmt::format("{:.1f}%", 100 * most / total * i / 4));
  for (std::size_t i = 0; i < bars; ++i) {
    const auto count = static_cast<double>(bars);
    if (counts[i] > 0) chart.bar(static_cast<double>(i) / count, static_cast<double>(i + 1) / count, counts[i] / most);
  }
  return chart.finish();
}

std::string throughput_chart(const LoadResult& result) {
  Chart chart{"deliveries a second over time"};
  std::vector<Point> points;
  double most = 1, last = 1;
  const auto& samples = result.samples;
  const std::size_t step = std::max<std::size_t>(1, samples.size() / 400);
  for (std::size_t i = step; i < samples.size(); i += step) {
    const double time = samples[i].seconds - samples[i - step].seconds;
    if (time <= 0) continue;
    const double rate = static_cast<double>(samples[i].delivered - samples[i - step].delivered) / time;
    points.push_back({samples[i].seconds, rate});
    most = std::max(most, rate);
    last = std::max(last, samples[i].seconds);
  }
  const double unit = std::pow(10, std::floor(std::log10(most)));
  most = std::ceil(most / unit) * unit;
  for (Point& point : points) point = {point.x / last, point.y / most};
  for (int i = 0; i <= 4; ++i) {
    chart.y_tick(i / 4.0,
                 most >= 1e6 ? fmt::format("{:.2f} M", most / 1e6 * i / 4) : fmt::format("{:.0f}", most * i / 4));
    chart.x_tick(i / 4.0, fmt::format("{:.1f} s", last * i / 4));
  }
  chart.line(points, "first");
  return chart.finish();
}

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --line: #1a6fb5; --grid: #8884; --text: #444; }
@media (prefers-color-scheme: dark) { :root { --line: #6bb7f5; --text: #bbb; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 900px; margin: 2em auto; padding: 0 1em; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--text); }
.frame { fill: none; stroke: var(--grid); } .grid { stroke: var(--grid); } .bar { fill: var(--line); }
polyline { fill: none; stroke-width: 1.8; } .first { stroke: var(--line); }
pre { overflow-x: auto; padding: 1em; border: 1px solid var(--grid); }
)";

}  // namespace

std::string report_page(const LoadResult& result) {
  std::string page =
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n";
  page += fmt::format("<title>ringcast load</title>\n<style>{}</style>\n", kStyle);
  page += fmt::format("<h1>ringcast load: {}</h1>\n", result.complaints().empty() ? "ok" : "failed");
  page += fmt::format("<pre>{}</pre>\n", escaped(summary_text(result)));
  if (result.latency.count() > 0) {
    page += "<h2>Latency by percentile</h2>\n<p>From the instant at which each message was due to its receipt.</p>\n" +
            percentile_chart(result);
    page += "<h2>Latency distribution</h2>\n<p>Share of the deliveries, logarithmic time.</p>\n" +
            distribution_chart(result);
  }
  if (result.samples.size() > 2)
    page += "<h2>Throughput</h2>\n<p>Deliveries a second over time.</p>\n" + throughput_chart(result);
  return page + "</html>\n";
}

}  // namespace ringcast
