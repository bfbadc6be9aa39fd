"""crash_states.py - from a trace of system calls to every state a disk may be in after a loss of power.

SPDX-License-Identifier: Apache-2.0

What a file system may do, and no more:
  data       of a file is on disk up to the last fsync() or fdatasync() of that file that has returned.  Of
             what was written since, any sectors may be there, absent (zeros where the file grew) or
             torn, and the size may be the old or the new one.
  names      ordered: all changes of names, in any folder, reach the disk in the order they were made, and
             at least up to the last fsync() of a folder (a journal, as ext4's).
             loose: each folder for itself, up to its own last fsync(); one change may also be missing
             while later ones that do not depend on it are there (what POSIX allows).
A crash is examined after every call that changes something, with what had been answered by then.
"""
import itertools
import os
import random
import re
import subprocess

SECTOR = 512
SOME = 8  # samples of what may be there of an index
CALLS = ("open,openat,openat2,creat,write,pwrite64,ftruncate,fallocate,rename,renameat,renameat2,unlink,"
         "unlinkat,mkdir,mkdirat,fsync,fdatasync,close,fcntl")
INDEX_SLOTS = (4096, 8192)  # where it says what of it is on disk
DERIVED = (".index-2", ".index-2.new", "summary.json", ".summary.new")


class File:
    def __init__(self, content=b"", inode=None):
        self.inode = inode
        self.base = content  # on disk
        self.size = len(content)
        self.ops = []  # (sequence, offset, bytes) or (sequence, new size, None)
        self.synced = []  # (from, at): what was done before `from` is on disk at `at`
        self.candidates_of = {}


class Folder:
    def __init__(self):
        self.base = {}
        self.now = {}
        self.ops = []  # (sequence, {name: node or None})
        self.synced = []


def _inode(root, path):
    try:
        return os.stat(os.path.join(root, path)).st_ino
    except OSError:
        return None


class Trace:
    """A run of the driver, read from what strace wrote."""

    def __init__(self, root, initial, unsynced=(), renamed=()):
        """unsynced: (path, length that is on disk); renamed: (path, what the disk still has there)."""
        self.root = root
        self.top = Folder()
        self.sequence = 0
        self.markers = []  # (sequence, text)
        self.points = []
        self.descriptors = {}
        for path, content in sorted(initial.items()):
            self._add_initial(path.split("/"), content)
        for path, length in unsynced:
            node = self._find(path)[2]
            node.ops.append((0, length, node.base[length:]))
            node.base = node.base[:length]
        for path, content in renamed:
            folder, name, node = self._find(path)
            folder.base[name] = File(content)
            folder.ops.append((0, {name: node}))

    def _add_initial(self, parts, content):
        folder = self.top
        for part in parts[:-1]:
            folder = folder.now[part]
        node = Folder() if content is None else File(content, _inode(self.root, "/".join(parts)))
        folder.now[parts[-1]] = folder.base[parts[-1]] = node

    def _find(self, path, start=None):
        """(folder, last name, node or None); the folder is None when a part before is missing."""
        folder, name, node = None, "", start or self.top
        for part in path.split("/"):
            if part in ("", "."):
                continue
            if not isinstance(node, Folder):
                return None, part, None
            folder, name = node, part
            node = node.now.get(part)
        return folder, name, node

    def _resolve(self, folder_fd, path):
        if path.startswith("/"):
            if path != self.root and not path.startswith(self.root + "/"):
                return None
            return self._find(path[len(self.root):])
        held = self.descriptors.get(folder_fd)
        return self._find(path, held[0]) if held else None

    def _tick(self):
        self.sequence += 1
        self.points.append(self.sequence)
        return self.sequence

    def _change_names(self, folder, changes):
        for name, node in changes.items():
            if node is None:
                folder.now.pop(name, None)
            else:
                folder.now[name] = node
        folder.ops.append((self._tick(), changes))

    # ---- one call each: (numbers and flags as text, strings, result) ----

    def on_open(self, args, strings, result):
        flags = args
        found = self._resolve(_fd(args), strings[0])
        if not found:
            return
        folder, name, node = found
        if node is None:
            if folder is None:
                return
            node = File()
            self._change_names(folder, {name: node})
        if "O_TRUNC" in flags and isinstance(node, File) and node.size:
            self._resize(node, 0)
        self.descriptors[result] = [node, "O_APPEND" in flags, 0]

    def on_close(self, args, _strings, _result):
        self.descriptors.pop(int(args.split(",")[0]), None)

    def on_fcntl(self, args, _strings, result):
        held = self.descriptors.get(int(args.split(",")[0]))
        if held and "F_DUPFD" in args:
            self.descriptors[result] = held  # the open file, with its position, is the same

    def _resize(self, node, size):
        node.size = size
        node.ops.append((self._tick(), size, None))

    def _store(self, node, offset, data):
        node.size = max(node.size, offset + len(data))
        node.ops.append((self._tick(), offset, data))

    def on_write(self, args, strings, result):
        fd, data = int(args.split(",")[0]), strings[0][:result]
        if fd == 1:
            self.markers.append((self._tick(), data.rstrip("\n")))
            return
        held = self.descriptors.get(fd)
        if held and result > 0:
            node, append, position = held
            offset = node.size if append else position
            self._store(node, offset, data.encode("latin-1"))
            held[2] = offset + result

    def on_pwrite64(self, args, strings, result):
        held = self.descriptors.get(int(args.split(",")[0]))
        if held and result > 0:
            offset = held[0].size if held[1] else int(args.rsplit(",", 1)[1])
            self._store(held[0], offset, strings[0][:result].encode("latin-1"))

    def on_ftruncate(self, args, _strings, _result):
        fd, size = (int(number) for number in args.split(","))
        if fd in self.descriptors:
            self._resize(self.descriptors[fd][0], size)

    def on_fallocate(self, args, _strings, _result):
        numbers = args.split(",")
        held = self.descriptors.get(int(numbers[0]))
        size = int(numbers[2]) + int(numbers[3])
        if held and size > held[0].size:
            self._resize(held[0], size)

    def on_rename(self, args, strings, _result):
        fds = [int(number) for number in re.findall(r"(?:^|, )(\d+), ", args)] or [-1, -1]
        source, target = self._resolve(fds[0], strings[0]), self._resolve(fds[-1], strings[1])
        if source and target:
            self._change_names(source[0], {
                source[1]: target[2] if "RENAME_EXCHANGE" in args else None, target[1]: source[2]})

    def on_unlink(self, args, strings, _result):
        found = self._resolve(_fd(args), strings[0])
        if found and found[0]:
            self._change_names(found[0], {found[1]: None})

    def on_mkdir(self, args, strings, _result):
        found = self._resolve(_fd(args), strings[0])
        if found and found[0] and found[2] is None:
            self._change_names(found[0], {found[1]: Folder()})

    def sync(self, fd, since):
        held = self.descriptors.get(fd)
        if held:
            held[0].synced.append((since, self._tick()))

    # ---- the trace ----

    def read(self, path):
        begun = {}
        names = {"openat": "open", "openat2": "open", "creat": "open", "renameat": "rename",
                 "renameat2": "rename", "unlinkat": "unlink", "mkdirat": "mkdir"}
        with open(path, encoding="ascii") as lines:
            for line in lines:
                pid, _, rest = line.partition(" ")
                rest = rest.strip()
                if rest.endswith("<unfinished ...>"):
                    begun[pid] = (rest[:-len("<unfinished ...>")], self.sequence)
                    continue
                since = self.sequence
                resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
                if resumed:
                    head, since = begun.pop(pid)
                    rest = head + resumed[1]
                call = re.match(r"(\w+)\((.*)\) += (\d+)", rest)
                if not call:
                    continue  # failed, or no call
                name, args, result = call[1], call[2], int(call[3])
                strings = [bytes.fromhex(text.replace("\\x", "")).decode("latin-1")
                           for text in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', args)]
                args = re.sub(r'"[^"]*"', '""', args)
                if name in ("fsync", "fdatasync"):
                    self.sync(int(args), since)
                else:
                    getattr(self, "on_" + names.get(name, name))(args, strings, result)
        for path, node in _tree(self.top, set(self.points)):
            if isinstance(node, File):
                node.inode = _inode(self.root, path)
        return self


def _fd(args):
    first = args.split(",")[0]
    return int(first) if first.isdigit() else -1


def record(root, initial, unsynced, renamed, command, log):
    """Runs the command under strace: its Trace."""
    trace = Trace(root, initial, unsynced, renamed)
    subprocess.run(["strace", "-f", "-o", log, "-xx", "-s", "1048576", "-e", "signal=none",
                    "-e", "trace=" + CALLS, "--", *command], check=True, stdout=subprocess.DEVNULL)
    return trace.read(log)


# ---- what may be on disk ---------------------------------------------------------------------------

def _apply(content, op):
    _, offset, data = op
    if data is None:
        return content[:offset] + bytes(max(0, offset - len(content)))
    if len(content) < offset:
        content += bytes(offset - len(content))
    return content[:offset] + data + content[offset + len(data):]


def _apply_all(content, ops):
    for op in ops:
        content = _apply(content, op)
    return content


def _sector_choices(count):
    """Which of an operation's sectors are there."""
    if count <= 4:
        return [set(there) for size in range(count + 1)
                for there in itertools.combinations(range(count), size)]
    whole = set(range(count))
    if count > 8:
        half = count // 2
        return [set(), whole, set(range(half)), set(range(half, count)), whole - {half}]
    chosen = [set(range(cut)) for cut in range(count + 1)] + [set(range(cut, count)) for cut in range(1, count)]
    return chosen + [whole - {one} for one in whole] + [{one} for one in whole]


def _torn(content, op, derived):
    """An operation that is only partly on disk: with the new size, or within the old one."""
    _, offset, data = op
    if data is None:
        return
    end = offset + len(data)
    edges = [offset] + list(range((offset // SECTOR + 1) * SECTOR, end, SECTOR)) + [end]
    pieces = list(zip(edges, edges[1:]))
    old = content + bytes(max(0, end - len(content)))
    if derived:
        yield old[:offset] + data[:len(data) // 2] + old[offset + len(data) // 2:]
        return
    for there in _sector_choices(len(pieces)):
        new = bytearray(old)
        for number in there:
            first, last = pieces[number]
            new[first:last] = data[first - offset:last - offset]
        yield bytes(new)
        yield bytes(new[:len(content)]) if len(content) < end else bytes(new)
    cuts = [(first + last) // 2 for first, last in pieces[:8]]
    # torn within a sector: its beginning, and nothing after it
    for cut in cuts + [cut for cut in (offset + 24, offset + 64) if cut < end]:
        yield old[:offset] + data[:cut - offset] + old[cut:]
        if cut >= len(content):  # and the size no further than that
            yield old[:offset] + data[:cut - offset]


def _has_slots(node):
    """Is it an index that may be believed after a loss of power?"""
    return any(node.base[at:at + 8] == b"KAZIIDX2" for at in INDEX_SLOTS) or \
        any(data is not None and offset in INDEX_SLOTS for _, offset, data in node.ops)


def _any_of(start, pending, rng):
    """Each write of an index for itself: missing while the others are there, there alone, and some."""
    choices = [[op for op in pending if op is not one] for one in pending] + [[one] for one in pending]
    choices += [[op for op in pending if rng.random() < 0.5] for _ in range(SOME)]
    return [_apply_all(start, choice) for choice in choices]


def _left_out(start, pending):
    """Written back in another order: one is missing while later ones are there."""
    return [_apply_all(start, pending[:left_out] + pending[left_out + 1:]) for left_out in range(len(pending) - 1)]


def _sample(states, most, rng):
    return states if len(states) <= most else rng.sample(states, most)


def file_candidates(node, point, derived, cap):
    """Distinct contents, the one on disk for sure first, everything written last."""
    since = max((start for start, at in node.synced if at <= point), default=-1)
    pending = [op for op in node.ops if since < op[0] <= point]
    key = (since, len(pending), derived)
    if key in node.candidates_of:
        return node.candidates_of[key]
    start = _apply_all(node.base, [op for op in node.ops if op[0] <= since])
    rng = random.Random(point)
    found, torn, content = [start], [], start
    for number, op in enumerate(pending):
        if not derived or number == len(pending) - 1:
            torn.extend(_torn(content, op, derived))
        content = _apply(content, op)
        torn.append(content)
    if derived and len(pending) > 1 and _has_slots(node):
        torn.extend(_sample(_any_of(start, pending, rng), 2 * cap, rng))
        found.extend(_apply_all(start, [op]) for op in pending if op[1] in INDEX_SLOTS)
    if 1 < len(pending) <= 8:
        found.extend(_left_out(start, pending))
    found.extend(_sample(torn, 12 * cap, rng))
    found.append(content)
    found = [state for number, state in enumerate(found) if state not in found[:number]]
    found.remove(content)
    found.append(content)
    node.candidates_of[key] = found
    return found


def _folders(trace):
    found, queue = [], [trace.top]
    seen = set()
    while queue:
        folder = queue.pop()
        if id(folder) in seen:
            continue
        seen.add(id(folder))
        found.append(folder)
        nodes = list(folder.base.values())
        for _, changes in folder.ops:
            nodes += [node for node in changes.values() if node]
        queue += [node for node in nodes if isinstance(node, Folder)]
    return found


def _ordered(folders, point):
    """Prefixes of all changes of names: a list of sets of sequence numbers that are on disk."""
    numbers = sorted(op[0] for folder in folders for op in folder.ops if op[0] <= point)
    floor = max((start for folder in folders for start, at in folder.synced if at <= point), default=-1)
    sure = [number for number in numbers if number <= floor]
    late = numbers[len(sure):]
    return [set(sure + late[:cut]) for cut in range(len(late) + 1)]


def _loose(folder, point):
    floor = max((start for start, at in folder.synced if at <= point), default=-1)
    ops = [op for op in folder.ops if op[0] <= point]
    sure = {op[0] for op in ops if op[0] <= floor}
    late = [op for op in ops if op[0] > floor]
    found = [sure | {op[0] for op in late[:cut]} for cut in range(len(late) + 1)]
    for skipped in range(len(late) - 1):
        touched, there = set(late[skipped][1]), set(sure)
        for number, op in enumerate(late):
            if number < skipped or (number > skipped and not touched & set(op[1])):
                there.add(op[0])
            elif number > skipped:
                touched |= set(op[1])
        if there not in found:
            found.append(there)
    return found


def _tree(folder, there, path=""):
    """[(path, node)] of what is reachable."""
    entries = dict(folder.base)
    for sequence, changes in folder.ops:
        if sequence in there:
            entries.update(changes)
    found = []
    for name, node in sorted(entries.items()):
        if node is None:
            continue
        found.append((path + name, node))
        if isinstance(node, Folder):
            found += _tree(node, there, path + name + "/")
    return found


def _combine(dimensions, cap, rng):
    total = 1
    for size in dimensions:
        total *= size
    if total <= cap:
        yield from itertools.product(*map(range, dimensions))
        return
    first, last = [0] * len(dimensions), [size - 1 for size in dimensions]
    count = 0
    for background in (first, last):
        for dimension, size in enumerate(dimensions):
            for choice in range(size):
                yield tuple(background[:dimension] + [choice] + background[dimension + 1:])
                count += 1
    while count < cap:
        yield tuple(rng.randrange(size) for size in dimensions)
        count += 1


def states(trace, cap, seed=1):
    """(point, {path: bytes or None for a folder}, {path: inode number}) for every crash point, at most about `cap` a point and
    order of names; equal ones are left to the caller to recognise."""
    rng = random.Random(seed)
    folders = _folders(trace)
    for point in [0] + trace.points:
        names = _ordered(folders, point)
        for choice in itertools.islice(
                itertools.product(*(_loose(folder, point) for folder in folders)), cap):
            union = set().union(*choice)
            if union not in names:
                names.append(union)
        share = max(4, cap // len(names))
        for there in names:
            tree = _tree(trace.top, there)
            files = [(path, node) for path, node in tree if isinstance(node, File)]
            contents = [file_candidates(node, point, path.rsplit("/", 1)[-1] in DERIVED,
                                        cap)
                        for path, node in files]
            inodes = {path: node.inode for path, node in files if node.inode}
            base = {path: None for path, node in tree if isinstance(node, Folder)}
            for choice in _combine([len(content) for content in contents], share, rng):
                state = dict(base)
                for (path, _), content, number in zip(files, contents, choice):
                    state[path] = content[number]
                yield point, state, inodes
