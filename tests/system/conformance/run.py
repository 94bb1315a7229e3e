#!/usr/bin/python3
"""A strict RFC 6455 and RFC 7692 conformance suite for the echo path of a WebSocket server.

    run.py HOST:PORT [PATH]      tests a server that is running; PATH is /echo unless given
    run.py --binary RINGCAST     starts `RINGCAST serve --echo` on a free port, tests it, stops it with SIGTERM
    run.py --tls --binary RINGCAST  the same over wss, with a certificate made for it
    run.py --self-test PEER      starts echo_peer with each of its faults: the suite must notice every one

Prints one line a case, then `N passed, N failed`; exits 0 only if none failed. Needs nothing but Python 3.
"""
import argparse
import concurrent.futures
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import xml.sax.saxutils as saxutils

import cases
import cases_control  # noqa: F401  (each registers its cases)
import cases_deflate  # noqa: F401
import cases_fragments  # noqa: F401
import cases_framing  # noqa: F401
import cases_handshake  # noqa: F401
import cases_utf8  # noqa: F401
from peer import Failure, Peer

START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 20


def natural(number):
    """10.2 behind 9.1, letters behind digits."""
    return [(1, 0, part) if not part.isdigit() else (0, int(part), "") for part in number.split(".")]


def run_case(case, target):
    started = time.monotonic()
    try:
        case.run(target)
        trouble = None
    except Failure as failure:
        trouble = str(failure)
    except OSError as error:
        trouble = f"{type(error).__name__}: {error}"
    except Exception:  # a mistake in the suite counts as a failure, and is shown whole
        trouble = traceback.format_exc()
    return case, trouble, time.monotonic() - started


def run_all(selected, target, jobs, only_failures):
    passed, results = 0, []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for case, trouble, seconds in pool.map(lambda case: run_case(case, target), selected):
            passed += trouble is None
            results.append((case, trouble, seconds))
            if trouble is not None or not only_failures:
                print(f"{'ok  ' if trouble is None else 'FAIL'} {case.number:<12} [{case.section}] {case.sentence}",
                    flush=True)
            if trouble is not None:
                print(f"       {trouble}", flush=True)
    return passed, results


def write_report(path, results):
    """The form of GoogleTest's XML report, as far as the counting of cases reads it."""
    quote = saxutils.quoteattr
    with open(path, "w", encoding="utf-8") as report:
        failed = sum(trouble is not None for _, trouble, _ in results)
        totals = f'tests="{len(results)}" failures="{failed}"'
        report.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites {totals}>\n'
                     f'<testsuite name="conformance" {totals}>\n')
        for case, trouble, seconds in results:
            clean = None if trouble is None else "".join(c if c.isprintable() else "?" for c in trouble)
            inner = "" if clean is None else f"<failure message={quote(clean)}/>"
            report.write(f'<testcase name={quote(case.number + " " + case.sentence)} status="run" result="completed" '
                         f'time="{seconds:.3f}">{inner}</testcase>\n')
        report.write("</testsuite>\n</testsuites>\n")


class Server:
    """The binary under test, started on a free port."""

    def __init__(self, binary, more):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--admin", "off", "--shards", "1",
                   "--echo",
                   "--name", f"conf{os.getpid()}", *more]
        self.log = tempfile.TemporaryFile(mode="w+", errors="replace")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError as error:
                if self.process.poll() is not None:
                    how = self.process.returncode
                    raise SystemExit(f"{self.log_tail()}\nthe server exited with {how}: {' '.join(command)}") from error
                if time.monotonic() > deadline:
                    self.stop()
                    raise SystemExit(f"the server did not accept within {START_SECONDS_MAX} s") from error
                time.sleep(0.05)

    def log_tail(self):
        self.log.seek(0)
        return "".join(self.log.readlines()[-40:]).rstrip()

    def stop(self):
        """SIGTERM by pid; the exit status, or None if it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def make_certificate(directory):
    """A certificate of its own for localhost; the flags that tell serve about it."""
    key, certificate = f"{directory}/key.pem", f"{directory}/certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key,
                    "-out", certificate], check=True, capture_output=True)
    return ["--tls-certificate", certificate, "--tls-key", key]


def stops_gracefully(server, target):
    """The last case: SIGTERM closes an open connection with 1001 and ends the process with 0."""
    with Peer(target) as peer:
        peer.upgrade()
        os.kill(server.process.pid, signal.SIGTERM)
        peer.expect_close(1001)
        peer.send_frame(8, b"\x03\xe9")
        peer.expect_end()
    status = server.wait()  # without another SIGTERM, which would mean "at once"
    if status != 0:
        raise Failure("the server had to be killed" if status is None else f"the server exited with {status}")


# Which case is to notice which fault of echo_peer.
NOTICED_BY = {
    "masks_answers": "1.1.2", "forgets_pipelined": "H.2.3", "answers_no_ping": "2.2", "answers_pongs": "2.7",
    "shortens_pongs": "2.4", "closes_with_1000": "4.1.3.1", "keeps_connection": "7.1.2",
    "closes_without_frame": "3.1.1", "echoes_as_binary": "1.1.3", "waits_for_frames": "8.3.29.1",
    "allows_one_byte_more": "9.3.1", "accepts_http_10": "H.6.9", "takes_any_offer": "D.1.2.1",
    "exceeds_window": "D.3.9", "marks_all_packed": "D.3.9", "forgets_the_limit": "D.5.2",
}


def self_test(binary):
    """Every fault must fail its case, and nothing but the fault may be the reason."""
    faults = subprocess.run([binary, "--faults"], check=True, capture_output=True, text=True).stdout.split()
    if sorted(faults) != sorted(NOTICED_BY):
        raise SystemExit(f"echo_peer has the faults {sorted(faults)}, the suite knows {sorted(NOTICED_BY)}")
    by_number = {case.number: case for case in cases.CASES}

    def run_with(fault):
        outcomes = []
        server = Server(binary, ["--fault", fault])
        try:
            target = cases.Target("127.0.0.1", server.port)
            for number in NOTICED_BY.values() if fault == "none" else [NOTICED_BY[fault]]:
                _, trouble, seconds = run_case(by_number[number], target)
                sentence = f"case {number} {'passes without a fault' if fault == 'none' else f'notices {fault}'}"
                good = (trouble is None) == (fault == "none")
                outcomes.append((cases.Case(f"self.{fault}.{number}", sentence, "", None), good, trouble, seconds))
        finally:
            server.stop()
        return outcomes

    passed, results = 0, []
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for outcomes in pool.map(run_with, ["none", *faults]):
            for case, good, trouble, seconds in outcomes:
                print(f"{'ok  ' if good else 'FAIL'} {case.sentence}: {trouble or 'passed'}", flush=True)
                passed += good
                results.append((case, None if good else trouble or "nothing was noticed", seconds))
    return finish(passed, results)


def finish(passed, results):
    if os.environ.get("CASE_REPORT"):
        write_report(os.environ["CASE_REPORT"], results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?", help="HOST:PORT of a running server")
    parser.add_argument("path", nargs="?", default="/echo")
    parser.add_argument("--binary", help="the ringcast binary to start and test")
    parser.add_argument("--argument", action="append", default=[], help="one more argument for serve; may be repeated")
    parser.add_argument("--filter", default="", help="only cases whose number starts with this")
    parser.add_argument("--jobs", type=int, default=8, help="cases at a time (8)")
    parser.add_argument("--message-bytes-max", type=int, default=1 << 20, help="the server's limit (1048576)")
    parser.add_argument("--tls", action="store_true", help="connect by TLS, believing anybody")
    parser.add_argument("--rfc-only", action="store_true", help="without what protocol.md promises beyond the RFC")
    parser.add_argument("--only-failures", action="store_true", help="print no line for what passed")
    parser.add_argument("--list", action="store_true", help="print the cases and stop")
    parser.add_argument("--self-test", metavar="PEER", help="prove that the suite notices the faults of echo_peer")
    options = parser.parse_args()
    if options.self_test:
        return self_test(options.self_test)
    if bool(options.address) == bool(options.binary) and not options.list:
        parser.error("give either HOST:PORT or --binary")

    selected = sorted((case for case in cases.CASES if case.number.startswith(options.filter)),
        key=lambda c: natural(c.number))
    if options.rfc_only:
        selected = [case for case in selected if not case.ringcast_only]
    if not selected:
        parser.error("no case has such a number")
    if options.list:
        for case in selected:
            print(f"{case.number:<12} [{case.section}] {case.sentence}")
        return 0

    tls, more = None, list(options.argument)
    if options.tls:
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    certificate = tempfile.TemporaryDirectory(prefix="ringcast-conformance-")
    if options.tls and options.binary:
        more += make_certificate(certificate.name)
    server = Server(options.binary, more) if options.binary else None
    try:
        host, _, port = ("127.0.0.1", "", server.port) if server else options.address.rpartition(":")
        target = cases.Target(host.strip("[]"), int(port), options.path, options.message_bytes_max, tls=tls)
        passed, results = run_all(selected, target, options.jobs, options.only_failures)
        if server and not options.filter:
            last = cases.Case("S.1", "SIGTERM closes with 1001 and exits 0", "protocol.md 2",
                              lambda target: stops_gracefully(server, target))
            more_passed, more = run_all([last], target, 1, options.only_failures)
            passed, results = passed + more_passed, results + more
    finally:
        if server:
            status = server.stop()
    if server and status != 0 and passed == len(results):
        print(server.log_tail())
        raise SystemExit(f"the server ended with {status}")  # a crash, or a sanitizer that found something
    return finish(passed, results)


if __name__ == "__main__":
    sys.exit(main())
