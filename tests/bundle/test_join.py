"""Joined modules do what they did apart."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mdst.bundle.join import join_modules
from mdst.errors import InternalError

esbuild = pytest.importorskip("esbuild_py")

MODULES = {
    "main.js": """
        import { double, name as shown } from './lib/double.js';
        import { Counter } from './lib/counter.js';
        import { even } from './lib/even.js';
        import { say } from './say.js';
        export const open = 'main';
        const local = new Counter(double(2));
        say(open, local.next(), even(7), typeof fetch, new Map([[1, 2]]).size);
        const { more } = await1();
        function await1() { return { more: () => import('./later/part.js') }; }
        more().then(({ part }) => part()).then((text) => say(text));
    """.replace(", name as shown", ""),
    # Names that other modules, or the platform, have too.
    "say.js": """
        const local = [];
        function fetch() { return local; }
        export function say(...words) { fetch().push(words); console.log(JSON.stringify(words)); }
    """,
    "lib/double.js": "export const [double, half] = [(x) => 2 * x, (x) => x / 2];",
    "lib/counter.js": """
        import { half } from './double.js';
        const local = half(2);
        export class Counter {
          constructor(at) { this.at = at; }
          next() { return this.at += local; }
        }
    """,
    # Two that need one another.
    "lib/even.js": """
        import { odd } from './odd.js';
        export { half } from './double.js';
        export function even(n) { return n === 0 || odd(n - 1); }
    """,
    "lib/odd.js": """
        import { even } from './even.js';
        export function odd(n) { return n > 0 && even(n - 1); }
    """,
    "later/part.js": """
        import { half } from '../lib/even.js';
        import { only } from './only.js';
        import { say } from '../say.js';
        export async function part() {
          const { deep } = await import('./deep/deep.js');
          say('part', half(9), only);
          return await deep();
        }
    """,
    "later/only.js": "const open = 'only'; export { open as only };".replace(
        "export { open as only }", "export const only = open"
    ),
    "later/deep/deep.js": """
        import { only } from '../only.js';
        export async function deep() { return `deep ${only}`; }
    """,
    "worker.js": """
        import { say } from './say.js';
        say('worker');
    """,
}


def printed(texts: Mapping[str, str]) -> dict[str, str]:
    """As esbuild prints them."""
    return {name: esbuild.transform(text) for name, text in texts.items()}


def run(files: Mapping[str, str], entry: str, folder: Path) -> str:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    beside = Path(sys.executable).with_name("deno")
    deno = shutil.which("deno") or (str(beside) if beside.exists() else None)
    if deno is None:
        pytest.skip("needs deno (the PyPI package of that name)")
    command = [deno, "run", "--quiet", "--allow-read", str(folder / entry)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_joined_modules_do_the_same(tmp_path: Path) -> None:
    apart = printed(MODULES)
    joined = join_modules(apart, ["main.js"])
    for entry in ("main.js", "worker.js"):
        expected = run(apart, entry, tmp_path / "apart")
        assert run(joined, entry, tmp_path / "joined") == expected
        assert len(expected.splitlines()) == {"main.js": 3, "worker.js": 1}[entry]


def test_files_hold_what_is_needed_together() -> None:
    joined = join_modules(printed(MODULES), ["main.js"])
    # say.js is needed by two roots; later/only.js by no root.
    assert set(joined) == {"main.js", "worker.js", "say.js", "later/part.js", "later/deep/deep.js"}
    assert "const [double, half]" in joined["main.js"]
    assert "class Counter" in joined["main.js"]
    assert '"only"' in joined["later/part.js"]
    assert joined == join_modules(dict(reversed(printed(MODULES).items())), ["main.js"])


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.js": "import { b as c } from './b.js'; c();", "b.js": "export const b = 1;"}, "a.js"),
        ({"a.js": "import * as b from './b.js'; b.c();", "b.js": "export const c = 1;"}, "a.js"),
        ({"a.js": "import './b.js';", "b.js": "export const c = 1;"}, "a.js"),
        ({"a.js": "export default 5;"}, "a.js"),
        ({"a.js": "export let b = 5; b += 1;"}, "a.js"),
        ({"a.js": "import { b } from './b.js'; b();"}, "no module b.js"),
        (
            {
                "a.js": "import { b } from './d/b.js'; b();",
                "d/b.js": "export const b = () => import.meta.url;",
            },
            "d/b.js asks where it lies",
        ),
        (
            {
                "a.js": "import { B } from './b.js'; export class A {} new B();",
                "b.js": "import { A } from './a.js'; export class B { a() { return new A(); } }",
            },
            "is no function",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused(files: dict[str, str], words: str) -> None:
    with pytest.raises(InternalError, match=words):
        join_modules(printed(files), ["a.js"])
