#!/usr/bin/python3
"""`ringcast token`: what it issues, read with Python's own tools (docs/protocol.md section 1, RFC 7519)."""
import base64
import hashlib
import hmac
import json
import pathlib
import tempfile
import time

from support.node import run_program
from support.runner import case, equal, main, require, table

SECRET = "0123456789abcdef0123456789abcdef"


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def issue(*arguments, key=SECRET + "\n"):
    """Runs the command with a key file; (status, stdout, stderr)."""
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "key"
        file.write_text(key)
        return await run_program("token", "--key", file, *arguments)


@case("a token says who, what, until when, and is signed with the secret")
async def _():
    before = int(time.time())
    status, out, err = await issue("--sub", "alice", "--subscribe", "*@trade", "--subscribe", "orders.>", "--publish",
                                   "orders.*", "--ttl", "3600", "--issuer", "https://id.example", "--audience", "feed",
                                   "--max-rate", "10", "--conflate", "--admin", "--id", "j-1", "--key-id", "k-1")
    equal((status, err), (0, ""), "status and stderr")
    require(out.endswith("\n") and out.count("\n") == 1, "the token is one line")
    header, claims, signature = out.strip().split(".")
    equal(json.loads(decoded(header)), {"alg": "HS256", "typ": "JWT", "kid": "k-1"}, "the header")
    said = json.loads(decoded(claims))
    issued, expires = said.pop("iat"), said.pop("exp")
    require(before <= issued <= int(time.time()), "it was issued now")
    equal(expires - issued, 3600, "its time")
    equal(said, {"sub": "alice", "subscribe": ["*@trade", "orders.>"], "publish": ["orders.*"], "admin": True,
                 "iss": "https://id.example", "aud": ["feed"], "max_rate": 10, "conflate": True, "jti": "j-1"},
          "its claims")
    digest = hmac.new(SECRET.encode(), f"{header}.{claims}".encode(), hashlib.sha256).digest()
    equal(decoded(signature), digest, "its signature")


@case("every token has a name of its own, so that it can be revoked")
async def _():
    names = set()
    for _ in range(3):
        _, out, _ = await issue("--sub", "alice", "--ttl", "1h")
        names.add(json.loads(decoded(out.split(".")[1]))["jti"])
    equal(len(names), 3, "names of three tokens")


async def refused(status, words, arguments, key=SECRET):
    got, out, err = await issue(*arguments, key=key)
    equal((got, out), (status, ""), f"status and stdout; it said {err}")
    require(words in err, f"it says '{words}': {err}")
    require(SECRET[:8] not in err, "it does not say the key")


table("no token is issued for", [
    ("nobody", 2, "--sub is required", ["--ttl", "60"]),
    ("ever", 2, "--ttl is required", ["--sub", "a"]),
    ("no time", 2, "is not 1 second to 10 years", ["--sub", "a", "--ttl", "0"]),
    ("a century", 2, "is not 1 second to 10 years", ["--sub", "a", "--ttl", "36500d"]),
    ("a time that is none", 2, "is not 1 second to 10 years", ["--sub", "a", "--ttl", "soon"]),
    ("an empty name", 2, "--sub is 1 to 250 bytes", ["--sub", "", "--ttl", "60"]),
    ("a pattern for a name", 2, "--sub is 1 to 250 bytes", ["--sub", "a*", "--ttl", "60"]),
    ("a pattern that is none", 2, "'>x'", ["--sub", "a", "--ttl", "60", "--subscribe", ">x"]),
    ("65 patterns", 2, "65 patterns", ["--sub", "a", "--ttl", "60"] + ["--publish", "x"] * 65),
    ("another algorithm than the key's", 1, "HS256, not for RS256", ["--sub", "a", "--ttl", "60", "--algorithm", "RS256"]),
    ("a short secret", 1, "too short", ["--sub", "a", "--ttl", "60"], "secret"),
    ("a public key", 1, "no private key", ["--sub", "a", "--ttl", "60"],
     "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n"),
    ("a private key that is none", 1, "neither RSA nor P-256", ["--sub", "a", "--ttl", "60"],
     "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"),
    ("more than nodes take", 1, "nodes take 8192 at most",
     ["--sub", "a", "--ttl", "60"] + [x for i in range(60) for x in ("--publish", f"{i:02d}" + "x" * 200)]),
], refused)


if __name__ == "__main__":
    main()
