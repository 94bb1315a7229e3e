"""What was measured on: processor, kernel, versions, the commit. Reads; changes nothing."""
import datetime
import os
import pathlib
import platform
import resource
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]


def output_of(command, cwd=ROOT, environment=None):
    """The first line that a short command prints; empty if it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=20, check=False,
                              env=environment)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if done.returncode == 0 and lines else ""


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def usable_cpus():
    return sorted(os.sched_getaffinity(0))


def facts():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    virtual = any(line.startswith("flags") and " hypervisor" in line
                  for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines())
    return {
        "cpu": processor() + (" (virtual)" if virtual else ""),
        "cores": len(usable_cpus()),
        "memory_gib": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "descriptors_max": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "compiler": output_of(["g++", "--version"]),
        "network": "loopback",
    }


def identity(machine):
    """Numbers of different machines are never shown beside each other: what makes a machine another one.

    Of the kernel its release: what stands behind it ("-13-amd64") says who built it.
    """
    return f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel'].partition('-')[0]}"


def commit():
    name = output_of(["git", "rev-parse", "--short=12", "HEAD"]) or "unknown"
    changed = output_of(["git", "status", "--porcelain", "--untracked-files=no", "--", "alloc", "codec", "engine",
                         "tools", "meson.build"])
    return name + ("+changes" if changed else "")


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
