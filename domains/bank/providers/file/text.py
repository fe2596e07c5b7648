"""From bytes to text that is safe to keep, and back from a place in the text to a line of the file."""

import re
from bisect import bisect_right

from charset_normalizer import from_bytes

from domains.bank.errors import StatementRejected

#: Encodings that a file may declare or be told to have. Everything else (idna, rot13, zlib, ...) is no text of a bank.
_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "unicode": "utf-8",
    "us-ascii": "cp1252",
    "usascii": "cp1252",
    "ascii": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "iso-8859-1": "cp1252",  # a superset of its printable half, and what is meant in practice
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "macintosh": "mac_roman",
    "mac-roman": "mac_roman",
    "shift-jis": "cp932",
    "shift_jis": "cp932",
    "gbk": "cp936",
    "gb18030": "gb18030",
    "big5": "cp950",
    "euc-kr": "cp949",
}
_CODE_PAGES = {437, 850, 852, 858, 866, 874, 932, 936, 949, 950, *range(1250, 1259)}
_ISO_8859_PARTS = {2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16}
#: Bytes of these cannot be told from UTF-8 by validity alone as surely as a single-byte code page's can.
_MULTI_BYTE = {"cp932", "cp936", "cp949", "cp950", "gb18030"}

# What never belongs in a statement: controls (tab and line ends apart), marks that reorder or hide text, and
# codes that Postgres or JSON cannot hold. Joiners (U+200C, U+200D) stay: scripts and emoji need them.
_HARMFUL = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_LINE_MARKS = re.compile("[\u2028\u2029]")
_SPACES = re.compile(r"\s+")
_NON_ASCII = re.compile(rb"[\x80-\xff]")
_CONTEXT_BYTES = 100
_DETECTION_SAMPLE_BYTES = 65_536


def encoding_named(name: str) -> str | None:
    """The Python codec for a charset as banks write it ("1252", "ISO-8859-15", "UTF-8"), or None if it is none we read."""
    wanted = name.strip().lower().replace("_", "-")
    if wanted in _ENCODINGS:
        return _ENCODINGS[wanted]
    if match := re.fullmatch(r"(?:cp|windows|win|ibm)?-?([0-9]{3,4})", wanted):
        number = int(match[1])
        return f"cp{number}" if number in _CODE_PAGES else None
    if match := re.fullmatch(r"(?:iso-?)?8859-?([0-9]{1,2})", wanted):
        part = int(match[1])
        if part == 1:
            return "cp1252"
        return f"iso8859_{part}" if part in _ISO_8859_PARTS else None
    return None


def decode(data: bytes, *, declared: str | None, told: str | None) -> str:
    """The text of a file, without harmful characters; line ends are left as they were sent.

    `told` (by the owner) is obeyed. Else a byte order mark decides, then UTF-8 if the bytes are UTF-8 whatever was
    declared (text in a code page almost never is), then `declared`, then what the bytes look like.
    Errors: StatementRejected.
    """
    if told is not None:
        encoding = encoding_named(told)
        if encoding is None:
            reason = f"There is no encoding named {told[:40]!r}; utf-8, utf-16 and windows-1252 are common."
            raise StatementRejected(reason, field="encoding")
        return clean(_strictly(data, encoding, "State the right encoding."))
    wide = _wide_encoding(data)
    if wide is not None:
        return clean(_strictly(data, wide, "The file is damaged: download it again."))
    known = encoding_named(declared) if declared else None
    if known not in _MULTI_BYTE:
        try:
            return clean(data.decode("utf-8"))
        except UnicodeDecodeError:
            pass
    if known is None or known.startswith("utf"):
        known = _likely_code_page(data)
    return clean(_strictly(data, known, "State the `encoding` of the file, or export it as UTF-8."))


def clean(text: str) -> str:
    """Without the characters that must not be kept."""
    if _HARMFUL.search(text):
        text = _HARMFUL.sub("", text)
    if not text.isascii():
        text = _LINE_MARKS.sub(" ", text)
    return text


def one_line(text: str, limit_chars: int) -> str:
    """Trimmed, runs of white space as one space, cut to the limit."""
    if len(text) > limit_chars * 4:
        text = text[: limit_chars * 4]
    if "  " in text or not text.isprintable():
        text = _SPACES.sub(" ", text)
    return text.strip()[:limit_chars].rstrip()


class Lines:
    """Which line of the file a place in its text is on, counted from 1.

    A line ends at LF, or at CR in a file that has no LF.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends: list[int] | None = None

    def at(self, offset: int) -> int:
        if self._ends is None:
            end = "\n" if "\n" in self._text else "\r"
            self._ends = [match.start() for match in re.finditer(end, self._text)]
        return bisect_right(self._ends, offset - 1) + 1


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 by its mark, or by the zero bytes that ASCII has in it; UTF-8 by its mark."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if data.startswith(b"\xef\xbb\xbf"):
        return "utf-8"
    head = data[:512]
    pairs = len(head) // 2
    if pairs >= 2 and head[1::2].count(0) > pairs * 0.6 and head[0::2].count(0) == 0:
        return "utf-16-le"
    if pairs >= 2 and head[0::2].count(0) > pairs * 0.6 and head[1::2].count(0) == 0:
        return "utf-16-be"
    return None


def _likely_code_page(data: bytes) -> str:
    """Western Windows text, unless what is not ASCII clearly reads as something else.

    The detector alone is not enough: of a few accents it makes Cyrillic, and it takes cp1250 for cp1252 whenever both give
    letters. So another script must be most of the letters, and cp1250 is believed only where cp1252 gives nonsense.
    """
    pieces = _sampled(data)
    sample = b"\n".join(pieces)
    foreign = sum(byte >= 0x80 for byte in sample)
    other_script = foreign > 0.4 * (foreign + sum(65 <= byte & 0xDF <= 90 for byte in sample if byte < 0x80))
    matches = from_bytes(sample, cp_isolation=["cp1251", "cp1253"] if other_script else ["cp1252", "cp1250"])
    best = matches.best()
    if best is None or any(match.encoding == "cp1252" for match in matches) or str(best) == sample.decode("cp1252", "replace"):
        return "cp1252"
    return best.encoding


def _sampled(data: bytes) -> list[bytes]:
    """The surroundings of the first bytes that are not ASCII."""
    pieces: list[bytes] = []
    size, covered = 0, 0
    for match in _NON_ASCII.finditer(data):
        if match.start() < covered:
            continue
        start, covered = max(covered, match.start() - _CONTEXT_BYTES), match.start() + _CONTEXT_BYTES
        pieces.append(data[start:covered])
        size += covered - start
        if size > _DETECTION_SAMPLE_BYTES:
            break
    return pieces


def _strictly(data: bytes, encoding: str, advice: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise StatementRejected(f"The bytes here are not {encoding} text. {advice}", line=line, field="encoding") from None
