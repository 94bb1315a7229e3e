#!/usr/bin/python3
"""scripts/count_cases.py: counts test cases, for the closing line of scripts/test.

    count_cases.py run COMMAND...          runs one test (meson's --wrapper) and notes its cases in $CASE_COUNTS
    count_cases.py sum DIRECTORY STATUS    adds the notes up, prints `N passed, N failed`, exits 0 if all passed
    count_cases.py --self-test             proves that no outcome of a test is counted as another

GoogleTest writes an XML report where GTEST_OUTPUT says; the system tests write the same form where CASE_REPORT says.
A test that writes no report is one case, and so is one that was killed or crashed before its report was finished.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import uuid
import xml.etree.ElementTree as xml

SKIPPED = 77  # the exit status by which a test tells meson that the machine lacks what it needs


def count_report(path):
    """The numbers in a GoogleTest XML report, or None if there is no readable one."""
    try:
        root = xml.parse(path).getroot()
    except (OSError, xml.ParseError):
        return None
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for case in root.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
        elif case.get("result") == "skipped" or case.find("skipped") is not None:
            counts["skipped"] += 1
        elif case.get("status", "run") == "run":
            counts["passed"] += 1
    return counts


def run(command):
    directory = pathlib.Path(os.environ["CASE_COUNTS"])
    name = f"{pathlib.Path(command[0]).name}-{uuid.uuid4().hex}"
    note = directory / f"{name}.json"
    report = directory / f"{name}.xml"
    what = " ".join(pathlib.Path(part).name if "/" in part else part for part in command)
    # Counted as one failure until the test has come back: meson kills what runs too long, this wrapper with it.
    note.write_text(json.dumps({"what": what, "passed": 0, "failed": 1, "skipped": 0}))
    environment = dict(os.environ, GTEST_OUTPUT=f"xml:{report}", CASE_REPORT=str(report))
    environment.pop("CASE_COUNTS")
    status = subprocess.run(command, env=environment, check=False).returncode
    counts = count_report(report)
    if status == SKIPPED:
        counts = {"passed": 0, "failed": 0, "skipped": 1}
    elif counts is None or sum(counts.values()) == 0:
        counts = {"passed": int(status == 0), "failed": int(status != 0), "skipped": 0}
    elif status != 0 and counts["failed"] == 0:
        counts["failed"] = 1
    note.write_text(json.dumps({"what": what, **counts}))
    return status if status >= 0 else 128 - status


def add_up(directory, meson_status):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for note in sorted(pathlib.Path(directory).glob("*.json")):
        counts = json.loads(note.read_text())
        if counts["failed"]:
            print(f"failed: {counts['what']} ({counts['failed']} of its cases)")
        for key in total:
            total[key] += counts[key]
    if meson_status != 0 and total["failed"] == 0:
        print(f"meson test ended with status {meson_status}")
        total["failed"] = 1
    if total["passed"] + total["failed"] == 0:
        print("no test ran")
        total["failed"] = 1
    if total["skipped"]:
        print(f"{total['skipped']} skipped: this machine lacks what they need")
    print(f"{total['passed']} passed, {total['failed']} failed")
    return int(total["failed"] != 0)


REPORT = """cat > "$CASE_REPORT" <<'END'
<testsuites><testsuite><testcase name="a" status="run" result="completed"/>
<testcase name="b" status="run" result="completed">{inner}</testcase>
<testcase name="c" status="notrun" result="suppressed"/>
<testcase name="d" status="run" result="skipped"><skipped/></testcase></testsuite></testsuites>
END
"""
# a shell program, and (passed, failed, skipped) that must be counted for it
SELF_TEST = [
    ("exit 0", (1, 0, 0)),
    ("exit 1", (0, 1, 0)),
    ("exit 77", (0, 0, 1)),
    ("kill -SEGV $$", (0, 1, 0)),
    ("kill -KILL $PPID; sleep 1", (0, 1, 0)),  # what a time limit does to a test and its wrapper
    (REPORT.format(inner="") + "exit 0", (2, 0, 1)),
    (REPORT.format(inner="<failure/>") + "exit 1", (1, 1, 1)),
    (REPORT.format(inner="") + "exit 1", (2, 1, 1)),  # all cases passed, then it crashed at its end
    ("echo '<testsuites><testcase' > $CASE_REPORT; exit 1", (0, 1, 0)),
]


def self_test():
    failures = 0
    for program, wanted in SELF_TEST:
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run([sys.executable, __file__, "run", "bash", "-c", program], check=False,
                           env=dict(os.environ, CASE_COUNTS=directory))
            notes = [json.loads(note.read_text()) for note in pathlib.Path(directory).glob("*.json")]
            got = tuple(sum(note[key] for note in notes) for key in ("passed", "failed", "skipped"))
        if got != wanted:
            failures += 1
            print(f"self-test: {program!r}: wanted {wanted}, got {got}")
    print(f"count_cases: {len(SELF_TEST) - failures} of {len(SELF_TEST)} self-tests hold")
    return int(failures != 0)


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) >= 2 and arguments[0] == "run":
        return run(arguments[1:])
    if len(arguments) == 3 and arguments[0] == "sum":
        return add_up(arguments[1], int(arguments[2]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
