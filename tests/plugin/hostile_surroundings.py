# hostile_surroundings.py - rows of the hostile table: files, configurations, environments.
#
# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import socket

from hostile_support import NOBODY, SECRET

GOOD = ["record", "coach", "--success"]


# ---- files: what stands in a name's place -----------------------------------------------------------

def link_to(target):
    return lambda world, path: path.symlink_to(world.canary / target)


def hard_link(world, path):
    os.link(world.canary / "file", path)


def fifo(world, path):
    os.mkfifo(path)


def unix_socket(world, path):
    with socket.socket(socket.AF_UNIX) as end:
        here = os.getcwd()
        os.chdir(path.parent)  # the name of a socket is short
        end.bind(path.name)
        os.chdir(here)


def device(world, path):
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))


def folder(world, path):
    path.mkdir()


def file(world, path):
    path.write_text("not a folder\n")


def foreign(world, path):
    path.touch()
    os.chown(path, NOBODY, NOBODY)


def foreign_folder(world, path):
    path.mkdir()
    os.chown(path, NOBODY, NOBODY)


def dangling(world, path):
    path.symlink_to(world.canary / "made-by-a-link")


def loop(world, path):
    path.symlink_to(path.name)


# Place below the project; what may stand there, and what the message names.  Each is refused by the plugin (-66, or
# -3 for a root) and by kaizen-host (1, 3, 5), and nothing after it is touched.
LOG = ".kaizen/metrics/coach/executions.jsonl"
FILES = [
    (".kaizen", [("a link", link_to("folder")), ("a dangling link", dangling), ("a loop", loop), ("a file", file),
                 ("a FIFO", fifo), ("a socket", unix_socket), ("another's", foreign_folder)]),
    (".kaizen/metrics", [("a link", link_to("folder")), ("a dangling link", dangling), ("a file", file),
                         ("a FIFO", fifo), ("another's", foreign_folder)]),
    (".kaizen/metrics/coach", [("a link", link_to("folder")), ("a dangling link", dangling), ("a loop", loop),
                               ("a file", file), ("a FIFO", fifo), ("a socket", unix_socket),
                               ("another's", foreign_folder)]),
    (LOG, [("a link", link_to("executions.jsonl")), ("a dangling link", dangling), ("a loop", loop),
           ("a hard link", hard_link), ("a FIFO", fifo), ("a socket", unix_socket), ("a device", device),
           ("a folder", folder), ("another's", foreign)]),
    (".kaizen/metrics/coach/.lock", [("a link", link_to(".lock")), ("a dangling link", dangling),
                                     ("a hard link", hard_link), ("a FIFO", fifo), ("a device", device),
                                     ("a folder", folder), ("another's", foreign)]),
    (".kaizen/metrics/coach/.next", [("a link", link_to(".lock")), ("a hard link", hard_link), ("a FIFO", fifo)]),
]
# These never keep a record from the log (0), and are replaced or left, but not followed.
HARMLESS = [
    (".kaizen/metrics/coach/summary.json", [("a link", link_to("summary.json")), ("a dangling link", dangling),
                                            ("a hard link", hard_link), ("a FIFO", fifo)]),
    (".kaizen/metrics/coach/.summary.new", [("a link", link_to("file")), ("a hard link", hard_link)]),
    (".kaizen/metrics/.doorbell", [("a link", link_to("file")), ("a FIFO", fifo), ("a folder", folder)]),
    (".kaizen/metrics/optimizer", [("a link", link_to("folder")), ("a file", file)]),
]


# ---- configurations -----------------------------------------------------------------------------------

# Text for configure(); %ROOT% is the project.  All refused (-3), the message naming the words.
CONFIGURATIONS = [
    ("no object", b"[]", ["object"]), ("broken", b"{", []),
    ("no UTF-8", b'{"project_root":"/\xff"}', ["UTF-8"]), ("a BOM", b"\xef\xbb\xbf{}", []),
    ("100,000 [", b"[" * 100000, []),
    ("an unknown key", b'{"nats_ulr":"x"}', ["nats_ulr", "nats_url"]),
    ("a key twice", b'{"fsync":"never","fsync":"always"}', ["fsync"]),
    ("a relative root", b'{"project_root":"."}', ["project_root"]),
    ("a root that is not there", b'{"project_root":"/nonexistent/x"}', ["/nonexistent/x"]),
    ("a root that is a file", b'{"project_root":"/etc/passwd"}', ["/etc/passwd"]),
    ("a root of NUL", b'{"project_root":"/tmp\\u0000x"}', ["project_root"]),
    ("a root of 5,000 bytes", b'{"project_root":"/%s"}' % (b"a" * 5000), ["project_root"]),
    ("a slug with a slash", b'{"project_root":"%ROOT%","project":"a/b"}', ["project"]),
    ("a slug of a newline", b'{"project_root":"%ROOT%","project":"a\\nb"}', ["project"]),
    ("a stream with a dot", b'{"project_root":"%ROOT%","stream":"a.b"}', ["stream"]),
    ("a window of 0", b'{"project_root":"%ROOT%","trend_window":0}', ["trend_window"]),
    ("a window of 10.5", b'{"project_root":"%ROOT%","trend_window":10.5}', ["trend_window"]),
    ("retention of 1e99", b'{"project_root":"%ROOT%","retention_days":1e99}', ["retention_days"]),
    ("retention below zero", b'{"project_root":"%ROOT%","retention_days":-1}', ["retention_days"]),
    ("a switch as a text", b'{"project_root":"%ROOT%","emit_event":"true"}', ["emit_event"]),
    ("a word nobody knows", b'{"project_root":"%ROOT%","publish":"kafka"}', ["publish", "kafka"]),
    ("another scheme", b'{"project_root":"%ROOT%","nats_url":"http://x"}', ["nats_url"]),
    ("another scheme with a secret", b'{"project_root":"%%ROOT%%","nats_url":"http://u:%s@x"}' % SECRET.encode(),
     ["nats_url"]),
    ("a secret in an unknown key", b'{"project_root":"%%ROOT%%","nats_url ":"nats://u:%s@x"}' % SECRET.encode(), []),
    ("credentials that are relative", b'{"project_root":"%ROOT%","nats_creds":"x.creds"}', ["nats_creds"]),
]

# ---- environments -------------------------------------------------------------------------------------

# For kaizen-host record; None takes a variable away.  Status and words.
ENVIRONMENTS = [
    ("NATS_URL of another scheme", {"NATS_URL": "http://x"}, 0, []),  # it is other programs', too
    ("NATS_URL of garbage", {"NATS_URL": "\x01\x02"}, 3, ["NATS_URL"]),
    ("NATS_URL empty", {"NATS_URL": ""}, 0, []),
    ("NATS_URL of 100,000 bytes", {"NATS_URL": "nats://" + "x" * 100000}, 3, ["NATS_URL"]),
    ("NATS_URL with a secret and a wrong scheme", {"NATS_URL": f"ftp://u:{SECRET}@x"}, 0, []),
    ("NATS_URL with a secret and a newline", {"NATS_URL": f"nats://u:{SECRET}@x\n"}, 3, ["NATS_URL"]),
    ("slug with a slash", {"KAIZEN_PROJECT_SLUG": "../x"}, 3, ["KAIZEN_PROJECT_SLUG"]),
    ("slug of a newline", {"KAIZEN_PROJECT_SLUG": "a\nb"}, 3, ["KAIZEN_PROJECT_SLUG"]),
    ("slug of 300 bytes", {"KAIZEN_PROJECT_SLUG": "a" * 300}, 3, ["KAIZEN_PROJECT_SLUG"]),
    ("slug of U+2028", {"KAIZEN_PROJECT_SLUG": "a\u2028b"}, 0, []),
    ("HELIX_TOKENS of words", {"HELIX_TOKENS": "many"}, 0, ["HELIX_TOKENS"]),
    ("HELIX_TOKENS below zero", {"HELIX_TOKENS": "-5"}, 0, ["HELIX_TOKENS"]),
    ("HELIX_TOKENS beyond 2^63", {"HELIX_TOKENS": "9" * 30}, 0, ["HELIX_TOKENS"]),
    ("HELIX share beyond a double", {"HELIX_INFRA_OVERHEAD_SHARE": "1e999"}, 0, ["HELIX_INFRA_OVERHEAD_SHARE"]),
    ("HELIX share NaN", {"HELIX_INFRA_OVERHEAD_SHARE": "nan"}, 0, ["HELIX_INFRA_OVERHEAD_SHARE"]),
    ("HELIX share with a comma", {"HELIX_INFRA_OVERHEAD_SHARE": "0,5"}, 0, ["HELIX_INFRA_OVERHEAD_SHARE"]),
    ("HELIX_REPO of control bytes", {"HELIX_REPO": "\x1b[2J"}, 0, []),
    ("HOME taken away", {"HOME": None}, 0, []),
    ("HOME that is not a folder", {"HOME": "/etc/passwd"}, 0, []),
    ("HOME relative", {"HOME": ".."}, 0, []),
    ("XDG_CONFIG_HOME relative", {"XDG_CONFIG_HOME": "../canary"}, 0, []),
    ("XDG_CONFIG_HOME that is a file", {"XDG_CONFIG_HOME": "/etc/passwd"}, 0, []),
    ("a locale with a decimal comma", {"LC_ALL": "de_DE.UTF-8"}, 0, []),
    ("a locale nobody has", {"LC_ALL": "xx_YY"}, 0, []),
    ("PATH taken away", {"PATH": None}, 0, []),
    ("TZ of garbage", {"TZ": ":/etc/passwd"}, 0, []),
]


def clean(path):
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)
