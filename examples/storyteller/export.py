"""Writes the trained model as GGUF (matrices Q8_0, norms F32).

    python3 examples/storyteller/export.py storyteller.npz examples/storyteller/storyteller.gguf

Needs numpy and gguf (PyPI).
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from bpe import BEGIN, END, ROLES, SPECIAL
from gguf.constants import GGMLQuantizationType, LlamaFileType, TokenType
from gguf.quants import quantize

import gguf

CHAT_TEMPLATE = (
    "{{- bos_token }}"
    "{%- for message in messages %}"
    f"{{%- if message['role'] not in {list(ROLES)} %}}"
    "{{- raise_exception('a role is one of " + ", ".join(ROLES) + "') }}"
    "{%- endif %}"
    "{{- '<|' + message['role'] + '|>' + message['content'] | trim + eos_token }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    f"{{{{- '{ROLES['assistant']}' }}}}"
    "{%- endif %}"
)
"""Writes turns as `Vocabulary.turn` in bpe.py does."""


def add_metadata(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    """General keys and the sizes of the network."""
    writer.add_name("Storyteller")
    writer.add_description(
        "Tells little stories about what it is asked for. "
        "Trained on text from a grammar, on no outside data."
    )
    writer.add_license("Apache-2.0")
    writer.add_languages(["en"])
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["context_length"])
    writer.add_embedding_length(config["embedding_length"])
    writer.add_block_count(config["block_count"])
    writer.add_feed_forward_length(config["feed_forward_length"])
    writer.add_head_count(config["head_count"])
    writer.add_head_count_kv(config["head_count_kv"])
    writer.add_rope_dimension_count(config["embedding_length"] // config["head_count"])
    writer.add_rope_freq_base(config["rope_base"])
    writer.add_layer_norm_rms_eps(config["rms_epsilon"])


def add_vocabulary(writer: gguf.GGUFWriter, tokens: list[str], merges: list[list[str]]) -> None:
    """Tokens, merges and how a conversation is written; the last tokens are the special ones."""
    assert tuple(tokens[-len(SPECIAL) :]) == SPECIAL
    normal = len(tokens) - len(SPECIAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.NORMAL] * normal + [TokenType.CONTROL] * len(SPECIAL))
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(tokens.index(BEGIN))
    writer.add_eos_token_id(tokens.index(END))
    writer.add_eot_token_id(tokens.index(END))
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def add_weights(writer: gguf.GGUFWriter, arrays: dict[str, np.ndarray]) -> None:
    """Matrices as Q8_0, vectors as F32."""
    for name, array in arrays.items():
        if array.ndim == 2:
            packed = quantize(array.astype(np.float32), GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, packed, raw_dtype=GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, array)


def main() -> None:
    """Read the .npz, write the .gguf."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    with np.load(options.source) as file:
        arrays = {name: file[name] for name in file.files}
    config = json.loads(str(arrays.pop("config")))
    vocabulary = json.loads(str(arrays.pop("vocabulary")))

    writer = gguf.GGUFWriter(options.target, "llama")
    add_metadata(writer, config)
    add_vocabulary(writer, vocabulary["tokens"], vocabulary["merges"])
    add_weights(writer, arrays)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{options.target}: {options.target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
