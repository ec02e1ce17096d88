r"""Text → words, by the regular expressions that a byte-level BPE model was trained behind.

`RULES` has them by `tokenizer.ggml.pre`; no other place knows them. A rule is a list of patterns
applied one after another: each cuts every piece the one before it left into its matches and the
gaps between them, and sees nothing outside its piece (a lookahead at the end of a piece finds the
end of the text).

Facts from llama.cpp, src/llama-vocab.cpp (`llm_tokenizer_bpe`) and the models' tokenizer.json.
Where llama.cpp only approximates a model's own pattern because std::regex has no letter case
(tekken, gpt-4o), the model's own stands here.

The strings mean the same to Python's `regex` and to JavaScript's RegExp with flag `u` or `v`: no
inline flags, no possessive quantifiers, no set operations, everything escaped that `v` reserves.
`\s` differs between the two (JS adds U+FEFF and leaves out U+0085), so it is spelled as a property.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import regex

from ..errors import MalformedError, printable


@dataclass(frozen=True, slots=True)
class Rule:
    """How a family of vocabularies cuts text.

    `whole_words`: a word that is a token as it stands is not merged (llama.cpp's ignore_merges).
    `add_bos`: BOS goes in front unless the metadata says otherwise.
    """

    patterns: tuple[str, ...]
    whole_words: bool = False
    add_bos: bool = False


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


def _words(digits: str, *, line_ends: str = r"[\r\n]*") -> str:
    """The cl100k form: contraction | word with one leading mark | digits | marks | spaces."""
    return (
        _SUFFIXES_ANY_CASE
        + r"|[^\r\n\p{L}\p{N}]?\p{L}+|"
        + digits
        + r"| ?[^\s\p{L}\p{N}]+"
        + line_ends
        + "|"
        + _SPACES
    )


def _cased_words(digits: str, suffixes: str) -> str:
    """The o200k form: as `_words`, but a capital after a small letter begins a new word."""
    upper, lower = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
    mark = r"[^\r\n\p{L}\p{N}]?"
    return (
        f"{mark}{upper}*{lower}+{suffixes}|{mark}{upper}+{lower}*{suffixes}|"
        + digits
        + r"| ?[^\s\p{L}\p{N}]+[\r\n\/]*|"
        + _SPACES
    )


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

_BY_GPT2 = _portable(_GPT2)
_BY_DIGIT_GPT2 = _portable(r"\p{N}", _GPT2)
_BY_LLAMA3 = _portable(_words(r"\p{N}{1,3}"))
_LLAMA3 = replace(_BY_LLAMA3, whole_words=True, add_bos=True)
_BY_QWEN2 = _portable(_words(r"\p{N}"))
_BY_DEEPSEEK3 = _portable(r"\p{N}{1,3}", _HAN_AND_KANA, _MARKS_THEN_LETTERS)
_BY_GPT4O = _portable(_cased_words(r"\p{N}{1,3}", f"(?:{_SUFFIXES_ANY_CASE})?"))

_FAMILIES: tuple[tuple[str, Rule], ...] = (
    (
        "default",
        _portable(r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
    ),
    ("gpt-2 phi-2 mpt olmo jais trillion granite-docling gigachat a.x-4.0 mellum", _BY_GPT2),
    ("exaone4", _BY_GPT2),
    ("starcoder refact command-r smollm codeshell exaone minerva-7b mellum2", _BY_DIGIT_GPT2),
    ("llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2", _LLAMA3),
    ("dbrx smaug-bpe chatglm-bpe glm4", _BY_LLAMA3),
    ("qwen2 deepseek-r1-qwen stablelm2 hunyuan solar-open megrez kormo grok-2", _BY_QWEN2),
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
    ("deepseek-v3 hunyuan-dense joyai-llm", _BY_DEEPSEEK3),
    (
        "tekken",
        replace(_portable(_cased_words(r"\p{N}", "")), whole_words=True, add_bos=True),
    ),
    ("gpt-4o llama4 kanana2 talkie minimax-m2", _BY_GPT4O),
    ("poro-chat bloom gpt3-finnish", _portable(_SENTENCE)),
    ("viking", _portable(_SENTENCE, r"\p{N}")),
    ("seed-coder", _portable(_words(r"\p{N}", line_ends=""))),
    ("minicpm5", replace(_portable(r"\p{N}{1,3}", _words(r"\p{N}+")), whole_words=True)),
)

RULES: Mapping[str, Rule] = {name: rule for names, rule in _FAMILIES for name in names.split()}
DEFAULT = RULES["default"]


class Pretokenizer:
    """Cuts text into words; joined again the words are the text.

    Raises MalformedError (TEXT008) for a pattern that is no regular expression.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_compiled(pattern) for pattern in patterns]

    def split(self, text: str) -> list[str]:
        words = [text] if text else []
        for pattern in self._patterns:
            words = [piece for word in words for piece in _pieces(pattern, word)]
        return words


def _compiled(pattern: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern)
    except regex.error as error:
        message = f"pre-tokenizer pattern {printable(pattern)} is not valid: {error}"
        raise MalformedError("TEXT008", message) from None


def _pieces(pattern: regex.Pattern[str], word: str) -> Iterator[str]:
    end = 0
    for match in pattern.finditer(word):
        if match.start() > end:
            yield word[end : match.start()]
        if match.end() > match.start():
            yield match[0]
        end = match.end()
    if end < len(word):
        yield word[end:]
