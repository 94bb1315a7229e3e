"""The admin port of a node, spoken by Python's own HTTP client; every answer is held to docs/openapi.json."""
import asyncio
import http.client
import json
import pathlib
import re
import socket

import jsonschema

from support.runner import equal, require, scaled

DOCUMENT = json.loads((pathlib.Path(__file__).resolve().parents[3] / "docs" / "openapi.json").read_text())
API = "/api/v1/websocket"
JSON = {"Content-Type": "application/json"}


def template_of(path):
    """The path of the document that a request's path is of."""
    path = path.partition("?")[0]
    for template in sorted(DOCUMENT["paths"], key=lambda each: each.count("{")):  # a plain segment comes before braces
        if re.fullmatch(re.sub(r"\\\{[a-z]+\\\}", "[^/]+", re.escape(template)), path):
            return template
    return None


def check(method, path, status, media, text):
    """Is this answer one that the document allows?"""
    template = template_of(path)
    if template is None:  # paths that are not there are refused like any other
        schema = {"$ref": "#/components/schemas/error"}
    else:
        responses = DOCUMENT["paths"][template][method.lower().replace("head", "get")]["responses"]
        content = responses.get(str(status), responses["default"])["content"]
        require(media in content, f"{method} {path} answers {status} as one of {list(content)}; got {media}")
        schema = content[media]["schema"]
    if media == "application/json":
        validator = jsonschema.Draft202012Validator(schema, resolver=jsonschema.RefResolver.from_schema(DOCUMENT))
        for error in validator.iter_errors(json.loads(text)):
            raise AssertionError(f"{method} {path}: {error.message} at {list(error.absolute_path)} of {text[:2000]}")


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def code(self):
        return self.json["error"]["code"]


class Admin:
    """The node must have been started with admin="127.0.0.1:0". tls: the context to shake hands with, if it has to."""

    def __init__(self, node, tls=None):
        said = re.search(r"^admin on (https?)://127\.0\.0\.1:(\d+)$", node.log(), re.M)
        require(said, f"the node says where its admin port is; its log: {node.log()}")
        equal(said.group(1), "http" if tls is None else "https", "what the node says that its admin port speaks")
        self.port = int(said.group(2))
        self.tls = tls
        self.seen = set()

    def connection(self):
        if self.tls is not None:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=scaled(10), context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=scaled(10))

    def open(self):
        """A socket whose handshake, if there has to be one, is done."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=scaled(10))
        return plain if self.tls is None else self.tls.wrap_socket(plain, server_hostname="127.0.0.1")

    async def ask(self, method, path, body=None, headers=None, checked=True):
        """One request over a connection of its own."""
        def exchange():
            connection = self.connection()
            try:
                return self.exchange(connection, method, path, body, headers, checked)
            finally:
                connection.close()
        return await asyncio.to_thread(exchange)

    def exchange(self, connection, method, path, body=None, headers=None, checked=True):
        sent = json.dumps(body) if isinstance(body, (dict, list)) else body
        fields = headers if headers is not None else JSON if method == "POST" else {}
        connection.request(method, path, body=sent if method == "POST" else None, headers=fields)
        response = connection.getresponse()
        text = response.read().decode()
        media = (response.getheader("Content-Type") or "").partition(";")[0]
        if checked and method != "HEAD":
            check(method, path, response.status, media, text)
        self.seen.add((method, template_of(path)))
        return Answer(response.status, dict(response.getheaders()), text)

    async def get(self, path, status=200, headers=None):
        answer = await self.ask("GET", path, headers=headers)
        equal(answer.status, status, f"the status of GET {path}, which answered {answer.text[:500]}")
        return answer

    async def post(self, path, body=None, status=200, headers=None):
        answer = await self.ask("POST", path, body if body is not None else {}, headers)
        equal(answer.status, status, f"the status of POST {path}, which answered {answer.text[:500]}")
        return answer

    async def pages(self, path, name, limit):
        """All rows of a list, by its pages; and how many pages there were."""
        rows, pages, cursor = [], 0, None
        while pages < 1000:
            more = f"&cursor={cursor}" if cursor else ""
            page = (await self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{more}")).json
            rows += page[name]
            pages += 1
            require(len(page[name]) <= limit, f"a page has at most {limit} rows")
            cursor = page["cursor"]
            if cursor is None:
                return rows, pages
        raise AssertionError("pages come to an end")

    async def counters(self):
        return (await self.get(f"{API}/stats")).json["counters"]

    def raw(self, text):
        """What is answered to these bytes, up to the end of the connection."""
        with self.open() as sock:
            sock.sendall(text if isinstance(text, bytes) else text.encode())
            received = b""
            while chunk := sock.recv(65536):
                received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0, head.decode(), body.decode()
