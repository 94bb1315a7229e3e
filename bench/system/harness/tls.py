"""TLS at W1's fan-out: the CPU of a delivery beside a plain send and one core's sealing, and the highest rate."""
import dataclasses
import json
import subprocess

from harness import rates
from harness.cost import burst_load
from harness.measure import PAYLOAD_BYTES, failed, reason_of
from harness.outcome import Outcome
from harness.process import BenchError
from harness.systems import Limit, OverTls, certificate_in

BURSTS = (1, 32)  # frames a record
BURSTS_A_SECOND = 50  # 50,000 records a second: a core of every server's has room for them
FRAME_BYTES = PAYLOAD_BYTES + 4
RECORD_BYTES_MAX = 16_384
SEAL_SECONDS = 0.2
CIPHERS = {"TLS_AES_128_GCM_SHA256": "AES-128-GCM", "TLS_AES_256_GCM_SHA384": "AES-256-GCM",
           "TLS_CHACHA20_POLY1305_SHA256": "ChaCha20-Poly1305"}  # TLS's names, and libcrypto's
RATE = rates.RateScenario("tls", "TLS: one channel, 1,000 subscribers", 1000, 1, None, 500, 100_000,
                          {"ringcast": 6_000, "bun": 1_500}, arguments={"ringcast": ("--config", rates.W3_CONFIG)})


def cipher_of(samples):
    """What ringcast and the load client agreed on, in libcrypto's words; the first that both prefer if nobody knows."""
    agreed = next((one["tls"] for one in samples if one.get("tls")), "")
    return CIPHERS.get(agreed.split(" ")[-1], "AES-256-GCM")


def sealing_ns(bench, cipher, size):
    """What one core takes to seal a record, by the limit program; None, and a failure, where it does not say."""
    try:
        text = bench.limit_output(("--seal", cipher, "--seal-bytes", size, "--seconds", SEAL_SECONDS))
        return json.loads(text)["cpu_ns_per_record"]
    except (BenchError, OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        bench.failures.append(f"sealing with {cipher}: {reason_of(error)}")
        return None


def sealed(sample, seal_ns, burst):
    """A run of the limit program as if it had sealed what it sent: a record a send."""
    if not sample["ok"] or sample.get("cpu_ns") is None:
        return sample
    if seal_ns is None:
        return failed("nobody knows what sealing costs")
    return {**sample, "cpu_ns": sample["cpu_ns"] + seal_ns / burst}


def a_delivery(bench, secure, limit, outcome):
    """CPU a delivery at the same rate for all, below saturation; K frames at the same instant are one record."""
    cipher = None
    for burst in BURSTS:
        load = dataclasses.replace(burst_load(bench.pace, burst), rate=BURSTS_A_SECOND * burst)
        jobs = {system.name: lambda system=system, load=load: bench.measure(
            system, dataclasses.replace(load, more=system.client)) for system in secure}
        if limit is not None:
            jobs["limit"] = lambda load=load: bench.measure(limit, load)
        samples = bench.in_turn(jobs, bench.pace.repeats)
        cipher = cipher or cipher_of(samples.get("ringcast", []))
        if limit is not None:
            seals = [sealing_ns(bench, cipher, burst * FRAME_BYTES) for _ in samples["limit"]]
            samples["limit"] = [sealed(one, ns, burst) for one, ns in zip(samples["limit"], seals)]
            outcome.row(f"seal_{burst}", f"K = {burst}: of it, {cipher} alone", "ns", "lower",
                        {"limit": [None if ns is None else ns / burst for ns in seals]})
        outcome.row_of(f"cpu_{burst}", f"K = {burst}, below saturation: CPU a delivery", "ns", "lower", samples,
                       "cpu_ns")
        if burst == BURSTS[0]:
            tell_ciphers(samples, outcome)
    return cipher


def tell_ciphers(samples, outcome):
    agreed = {name: next((one["tls"] for one in some if one.get("tls")), "") for name, some in samples.items()}
    told = [f"{name} {tls}" for name, tls in agreed.items() if tls]
    if told:
        outcome.notes.append("Agreed on: " + ", ".join(told) + ".")


def share_of_core(sample):
    """Of the server's core, in percent."""
    if not sample["ok"] or not sample.get("cpu_ns") or not sample.get("deliveries_per_second"):
        return None
    return sample["cpu_ns"] * sample["deliveries_per_second"] / 1e7


def highest_rate(bench, secure, limit, cipher, known, outcome):
    """As in W3: nothing lost, no backlog; every reader decrypts and verifies all of it."""
    def measured(scenario, system, rate, seconds):
        load = dataclasses.replace(rates.load_at(scenario, rate, seconds, bench.pace), more=system.client)
        return bench.measure(system, load, scenario.arguments.get(system.name, ()))
    settled = rates.settle(bench, RATE, secure, known, outcome, measured)
    samples = settled.samples
    outcome.row("rate", f"highest rate, {RATE.condition}", "msg/s", "higher", settled.rates, settled.notes)
    outcome.row_of("deliveries", "deliveries at it", "/s", "higher", samples, "deliveries_per_second")
    outcome.row_of("server", "CPU a delivery at it", "ns", "lower", samples, "cpu_ns")
    outcome.row("server_share", "the server, of its core", "%", "none", {
        name: [share_of_core(one) for one in some] for name, some in samples.items()})
    outcome.row_of("client", "the load client's receiving thread, of its core", "%",
                   "none", samples, "client_share", 100)
    a_core = {name: [1e9 / one["cpu_ns"] if one["ok"] and one.get("cpu_ns") else None for one in some]
              for name, some in samples.items()}
    if limit is not None:
        frames = RECORD_BYTES_MAX // FRAME_BYTES
        seals = [sealing_ns(bench, cipher, frames * FRAME_BYTES) for _ in range(bench.pace.repeats)]
        a_core["limit"] = [None if ns is None else frames * 1e9 / ns for ns in seals]
    outcome.row("core", f"what a core makes at that CPU; limit: {cipher} alone, in full records", "/s", "higher",
                a_core)
    outcome.distribution(RATE.title, samples)


def run(bench, systems, known):
    outcome = Outcome("TLS", "W1 by TLS: one channel, 1,000 subscribers, who decrypt and verify everything. "
                      f"{BURSTS_A_SECOND} times a second K messages at the same instant, a record each. The limit "
                      "program's CPU is that of its plain sends and, measured apart, of sealing the same bytes, a key "
                      "a reader. The highest rate is found as in W3, with the same configuration. There the client, "
                      "who decrypts and verifies on one core what the server seals on one, may be full first: its "
                      "share and the server's stand beside it, and what a core makes at the server's CPU.")
    limit = next((system for system in systems if isinstance(system, Limit)), None)
    speaking = [system for system in systems if system.name in OverTls.FLAGS]
    if not speaking:
        return outcome
    certificate, key = certificate_in(bench.base)
    secure = [OverTls(system, certificate, key) for system in speaking]
    cipher = a_delivery(bench, secure, limit, outcome)
    highest_rate(bench, secure, limit, cipher, known, outcome)
    return outcome
