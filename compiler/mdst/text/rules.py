r"""`tokenizer.ggml.pre` → how text is cut into words before byte pairs are merged.

`RULES` is the one place that knows them. Facts from llama.cpp, src/llama-vocab.cpp
(`llama_vocab::impl::load`, `llm_tokenizer_bpe`) and src/unicode.cpp, and the models'
tokenizer.json. Where llama.cpp only approximates a model's own pattern, because std::regex has no
letter case and no Unicode word boundary, or with code of its own that glues the text before a run
of digits to it (tekken, gpt-4o, tiny_aya, kimi-k2, afmoe), the model's own stands here.

The strings mean the same to Python's `regex` and to JavaScript's RegExp with flag `u` or `v`: no
inline flags, no possessive quantifiers, no set operations, everything escaped that `v` reserves.
`\s` differs between the two (JS adds U+FEFF and leaves out U+0085), so it is spelled as a property;
`\d`, `\w` and `\b` differ too and do not occur.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Rule:
    """How a family of vocabularies cuts text.

    `whole_words`: a word that is a token as it stands is not merged (llama.cpp's ignore_merges).
    `whole_line_feeds`: nor is a run of line feeds that is a token. `byte_level`: tokens are
    spelled in GPT-2's alphabet of bytes; else in characters, with `▁` for the space, and bytes are
    tokens `<0xXX>`. `add_bos`, `add_eos`: unless the metadata says otherwise BOS goes in front, EOS
    behind; `needs_bos`: BOS does whatever it says.
    """

    patterns: tuple[str, ...]
    whole_words: bool = False
    whole_line_feeds: bool = False
    byte_level: bool = True
    add_bos: bool = False
    needs_bos: bool = False
    add_eos: bool = False


def _portable(*patterns: str) -> Rule:
    return Rule(
        tuple(
            p.replace(r"\s", r"\p{White_Space}").replace(r"\S", r"\P{White_Space}")
            for p in patterns
        )
    )


_SUFFIXES = "'s|'t|'re|'ve|'m|'ll|'d"
_SUFFIXES_ANY_CASE = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"


def _words(
    digits: str,
    *,
    suffixes: str = _SUFFIXES_ANY_CASE,
    word: str = r"\p{L}+",
    line_ends: str = r"[\r\n]*",
    spaces: str = _SPACES,
) -> str:
    """The cl100k form: contraction | word with one leading mark | digits | marks | spaces."""
    mark, marks = r"[^\r\n\p{L}\p{N}]?", r" ?[^\s\p{L}\p{N}]+"
    return "|".join([suffixes, mark + word, digits, marks + line_ends, spaces]).removeprefix("|")


_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def _cased_words(
    digits: str,
    suffixes: str = f"(?:{_SUFFIXES_ANY_CASE})?",
    *,
    upper: str = _UPPER,
    lower: str = _LOWER,
    line_ends: str = r"[\r\n\/]*",
) -> str:
    """The o200k form: as `_words`, but a capital after a small letter begins a new word."""
    mark = r"[^\r\n\p{L}\p{N}]?"
    word = f"{mark}{upper}*{lower}+{suffixes}|{mark}{upper}+{lower}*{suffixes}"
    return f"{word}|{digits}" + r"| ?[^\s\p{L}\p{N}]+" + f"{line_ends}|{_SPACES}"


_GPT2 = _SUFFIXES + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_SENTENCE = r" ?[^\(\s\|.,!?…。，、।۔،\)]+"
_HAN_AND_HANGUL = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
_HAN_AND_KANA = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
_MARKS_THEN_LETTERS = (
    r"""[!"#$%&'\(\)*+,\-.\/:;<=>?@\[\\\]\^_`\{\|\}~][A-Za-z]+"""
    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
) + _SPACES
# The cased letters as DeepSeek LLM's tokenizer.json lists them.
_CASED_LETTERS = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af"
    "\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1"
    "\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd"
    "\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d"
    "\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4"
    "\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec"
    "\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128"
    "\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b"
    "\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787"
    "\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a"
    "\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2"
    "\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943"
)

# The scripts that AFMoE keeps apart: Han, kana, Thai, Lao, Khmer, Burmese, Hangul.
_ASIAN = (
    "[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf"
    "\u0e40-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff"
    "\uac00-\ud7af\u1100-\u11ff]+"
)
_YOUTU_BLOCKS = (
    "[\uac00-\ud7a3\u3131-\u318e]+|[！…“”‘’—：；，\u3001-\u303f\ufe30-\ufe4f]+|"
    "[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
)
# Threes from the right. What follows a digit in its piece lies on a cut already: without this each
# cut would look to the end of the digits once more.
_THREES = r"(?<=\p{N})\p{N}{3}|\p{N}{1,2}(?=(?:\p{N}{3})*(?!\p{N}))|\p{N}{3}"
# Threes from the right of a number that no letter follows; of its last 153 digits, so that the time
# stays linear in the text.
_THREES_OF_WORDS = r"\p{Nd}{1,3}(?=(?:\p{Nd}{3}){0,50}(?![\p{L}\p{M}\p{Nd}\p{Pc}]))"
_BEFORE_THREES = "(?=(?:[0-9]{3}){1,50}(?![0-9]))"
_JAIS_SPACES = r"\s*[\r\n]+|" + "".join(rf"\s{{{2**n}}}(?!\S)|" for n in range(9, 1, -1))
_JAIS_SPACES += r"\s{1,2}(?!\S)|\s"
_NOT_HAN = r"(?:(?!\p{Script=Han})%s)"
_LINES = r"[^\n]+|\n+"

_BY_GPT2 = _portable(_GPT2)
_BY_DIGIT_GPT2 = _portable(r"\p{N}", _GPT2)
_BY_LLAMA3 = _portable(_words(r"\p{N}{1,3}"))
_LLAMA3 = replace(_BY_LLAMA3, whole_words=True, add_bos=True)
_BY_QWEN2 = _portable(_words(r"\p{N}"))
_BY_DEEPSEEK3 = _portable(r"\p{N}{1,3}", _HAN_AND_KANA, _MARKS_THEN_LETTERS)
_BY_GPT4O = _portable(_cased_words(r"\p{N}{1,3}"))
_BY_LINES = replace(_portable(_LINES), byte_level=False)
_GEMMA4 = replace(_BY_LINES, whole_line_feeds=True, add_bos=True, needs_bos=True)

_FAMILIES: tuple[tuple[str, Rule], ...] = (
    (
        "default",
        _portable(r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
    ),
    ("gpt-2 phi-2 mpt olmo jais trillion granite-docling gigachat a.x-4.0 mellum", _BY_GPT2),
    ("exaone4 modern-bert roberta-bpe jina-es jina-de jina-v2-es jina-v2-de", _BY_GPT2),
    ("jina-v1-en jina-v2-code", _BY_GPT2),
    ("starcoder refact command-r smollm codeshell exaone minerva-7b mellum2", _BY_DIGIT_GPT2),
    ("llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", _LLAMA3),
    ("dbrx smaug-bpe chatglm-bpe glm4", _BY_LLAMA3),
    ("qwen2 deepseek-r1-qwen stablelm2 hunyuan solar-open megrez kormo grok-2 f2llmv2", _BY_QWEN2),
    ("ufakzeka", _portable(_words(r"\p{N}", suffixes=""))),
    ("laguna", _portable(_LINES, _words(r"\p{N}"))),
    ("jais-2", _portable(_words(r"\p{N}{1,3}", spaces=_JAIS_SPACES))),
    (
        "bailingmoe bailingmoe2 llada-moe",
        _portable(_words(r"\p{N}", spaces=_SPACES.replace("]+", "]", 1))),
    ),
    (
        "exaone-moe",
        _portable(
            _words(
                r"\p{N}",
                word=r"(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+",
                line_ends=r"[\r\n\/]?",
                spaces=_SPACES.replace("]+", "]", 1),
            )
        ),
    ),
    (
        "qwen35",
        _portable(
            _SUFFIXES_ANY_CASE
            + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"
            + _SPACES
        ),
    ),
    (
        "falcon",
        _portable(r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, "[0-9][0-9][0-9]"),
    ),
    (
        "deepseek-llm",
        _portable(
            r"[\r\n]",
            rf"\s?[{_CASED_LETTERS}]+",
            r"\s?[!-\/:-~！-／：-～‘-‟　-。]+",
            # End of text: "$" would also match before a last line feed in Python.
            r"\s+(?![\s\S])",
            _HAN_AND_HANGUL,
            r"\p{N}+",
        ),
    ),
    (
        "deepseek-coder",
        _portable(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _HAN_AND_HANGUL, r"\p{N}"),
    ),
    ("deepseek-v3 hunyuan-dense joyai-llm hy_v4", _BY_DEEPSEEK3),
    (
        "spark2_5",
        _portable(
            r"\p{N}{1,3}",
            _HAN_AND_KANA,
            _MARKS_THEN_LETTERS.replace(r"[\r\n]*|\s*[\r\n]+", r"|[\r\n]"),
            r"\p{N}",
        ),
    ),
    ("afmoe", _portable(_THREES, _ASIAN, _MARKS_THEN_LETTERS)),
    (
        "tekken",
        replace(_portable(_cased_words(r"\p{N}", "")), whole_words=True, add_bos=True),
    ),
    ("gpt-4o llama4 kanana2 talkie minimax-m2", _BY_GPT4O),
    ("granite-embed-multi-97m", replace(_BY_GPT4O, whole_words=True)),
    (
        "youtu",
        replace(_portable(_YOUTU_BLOCKS, _cased_words(r"\p{N}")), whole_words=True),
    ),
    ("tiny_aya cohere2moe", _portable(_THREES_OF_WORDS, _cased_words(r"\p{N}{1,3}"))),
    (
        "kimi-k2",
        _portable(
            r"\p{Script=Han}+|"
            + _cased_words(
                r"\p{N}{1,3}",
                upper=_NOT_HAN % _UPPER,
                lower=_NOT_HAN % _LOWER,
                line_ends=r"[\r\n]*",
            )
        ),
    ),
    ("superbpe", _portable(r"\p{N}+", _BEFORE_THREES)),
    (
        "chameleon",
        replace(
            _portable(
                "<sentinel:[0-9]+>",
                "IMGIMG[A-I]{1,4}Z",
                r"[\t\n]|    |  ",
                r"\p{N}",
                r"[\p{P}!-\/:-@\[-`\{-~]",
                _GPT2,
            ),
            add_bos=True,
        ),
    ),
    ("poro-chat bloom gpt3-finnish", _portable(_SENTENCE)),
    ("viking", _portable(_SENTENCE, r"\p{N}")),
    ("seed-coder", _portable(_words(r"\p{N}", line_ends=""))),
    ("minicpm5", replace(_portable(r"\p{N}{1,3}", _words(r"\p{N}+")), whole_words=True)),
    ("gemma4 granite-embed-multi-311m", _GEMMA4),
    ("sarvam-moe", _BY_LINES),
)

RULES: Mapping[str, Rule] = {name: rule for names, rule in _FAMILIES for name in names.split()}
DEFAULT = RULES["default"]

# BERT's normalizer and pre-tokenizer: what is dropped, and the words of what is left. Marks of
# ASCII and Han are words of their own (llama.cpp, `llm_tokenizer_wpm_session::preprocess`).
_OWN_WORD = (
    r"\p{P}$+<=>\^`\|~\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff"
    "\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f\U0002b920-\U0002ceaf"
    "\U0002f800-\U0002fa1f"
)
BERT_PATTERNS = _portable(
    r"[\x00\ufffd\p{Cf}\p{Co}\p{Cs}]|(?!\s)\p{Cc}",
    rf"[{_OWN_WORD}]|[^\s{_OWN_WORD}]+",
).patterns
