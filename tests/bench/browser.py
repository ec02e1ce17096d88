"""Times a compiled model in headless Chromium: load, prefill, decode.

    python3 tests/bench/browser.py OUT [--chromium PATH] [--gpu vulkan|swiftshader] [--query Q]
        [--page wllama] [--serve NAME=PATH …]

Serves OUT at /bundle/, each PATH at /NAME, and browser.html or wllama.html beside this file at
/, opens it, prints what it reports. With `--gpu swiftshader` the CPU runs the model, unless Q says
device=webgpu.
Only the standard library is needed. Check `vendor` in the first line before believing a number.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-unsafe-webgpu",
]
GPU = {
    # A discrete GPU on Linux without a display.
    "vulkan": [
        "--enable-features=Vulkan",
        "--use-angle=vulkan",
        "--disable-vulkan-surface",
        "--ignore-gpu-blocklist",
        "--disable-gpu-watchdog",
    ],
    "none": ["--disable-gpu"],
    "swiftshader": ["--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader"],
}


class Handler(SimpleHTTPRequestHandler):
    """Files and folders by their names, and those of this one; what is POSTed is printed, and /done
    ends the run."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: object, served: dict[str, Path], done: threading.Event) -> None:
        self.served, self.done = served, done
        super().__init__(*args)  # type: ignore[arg-type]

    def translate_path(self, path: str) -> str:
        parts = [p for p in path.split("?")[0].split("/") if p not in ("", ".", "..")]
        base = self.served.get(parts[0]) if parts else None
        return str(HERE.joinpath(*parts) if base is None else base.joinpath(*parts[1:]))

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", 0))
        sys.stdout.write(self.rfile.read(size).decode("utf-8", "replace") + "\n")
        sys.stdout.flush()
        if self.path == "/done":
            self.done.set()
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def end_headers(self) -> None:
        """With what shared memory asks for."""
        self.send_header("cross-origin-opener-policy", "same-origin")
        self.send_header("cross-origin-embedder-policy", "require-corp")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def main() -> int:
    """0 when the page reported that it was done."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    software = "swiftshader: a software GPU, timed with --query device=webgpu only"
    parser.add_argument("--gpu", choices=sorted(GPU), default="vulkan", help=software)
    parser.add_argument("--page", choices=["browser", "wllama"], default="browser")
    parser.add_argument("--serve", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--query", default="")
    parser.add_argument("--limit", type=float, default=240, help="seconds")
    parser.add_argument(
        "--exact-clock",
        action="store_true",
        help="the GPU's clock as it is: Chrome rounds it to 65 µs, too coarse for profile=1",
    )
    args = parser.parse_args()
    done = threading.Event()
    served = {"bundle": args.out.resolve()}
    served |= {name: Path(path).resolve() for name, path in (s.split("=", 1) for s in args.serve)}
    handler = partial(Handler, served=served, done=done)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/{args.page}.html?{args.query}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        exact = ["--disable-dawn-features=timestamp_quantization"] if args.exact_clock else []
        flags = [*FLAGS, *GPU[args.gpu], *exact, f"--user-data-dir={profile}"]
        errors = Path(profile, "stderr").open("w+", errors="replace")
        browser = subprocess.Popen(
            [args.chromium, *flags, url], stdout=subprocess.DEVNULL, stderr=errors
        )
        begin = time.monotonic()
        while not done.wait(0.1) and time.monotonic() - begin < args.limit:
            if browser.poll() is not None:
                break
        ended = browser.poll()
        browser.kill()
        browser.wait()
        if ended is not None:
            errors.seek(0)
            print(f"{errors.read()[-2000:]}\nthe browser ended with {ended}", file=sys.stderr)
        errors.close()
    if not done.is_set():
        print(f"not done after {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return 0 if done.is_set() else 1


if __name__ == "__main__":
    sys.exit(main())
