# broker_tls.py - certificates that are right, for another host, of another authority, and out of date.
#
# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import ssl
import subprocess

from broker_faults import run
from broker_support import Server, names_of
from broker_world import World, folder_name

LIBFAKETIME = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1")


class Authority:
    """A certificate authority, and what it signs."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                     "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=an authority")

    def openssl(self, *arguments, **environment):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True,
                       env={**os.environ, **environment})

    def sign(self, name, host, **environment):
        """A server's certificate for two days from now, or from the time that the environment fakes."""
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={names_of(host)}\n")
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={host}")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem", **environment)
        return f'tls {{ cert_file: "{self.folder}/{name}.pem", key_file: "{self.folder}/{name}.key" }}\n'


def tls(scratch, name, config, right, authority):
    """Events that wait as long as the server shows `config`'s certificate, and come when it shows the right one."""
    def work(world):
        world.begin()
        world.record_more(400)
        if config != right:
            world.wait_for_trouble("secure connection")
            world.reconfigure(right)
        world.end()
        world.settle()

    folder = scratch / folder_name(name)
    folder.mkdir(parents=True)
    server = Server(folder, config).start()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    world = World(name, scratch, server=server, make_stream=False, url=f"tls://127.0.0.1:{server.port}",
                  nats_ca=str(authority.folder / "ca.pem"))
    world.client_options = {"tls": context}
    world.make_stream()
    return run(world, work)


def certificates(scratch):
    if not shutil.which("openssl"):
        raise AssertionError("openssl is not installed")
    authority, stranger = Authority(scratch / "authority"), Authority(scratch / "stranger")
    right = authority.sign("right", "127.0.0.1")
    rows = [tls(scratch, "TLS", right, right, authority),
            tls(scratch, "TLS: another host", authority.sign("wrong", "elsewhere.example"), right, authority),
            tls(scratch, "TLS: another authority", stranger.sign("foreign", "127.0.0.1"), right, authority)]
    library = next((path for path in LIBFAKETIME if os.path.exists(path)), None)
    if library:
        expired = authority.sign("expired", "127.0.0.1", LD_PRELOAD=library, FAKETIME="-30d")
        rows.append(tls(scratch, "TLS: expired", expired, right, authority))
    else:
        print("SKIP: a certificate that is out of date: libfaketime is not installed")
    return rows


FAULTS = [certificates]
