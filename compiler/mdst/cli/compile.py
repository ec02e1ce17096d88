"""mdst-compile: GGUF file → a directory that any static host can serve."""

from __future__ import annotations

from pathlib import Path

import click

from .. import __version__
from ..bundle.listing import verify_tree
from ..compile import compile_model
from ..options import DEFAULT_CHUNK, DEFAULT_CONTEXT, MIB, Options
from .errors import run_command
from .progress import Progress
from .sizes import Size
from .summary import print_summary


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[MODEL.gguf] OUT")
@click.option("--verify", is_flag=True, help="Check every file of OUT against its hash and stop.")
@click.option(
    "--context",
    type=int,
    metavar="TOKENS",
    help=f"Tokens that attention sees  [trained length, at most {DEFAULT_CONTEXT}].",
)
@click.option(
    "--chunk", type=int, metavar="TOKENS", help=f"Prompt tokens per run  [{DEFAULT_CHUNK}]."
)
@click.option(
    "--kv", type=click.Choice(["f16", "f32"]), default="f16", show_default=True,
    help="How keys and values are stored.",
)  # fmt: skip
@click.option(
    "--shard-size", type=Size(), default=16 * MIB, metavar="SIZE",
    help="Largest weight file, such as 16M  [16M].",
)  # fmt: skip
@click.option("--weights-url", metavar="URL", help="Where pages find the weight files.")
@click.option(
    "--no-chat-template", "chat_template", flag_value=False, type=bool, default=True,
    help="Leave out the model's chat template.",
)  # fmt: skip
@click.option(
    "--validate", type=click.Choice(["none", "kernels", "full"]), default="kernels",
    show_default=True, help="What to prove on a GPU before OUT is written.",
)  # fmt: skip
@click.option("--require-gpu", is_flag=True, help="Fail where kernels cannot be checked.")
@click.option("--force", is_flag=True, help="Move aside what stands at OUT and is not ours.")
@click.option(
    "--dump", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Write the graph after every pass, the plan and the kernels there.",
)  # fmt: skip
@click.option("--jobs", type=int, default=1, show_default=True, help="Threads that pack weights.")
@click.option(
    "--max-binding", type=Size(), default=128 * MIB, metavar="SIZE",
    help="Largest piece of weights that a kernel binds  [128M].",
)  # fmt: skip
@click.option(
    "--max-memory", type=Size(), default=4096 * MIB, metavar="SIZE",
    help="Largest memory that 32-bit WebAssembly is given  [4G].",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Print errors and warnings only.")
@click.version_option(__version__, "--version")
def command(paths: tuple[Path, ...], verify: bool, quiet: bool, **choices: object) -> None:
    """Compile MODEL.gguf into the directory OUT: shaders, weights and all that a page needs."""
    if verify:
        _verify(paths, quiet)
        return
    if len(paths) != 2:
        raise click.UsageError("MODEL.gguf and OUT are needed")
    options = Options(**choices)  # type: ignore[arg-type]
    with Progress(quiet) as progress:
        summary = compile_model(*paths, options, progress)
    if not quiet:
        print_summary(summary, paths[1])


def _verify(paths: tuple[Path, ...], quiet: bool) -> None:
    if len(paths) != 1:
        raise click.UsageError("--verify takes one directory")
    count = verify_tree(paths[0])
    if not quiet:
        print(f"{count} files are what they should be")


def main() -> None:
    """The entry point."""
    run_command(command, "mdst-compile")
