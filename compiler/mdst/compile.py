"""The compiler, top to bottom:

gguf → model config → graph → passes → schedule → memory plan → kernels → shards + bundle → validate
"""

from __future__ import annotations

from pathlib import Path

from .bundle.assemble import make_manifest, wasm_name, wgsl_file, wgsl_name
from .bundle.graph_file import graph_json
from .bundle.manifest import File
from .bundle.page import page_files
from .bundle.shards import Source, write_shards
from .bundle.writer import BundleWriter
from .codegen.generate import generate_code
from .codegen.wasm.generate import generate_cuts, generate_wasm
from .errors import naming, printable
from .gguf import read_gguf
from .graph.graph import Graph
from .graph.text import operators, text
from .models.config import ModelConfig
from .models.decoder import build_model
from .models.tensors import types_used
from .options import Options
from .programs import plan_programs, wasm_graphs
from .report import Dump, Reporter
from .schedule.text import plan_text
from .summary import Summary
from .text import Vocabulary, chat, compact
from .validate.bundle_check import validate_kernels, validate_model, validate_modules
from .validate.known_answers import answers_json, known_answers


def compile_model(source: Path, out: Path, options: Options, report: Reporter) -> Summary:
    """Compiles the GGUF file `source` into the directory `out`.

    Raises MdstError of the fitting kind; then `out` is as it was before.
    """
    dump = Dump(options.dump)
    with naming(printable(source.name)), read_gguf(source) as file:
        config = ModelConfig.from_gguf(file)
        vocabulary = Vocabulary.from_metadata(file.metadata)
        templates = chat.read_templates(file.metadata) if options.chat_template else {}
        chat_template = chat.compile_templates(templates) if templates else None
        window = options.window(config.context_length)
        model = build_model(file, config, window)
        for warning in (*config.warnings, *vocabulary.warnings, *model.warnings):
            report.warn(warning)

        def observe(name: str, graph: Graph) -> None:
            dump(f"{name}.txt", text(graph))

        plan = plan_programs(model.graph, options, window, observe)
        dump("plan.txt", plan_text(plan))
        code = generate_code(plan, options.kv)
        for tier in code:
            dump(wgsl_name(tier.tier), wgsl_file(tier))
        graphs, kv, most = wasm_graphs(model.graph, observe), options.kv, options.max_memory
        modules = generate_wasm(graphs, plan, kv, most)
        cuts = generate_cuts(graphs, plan, kv, modules, most, report.warn)
        all_modules = [*modules, *(part for cut in cuts for part in cut)]
        for module in all_modules:
            dump(f"{wasm_name(module)}.wat", module.text)
        answers = known_answers(code)

        with BundleWriter(out, force=options.force) as writer:
            checked = validate_kernels(answers, options, report)
            checked += validate_modules(all_modules, options, report)
            weights = Source(file, model.tables)
            writer.write("vocabulary.bin", compact(vocabulary))
            if chat_template is not None:
                writer.write(chat.FILE, chat_template)
            writer.write("answers.json", answers_json(answers).encode())
            for tier in code:
                writer.write(wgsl_name(tier.tier), wgsl_file(tier).encode())
            loaded = [File(name, e.size, e.sha256) for name, e in writer.entries.items()]
            for module in all_modules:
                writer.write(wasm_name(module), module.data)
            shards = write_shards(plan.weights, weights, options, writer.write, report)
            manifest = make_manifest(model, options, plan, code, modules, cuts, shards, loaded)
            writer.write("manifest.json", manifest.to_json().encode())
            writer.write("graph.json", graph_json(model.graph, plan.weights).encode())
            for name, data in page_files(options.weights_url, report).items():
                writer.write(name, data)
            checked += validate_model(writer.folder, plan.weight_bytes, options, report)
    fused = operators(plan.fastest("decode_short").graph)
    return Summary(manifest, types_used(file.tensors), fused, checked, writer.moved_aside)
