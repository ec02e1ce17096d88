#!/usr/bin/env python3
"""Holds a compiled model to answers that were read and found good.

    check.py OUT/ golden.json            exit status 1 and what differs, if anything does
    check.py OUT/ golden.json --update   stores the answers of now; read the diff

The file is a list of {"arguments": [...], "text": "...", "tokens": [...]}: what mdst-run is called
with, and what it must print. Needs mdst-run in the PATH, and nothing else.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path


def answer(out: Path, arguments: list[str]) -> dict[str, object]:
    command = ["mdst-run", str(out), "--json", *arguments]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(run.stdout)
    return {"arguments": arguments, "text": found["text"], "tokens": found["tokens"]}


def difference(wanted: dict[str, object], found: dict[str, object]) -> str:
    same = [a == b for a, b in zip(wanted["tokens"], found["tokens"], strict=False)]
    at = same.index(False) if False in same else len(same)
    case = " ".join(wanted["arguments"])
    return f"{case}\n  wanted {wanted['text']!r}\n  found  {found['text']!r}\n  from token {at} on"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("golden", type=Path)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    wanted = json.loads(options.golden.read_text(encoding="utf-8"))
    found = [answer(options.out, case["arguments"]) for case in wanted]
    if options.update:
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in found)
        options.golden.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        return 0
    pairs = list(zip(wanted, found, strict=True))
    wrong = [
        difference(a, b) for a, b in pairs if a["tokens"] != b["tokens"] or a["text"] != b["text"]
    ]
    print("\n".join(wrong) or f"{len(pairs)} answers as stored")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
