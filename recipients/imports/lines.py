"""Physical lines out of a file: decoded once, split only where an editor shows a new line."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path

# Undecodable bytes become lone surrogates, which no decoder makes from sound input: the rows they are
# in can be found and reported, while the rows around them stay readable.
MARK_ERRORS = "recipients.mark_undecodable"
UNDECODABLE = re.compile("[\ud800-\udfff]")

CHUNK_CHARS = 1 << 18
# Longer than 45 full attributes. What comes after that on a line is dropped, and the row reported.
LONGEST_LINE = 4 << 20


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(MARK_ERRORS, _mark)


def read_lines(path: Path, *, encoding: str) -> Iterator[str]:
    """The lines of a file with their line ends (CR, LF or CRLF, and nothing else, ends a line)."""
    with path.open(encoding=encoding, errors=MARK_ERRORS, newline="") as stream:
        tail = ""
        is_too_long = False
        while chunk := stream.read(CHUNK_CHARS):
            lines = split_lines(tail + chunk)
            # The last line may go on in the next chunk, if only by the LF after its CR.
            tail = lines.pop()
            if lines and is_too_long:
                lines[0] = lines[0][:LONGEST_LINE] + "\n"
                is_too_long = False
            yield from lines
            if len(tail) > LONGEST_LINE:
                tail, is_too_long = tail[:LONGEST_LINE] + tail[-1:], True
        if tail:
            yield tail


def split_lines(text: str) -> list[str]:
    """`text` cut after each CR, LF or CRLF. str.splitlines would also cut at VT, FF, NEL and U+2028."""
    return io.StringIO(text, newline="").readlines()


def readable(text: str) -> str:
    """`text` with undecodable bytes shown as the replacement character, so that it can be stored."""
    return UNDECODABLE.sub("\ufffd", text)
