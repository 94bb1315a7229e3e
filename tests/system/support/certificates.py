"""Certificates for nodes that speak TLS, made by openssl on the spot."""
import pathlib
import ssl
import subprocess
import tempfile


class Certificates:
    """An authority and what it signs, made by openssl in a directory that goes with it."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="ringcast-tls-")
        self.path = pathlib.Path(self._directory.name)
        self.ca = self._authority("ca")

    def _run(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def _key(self, name):
        self._run("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                  self.path / f"{name}.key")
        return self.path / f"{name}.key"

    def _authority(self, name):
        self._run("req", "-x509", "-key", self._key(name), "-days", 2, "-subj", f"/CN={name}", "-out",
                  self.path / f"{name}.pem")
        return self.path / f"{name}.pem"

    def stranger(self, name="stranger"):
        return self._authority(name)

    def make(self, name, *hosts, ca="ca"):
        """(certificate, key) for these hosts."""
        key = self._key(name)
        names = ",".join(f"IP:{host}" if host[0].isdigit() else f"DNS:{host}" for host in hosts or [name])
        extensions = self.path / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        self._run("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", self.path / f"{name}.csr")
        self._run("x509", "-req", "-in", self.path / f"{name}.csr", "-CA", self.path / f"{ca}.pem", "-CAkey",
                  self.path / f"{ca}.key", "-days", 2, "-extfile", extensions, "-out", self.path / f"{name}.pem")
        return self.path / f"{name}.pem", key


def tls_flags(*pairs, **more):
    flags = []
    for certificate, key in pairs:
        flags += ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    for name, value in more.items():
        flags += ["--tls-" + name.replace("_", "-"), str(value)]
    return flags


def trusting(certificates, **how):
    context = ssl.create_default_context(cafile=str(certificates.ca))
    for name, value in how.items():
        setattr(context, name, value)
    return context
