"""Devices that can and that cannot: told in numbers, before any weights are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mdst.bundle.reader import KERNEL_MARK, Bundle
from mdst.hosts.generate import generate
from mdst.hosts.host import Host, Request
from mdst.sampling import SamplingParams

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

DEFAULT_LIMITS: dict[str, int] = json.loads(
    (Path(__file__).parent / "pages/default_limits.json").read_bytes()
)
"""https://www.w3.org/TR/webgpu/#limits"""

NO_WEBGPU = "delete Navigator.prototype.gpu;"
NO_ADAPTER = "GPU.prototype.requestAdapter = () => Promise.resolve(null);"
COUNTED_BUFFERS = """
const prototype = GPUDevice.prototype;
globalThis.live = new Map();
globalThis.made = 0;
const createBuffer = prototype.createBuffer;
prototype.createBuffer = function (wanted) {
  const buffer = createBuffer.call(this, wanted);
  live.set(buffer, wanted.size);
  made += 1;
  return buffer;
};
const destroy = GPUBuffer.prototype.destroy;
GPUBuffer.prototype.destroy = function () {
  live.delete(this);
  return destroy.call(this);
};
"""
"""Counts the buffers, and keeps those that are not destroyed."""


def adapter(limits: dict[str, int], features: tuple[str, ...] = ()) -> str:
    """A script: all adapters have these limits and features, and give no device that has more."""
    return f"""{{
      const limits = {json.dumps(limits)};
      const features = new Set({json.dumps(features)});
      const requestAdapter = GPU.prototype.requestAdapter;
      const least = new Set(['minUniformBufferOffsetAlignment', 'minStorageBufferOffsetAlignment']);
      GPU.prototype.requestAdapter = async function (...options) {{
        const real = await requestAdapter.apply(this, options);
        const requestDevice = (wanted = {{}}) => {{
          for (const [name, value] of Object.entries(wanted.requiredLimits ?? {{}})) {{
            if (least.has(name) ? value < limits[name] : !(value <= limits[name])) {{
              throw new DOMException(`${{name}} ${{value}}`, 'OperationError');
            }}
          }}
          for (const name of wanted.requiredFeatures ?? []) {{
            if (!features.has(name)) throw new TypeError(name);
          }}
          return real.requestDevice(wanted);
        }};
        return {{ limits, features, info: real.info, requestDevice }};
      }};
    }}"""


@pytest.fixture(scope="module")
def bundle(compiled: Callable[..., Bundle], tiny_model: Callable[..., Path]) -> Bundle:
    return compiled(tiny_model(), kv="f32", context=32, chunk=8, shard_size=1 << 16)


@pytest.fixture
def opened(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> Callable[[str], tuple[Page, list[str]]]:
    """`open(script)`: a page where it ran first, and the names of all files asked for since."""

    def start(before: str) -> tuple[Page, list[str]]:
        page = open_page(serve(hollow(bundle)), before)
        asked: list[str] = []
        page.context.on("request", lambda request: asked.append(request.url.split("/x/y/")[-1]))
        return page, asked

    return start


def refusal(page: Page) -> dict[str, Any]:
    """How `load` fails, which must be what `canRun` foretells."""
    ability = page.evaluate("ability({ device: 'webgpu' })")
    failure: dict[str, Any] = page.evaluate(
        "failure(() => start({ worker: false, device: 'webgpu' }))"
    )
    assert failure["ours"]
    assert failure["code"] == "unsupported_device"
    assert ability["ok"] is False
    assert ability["tier"] is None
    assert ability["problems"] == failure["problems"]
    for problem in failure["problems"]:
        assert problem["message"] in failure["message"]
    return failure


def nothing_but_code(asked: list[str]) -> bool:
    return "manifest.json" in asked and all(
        name == "manifest.json" or name.endswith(".js") for name in asked
    )


def test_at_the_default_limits(
    bundle: Bundle,
    host_of: Callable[[Bundle, str], Host],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    page = open_page(serve(bundle.path), adapter(DEFAULT_LIMITS) + COUNTED_BUFFERS)
    assert page.evaluate("ability()")["ok"]
    stats = page.evaluate("start({ worker: false })")
    assert stats["tier"] == "base"
    assert stats["refused"] == []
    assert stats["worker"] is False
    prompt = [int(id) for id in range(20, 33)]
    host = host_of(bundle, "base")
    host.start(Request(SamplingParams(temperature=0)))
    wanted = list(chain.from_iterable(generate(host, prompt, 30, 8)))
    request = {"prompt": prompt, "temperature": 0, "max_tokens": 30, "ignore_eos": True}
    found = page.evaluate("request => create(request)", request)
    assert found["choices"][0]["tokens"] == wanted
    # Of all buffers those of the model remain, and three to read from; in the end none.
    sizes = page.evaluate("[...live.values()]")
    model = sorted(buffer.size for buffer in bundle.manifest.buffers)
    assert len(sizes) == len(model) + 3
    assert sum(sizes) < sum(model) + 4096
    assert page.evaluate("made") > len(sizes) + len(bundle.tier("base").kernels)
    page.evaluate("engines.main.unload()")
    assert page.evaluate("live.size") == 0


@pytest.mark.parametrize(
    ("limit", "found"),
    [
        ("maxStorageBufferBindingSize", 4096),
        ("maxBufferSize", 8192),
        ("maxComputeWorkgroupStorageSize", 16383),
        ("maxStorageBuffersPerShaderStage", 7),
    ],
)
def test_a_limit_that_is_too_small(
    bundle: Bundle, opened: Callable[[str], tuple[Page, list[str]]], limit: str, found: int
) -> None:
    page, asked = opened(adapter({**DEFAULT_LIMITS, limit: found}))
    failure = refusal(page)
    [problem] = failure["problems"]
    needed = asdict(bundle.manifest.limits).get(limit, DEFAULT_LIMITS[limit])
    assert (problem["what"], problem["needed"], problem["found"]) == (limit, needed, found)
    assert all(word in failure["message"] for word in (limit, str(needed), str(found)))
    assert nothing_but_code(asked)


@pytest.mark.parametrize(
    ("before", "what", "words"),
    [
        (NO_WEBGPU, "navigator.gpu", "this browser has no WebGPU"),
        (NO_ADAPTER, "GPUAdapter", "found no GPU"),
    ],
    ids=["no WebGPU", "no adapter"],
)
def test_no_gpu_at_all(
    opened: Callable[[str], tuple[Page, list[str]]], before: str, what: str, words: str
) -> None:
    page, asked = opened(before)
    failure = refusal(page)
    [problem] = failure["problems"]
    assert problem["what"] == what
    assert words in failure["message"]
    assert nothing_but_code(asked)


def test_a_tier_that_the_device_lacks(opened: Callable[[str], tuple[Page, list[str]]]) -> None:
    page, asked = opened(adapter(DEFAULT_LIMITS))
    failure = page.evaluate("failure(() => start({ worker: false, tier: 'subgroups' }))")
    assert failure["code"] == "unsupported_device"
    assert "lacks subgroups" in failure["message"]
    assert page.evaluate("ability({ tier: 'base' })")["ok"]
    failure = page.evaluate("failure(() => start({ worker: false, tier: 'fast' }))")
    assert failure["code"] == "invalid_request"
    assert "base, subgroups" in failure["message"]
    assert nothing_but_code(asked)


def test_webgpu_in_pages_only(opened: Callable[[str], tuple[Page, list[str]]]) -> None:
    """Where workers lack WebGPU the engine runs in the page; the CPU's stays in its worker."""
    page, _ = opened("")
    page.route(
        "**/runtime/no-gpu.js",
        lambda route: route.fulfill(
            content_type="text/javascript", body="delete WorkerNavigator.prototype.gpu; export {};"
        ),
    )

    def without_gpu(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body="import './no-gpu.js';\n" + response.text())

    page.route("**/runtime/worker.js", without_gpu)
    stats = page.evaluate("start()")
    assert (stats["device"], stats["worker"]) == ("webgpu", False)
    assert page.evaluate("ability({ device: 'auto' })")["device"] == "wasm"
    stats = page.evaluate("start({ device: 'auto' })")
    assert (stats["device"], stats["worker"]) == ("wasm", True)
    page.unroute("**/runtime/worker.js")
    assert page.evaluate("start({}, 'other')")["worker"] is True


def test_a_better_tier_gives_way(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
    exchange: Callable[..., None],
) -> None:
    """Where a kernel of the better tier gives wrong answers, and those of the other do not."""
    answers = json.loads(bundle.text("answers.json"))
    for kernel in bundle.tier("base").kernels:
        del answers[kernel.name]
    assert answers
    page = open_page(serve(hollow(bundle)))
    exchange(page, hollow(bundle), {"answers.json": json.dumps(answers).encode()})
    stats = page.evaluate("start()")
    assert stats["tier"] == "base"
    [refused] = stats["refused"]
    assert refused["tier"] == "subgroups"
    assert "wrong answer" in refused["reason"]


def test_a_device_that_computes_nothing_is_refused(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
) -> None:
    page = open_page(serve(hollow(bundle, answers=True)))
    failure = page.evaluate("failure(() => start({ device: 'webgpu' }))")
    assert failure["code"] == "unsupported_device"
    tiers = ["tier subgroups", "tier base", "tier dp4a"]
    assert [problem["what"] for problem in failure["problems"]] == tiers
    assert failure["message"].count("wrong answer") == 3


@pytest.mark.parametrize("change", [0, 1])
def test_one_number_of_one_answer(
    bundle: Bundle,
    hollow: Callable[..., Path],
    serve: Callable[..., str],
    open_page: Callable[..., Page],
    exchange: Callable[..., None],
    change: int,
) -> None:
    kernel = bundle.kernels(bundle.tier("base"))[0]
    case = json.loads(bundle.text("answers.json"))[kernel.name][0]
    next(part for part in case["expected"] if part["floats"])["floats"][-1] += change

    out = hollow(bundle)
    wgsl = bundle.tier("base").wgsl
    empty = (out / wgsl).read_text().split(KERNEL_MARK)[2:]
    texts = KERNEL_MARK.join(["", f"{kernel.name}\n{kernel.wgsl}", *empty])
    answers = json.dumps({kernel.name: [case]})
    page = open_page(serve(out))
    exchange(page, out, {wgsl: texts.encode(), "answers.json": answers.encode()})
    if change:
        failure = page.evaluate("failure(() => start({ tier: 'base', device: 'webgpu' }))")
        assert failure["code"] == "unsupported_device"
        assert f"kernel {kernel.name} gives a wrong answer" in failure["message"]
    else:
        assert page.evaluate("start({ tier: 'base' })")["refused"] == []
