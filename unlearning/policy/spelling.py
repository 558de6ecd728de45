"""When two ids are the same but for their spelling, so that a person must say which was meant."""

import re
import unicodedata
from decimal import Decimal

from unlearning.policy.digests import pseudonym

_AROUND = "{}[]()<>\"'`"
_BEFORE = re.compile(r"mailto:|urn:uuid:|[=+]")
_THOUSANDS = re.compile(r"(-?\d{1,3}([,.'_])\d{3}(?:\2\d{3})*)(?:[.,]0{0,2})?\Z")
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d{1,3})?\Z")
_UUID = re.compile(r"[0-9a-f]{32}\Z")
_MOST_DIGITS = 256
_NOTHING = re.compile(
    r"(?:null|none|nil|nan|nat|na|n/a|n\.a\.|--?|\?|unknown|undefined|missing|empty|blank|\\n"
    r"|objectobject|#n/?a|#(?:ref|value|null|div/0|num|spill|calc|error)!|#name\?)\Z"
)


def loose_form(subject_id: str) -> str:
    """What is left of an id without its spelling: ids nearly match if this is the same of both.

    Left out are Unicode form, case, blanks, format and control characters, quotes and brackets
    around it, `mailto:`, `=` and `+` before it, the dashes of a UUID; and of a number leading
    zeros, thousands separators, decimals that are zero, and the exponent. It errs toward calling
    two ids the same.
    """
    text = _bare(_plain(subject_id))
    joined = text.replace("-", "")
    return joined if _UUID.match(joined) else _number(text)


def is_word_for_nothing(subject_id: str) -> bool:
    """Whether programs write this for an empty cell or a failed formula, such as NULL or #REF!."""
    return _NOTHING.match(loose_form(subject_id)) is not None


def nearly_matches(one: str, other: str) -> bool:
    """Whether two ids differ, but only in their spelling."""
    return one != other and loose_form(one) == loose_form(other)


def loose_pseudonym(key: bytes, subject_id: str) -> str:
    """Keyed pseudonym of the loose form: the same for every spelling of an id, of any kind."""
    return pseudonym(key, f"~\0{loose_form(subject_id)}")


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    # What is not seen may have stood between a letter and its accent.
    return unicodedata.normalize("NFKC", "".join(map(_letter, folded))) or text


def _letter(char: str) -> str:
    """The character, in ASCII where dashes and quotes have many forms; none if it is not seen."""
    kind = unicodedata.category(char)
    if kind[0] in "ZC":
        return ""
    if kind == "Pd" or char == "\N{MINUS SIGN}":
        return "-"
    if kind in ("Pi", "Pf") or char == "\N{SINGLE LOW-9 QUOTATION MARK}":
        return "'"
    return char


def _bare(text: str) -> str:
    while True:
        inner = text.strip(_AROUND)
        if found := _BEFORE.match(inner):
            inner = inner[found.end() :]
        if inner in ("", text):
            return text
        text = inner


def _number(text: str) -> str:
    if grouped := _THOUSANDS.match(text):
        text = re.sub(r"[,.'_]", "", grouped[1])
    if len(text) > _MOST_DIGITS or not _NUMBER.match(text):
        return text
    value = Decimal(text)
    if value == value.to_integral_value():
        return str(int(value))  # exact, whatever the precision of decimals is
    return format(value, "f").rstrip("0")
