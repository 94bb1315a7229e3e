"""The register of cases. A case is a function of a target, with a number, a sentence and a place in a standard."""
import dataclasses

from peer import Failure, Peer


@dataclasses.dataclass(frozen=True)
class Target:
    host: str
    port: int
    path: str = "/echo"
    message_bytes_max: int = 1 << 20
    head_bytes_max: int = 16384
    fields_max: int = 100
    tls: object = None  # an ssl.SSLContext: the connections are wss
    ringcast: bool = False  # also what protocol.md promises beyond the RFC (origins, paths)

    def authority(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclasses.dataclass(frozen=True)
class Case:
    number: str
    sentence: str
    section: str
    run: object
    ringcast_only: bool = False


CASES = []


def add(number, sentence, section, run, ringcast_only=False):
    if any(case.number == number for case in CASES):
        raise ValueError(f"two cases have the number {number}")
    CASES.append(Case(number, sentence, section, run, ringcast_only))


def case(number, sentence, section):
    """Decorates a function of an upgraded Peer."""
    def register(body):
        add(number, sentence, section, lambda target: on_open_connection(target, body))
        return body
    return register


def deflate_case(number, sentence, offer="permessage-deflate", section="RFC 7692 6"):
    """Decorates a function of a Peer that has agreed on permessage-deflate."""
    def register(body):
        add(number, sentence, section, lambda target: on_deflate_connection(target, body, offer))
        return body
    return register


def raw_case(number, sentence, section, ringcast_only=False):
    """Decorates a function of a Peer that is connected and has sent nothing."""
    def register(body):
        def run(target):
            with Peer(target) as peer:
                body(peer)
        add(number, sentence, section, run, ringcast_only)
        return body
    return register


def on_deflate_connection(target, body, offer="permessage-deflate"):
    with Peer(target) as peer:
        if peer.offer_deflate(offer) is None:
            raise Failure(f"the server declined {offer!r}")
        body(peer)


def on_open_connection(target, body):
    with Peer(target) as peer:
        peer.upgrade()
        body(peer)
