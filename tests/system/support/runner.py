"""Cases with sentences for names, each bounded in time; reports like GoogleTest's for scripts/count_cases.py.

    @case("a subscriber sees every message once")
    async def _(): ...

    table("a request is refused when", ROWS, function)   # one case a row; a row begins with its sentence

    if __name__ == "__main__":
        main()
"""
import argparse
import asyncio
import faulthandler
import inspect
import os
import pathlib
import sys
import time
import traceback
import xml.etree.ElementTree as xml

SKIPPED = 77
# How much slower than an ordinary build this one is: the sanitizers and a busy machine.
TIME_FACTOR = float(os.environ.get("TEST_TIME_FACTOR", "1"))
CASE_SECONDS = 20


class Skip(Exception):
    """This machine lacks what the case needs."""


class Settings:
    """What the command line said; filled by main()."""
    ringcast = pathlib.Path("build/tools/ringcast")


_cases = []


def case(sentence, seconds=CASE_SECONDS):
    """Registers an async function as one case."""
    def register(function):
        _cases.append((sentence, seconds, function))
        return function
    return register


def table(prefix, rows, function, seconds=CASE_SECONDS):
    """Registers one case for each row; the function gets the row's fields after its sentence."""
    for row in rows:
        def run(row=row):
            return function(*row[1:])
        _cases.append((f"{prefix} {row[0]}".strip(), seconds, run))


def require(holds, sentence):
    """Fails the case with the sentence that should have been true."""
    if not holds:
        raise AssertionError(sentence)


def equal(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, got {got!r}")


def scaled(seconds):
    """A time limit, longer where everything is slower."""
    return seconds * TIME_FACTOR


async def eventually(question, what, seconds=5):
    """Waits until the question has a true answer, and returns it. For what has no event to wait for."""
    end = time.monotonic() + scaled(seconds)
    while True:
        answer = question()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        require(time.monotonic() < end, f"within {seconds} s: {what}")
        await asyncio.sleep(0.02)


def _run_case(function, seconds):
    async def bounded():
        await asyncio.wait_for(function(), scaled(seconds))
    # Nothing may block the loop for longer; should it happen, say where and end.
    faulthandler.dump_traceback_later(scaled(seconds) + 30, exit=True)
    try:
        asyncio.run(bounded())
    finally:
        faulthandler.cancel_dump_traceback_later()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ringcast", type=pathlib.Path, required=True, help="the program under test")
    parser.add_argument("--only", default="", help="run the cases whose sentence contains this")
    arguments = parser.parse_args()
    Settings.ringcast = arguments.ringcast.resolve()
    suite = xml.Element("testsuite", name=pathlib.Path(sys.argv[0]).stem)
    failed = skipped = 0
    chosen = [entry for entry in _cases if arguments.only in entry[0]]
    for sentence, seconds, function in chosen:
        began = time.monotonic()
        element = xml.SubElement(suite, "testcase", name=sentence, status="run", result="completed")
        outcome = "ok     "
        try:
            _run_case(function, seconds)
        except Skip as reason:
            skipped += 1
            outcome = f"skipped ({reason})"
            element.set("result", "skipped")
        except (Exception, asyncio.CancelledError) as error:  # any of them fails this case and none of the others
            failed += 1
            outcome = "FAILED "
            text = "".join(traceback.format_exception(error))
            if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
                text += f"(a case may take {scaled(seconds)} s)\n"
            xml.SubElement(element, "failure", message=str(error)[:200]).text = text
            print(text)
        print(f"{outcome} {sentence} ({time.monotonic() - began:.2f} s)", flush=True)
    if "CASE_REPORT" in os.environ:
        root = xml.Element("testsuites")
        root.append(suite)
        xml.ElementTree(root).write(os.environ["CASE_REPORT"])
    print(f"{len(chosen) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    if not chosen:
        sys.exit("no case has that in its sentence")
    if skipped == len(chosen):
        sys.exit(SKIPPED)
    sys.exit(1 if failed else 0)
