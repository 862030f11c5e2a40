#!/usr/bin/env python3
"""Packs and unpacks the fuzz corpus.

    fuzz/corpus.py unpack TARGET    tests/corpus/TARGET.jsonl into fuzz/corpus/TARGET, a file per input
    fuzz/corpus.py pack TARGET      fuzz/corpus/TARGET into tests/corpus/TARGET.jsonl

Each line of a packed file is one input: a JSON string if the input is UTF-8, otherwise {"base64": "..."}.
The lines are sorted, and each file has the SHA-1 of its content as its name, as libFuzzer names inputs.
"""

import base64
import hashlib
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent


def encode(data):
    try:
        return json.dumps(data.decode())
    except UnicodeDecodeError:
        return json.dumps({"base64": base64.b64encode(data).decode()})


def decode(line):
    value = json.loads(line)
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"], validate=True)


def unpack(packed, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for line in packed.read_text().splitlines():
        data = decode(line)
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def pack(packed, folder):
    lines = {encode(path.read_bytes()) for path in folder.iterdir()}
    packed.write_text("".join(f"{line}\n" for line in sorted(lines)))


if __name__ == "__main__":
    commands = {"pack": pack, "unpack": unpack}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    target = sys.argv[2]
    commands[sys.argv[1]](ROOT.parent / "tests" / "corpus" / f"{target}.jsonl", ROOT / "corpus" / target)
