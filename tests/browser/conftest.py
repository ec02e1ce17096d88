"""Chromium, with WebGPU on a software GPU, and bundles served to it. The runtime would rather take
the CPU than such a GPU, so tests ask for it."""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mdst.bundle.headers import ISOLATION
from mdst.bundle.manifest import File, Manifest, parse_manifest
from mdst.bundle.reader import KERNEL_MARK, Bundle
from mdst.bundle.runtime_files import runtime_files
from mdst.cli.serve import make_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

PAGES = Path(__file__).parent / "pages"
SOURCES = Path(__file__).parents[2] / "runtime_js"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--host-resolver-rules=MAP insecure.test 127.0.0.1",
]
HARDWARE = """
for (const [name, value] of [['architecture', 'gpu-1'], ['isFallbackAdapter', false]]) {
  Object.defineProperty(GPUAdapterInfo.prototype, name, { get: () => value });
}
"""
"""What makes the software GPU look like a real one."""
EMPTY_KERNEL = "@compute @workgroup_size(1) fn main() {}\n"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[..., str]]:
    """`serve(folder, csp=…, base=…)`: its URL; equal requests share a server."""
    urls: dict[tuple[Path, bool, str], str] = {}
    with ExitStack() as stack:

        def start(folder: Path, *, csp: bool = False, base: str = "/x/y/") -> str:
            key = (folder, csp, base)
            if key not in urls:
                server, urls[key] = make_server(folder, port=0, csp=csp, base=base)
                threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
                stack.callback(server.server_close)
                stack.callback(server.shutdown)
            return urls[key]

        yield start


@pytest.fixture(scope="session")
def site(serve: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of the page below a path, under the strictest policy, with pages/mdst_double.js in
    place of mdst.js."""
    folder = tmp_path_factory.mktemp("site")
    for name, data in runtime_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    shutil.copy(PAGES / "mdst_double.js", folder / "mdst.js")
    return serve(folder, csp=True, base="/some/sub/path/")


@pytest.fixture(scope="session")
def on_gpu() -> Callable[[BrowserContext], None]:
    """`on_gpu(context)`: its pages run models on the software GPU, where no device is asked for."""

    def ask(context: BrowserContext) -> None:
        kind = guess_type("mdst.js")[0]
        source = PAGES / "mdst_on_gpu.js"
        context.route(
            re.compile(r"/mdst\.js$"),
            lambda route: route.fulfill(path=source, headers={"Content-Type": kind or ""}),
        )

    return ask


PageAt = Callable[..., AbstractContextManager["Page"]]


@pytest.fixture(scope="session")
def page_at(chromium: Browser, on_gpu: Callable[[BrowserContext], None]) -> PageAt:
    """`with page_at(url, before=…)`: a page of its own beside the bundle at `url`, with the
    functions of pages/harness.js, whose models run on the GPU unless asked otherwise. The script
    `before` runs in it first. The page is `isolated` as mdst-serve isolates it. Its GPU looks like
    one in `hardware`."""

    @contextmanager
    def opened(
        url: str, before: str = "", *, isolated: bool = True, hardware: bool = False
    ) -> Iterator[Page]:
        def answer(route: Route) -> None:
            name = route.request.url.split("/")[-1]
            source = route.request.url.partition("/sources/")[2]  # as they are in the checkout
            path = SOURCES / source if source else PAGES / name
            headers = {"Content-Type": guess_type(name)[0] or "", **(ISOLATION if isolated else {})}
            route.fulfill(path=path, headers=headers)

        def disguised(route: Route) -> None:
            response = route.fetch()
            route.fulfill(response=response, body=HARDWARE + response.text())

        context = chromium.new_context()
        try:
            on_gpu(context)
            if hardware:
                context.add_init_script(HARDWARE)
                context.route("**/runtime/worker.js", disguised)
            context.route(re.compile("/(blank.html|harness.js|sources/.*)$"), answer)
            page = context.new_page()
            if before:
                page.add_init_script(before)
            page.goto(f"{url}blank.html")
            page.wait_for_function("globalThis.ready")
            yield page
        finally:
            context.close()

    return opened


@pytest.fixture
def open_page(page_at: PageAt) -> Iterator[Callable[..., Page]]:
    """As `page_at`; closed after the test."""
    with ExitStack() as stack:
        yield lambda url, before="", **how: stack.enter_context(page_at(url, before, **how))


@pytest.fixture(scope="session")
def hollow(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`hollow(bundle)`: a copy whose kernels do nothing, so that they compile at once; with
    `answers` the known ones are kept, which empty kernels get wrong."""
    made: dict[tuple[Path, bool], Path] = {}

    def make(bundle: Bundle, *, answers: bool = False) -> Path:
        key = (bundle.path, answers)
        if key not in made:
            made[key] = out = tmp_path_factory.mktemp("hollow") / "out"
            shutil.copytree(bundle.path, out)
            if not answers:
                (out / "answers.json").write_text("{}")
            for tier in bundle.manifest.tiers:
                empty = (f"{KERNEL_MARK}{kernel.name}\n{EMPTY_KERNEL}" for kernel in tier.kernels)
                (out / tier.wgsl).write_text("".join(empty))
            names = [file.name for file in bundle.manifest.files]
            changed = {name: (out / name).read_bytes() for name in names}
            (out / "manifest.json").write_text(resealed(bundle.manifest, changed))
        return made[key]

    return make


@pytest.fixture(scope="session")
def exchange() -> Callable[[Page, Path, Mapping[str, bytes]], None]:
    """`exchange(page, out, files)`: the page gets these files of the bundle `out` instead of its
    own, as if they had been compiled so."""

    def change(page: Page, out: Path, files: Mapping[str, bytes]) -> None:
        manifest = parse_manifest((out / "manifest.json").read_text())
        contents = {**files, "manifest.json": resealed(manifest, files).encode()}

        def answer(route: Route) -> None:
            route.fulfill(body=contents[route.request.url.split("/")[-1]])

        for name in contents:
            page.route(f"**/{name}", answer)

    return change


def resealed(manifest: Manifest, changed: Mapping[str, bytes]) -> str:
    """manifest.json after these files of the bundle have other contents."""

    def sealed(file: File) -> File:
        data = changed.get(file.name)
        if data is None:
            return file
        return File(file.name, len(data), hashlib.sha256(data).hexdigest())

    return replace(manifest, files=[sealed(file) for file in manifest.files]).to_json()
