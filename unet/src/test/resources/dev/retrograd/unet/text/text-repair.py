"""Writes text-repair.json.gz: broken texts and what ftfy.fix_text and html.unescape make of them.

    pip install ftfy==6.3.1
    python text-repair.py
"""
import gzip
import html
import json
import pathlib
import platform
import random
import unicodedata

import ftfy

ENCODINGS = ["latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253",
             "sloppy-windows-1254", "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437"]
PHRASES = ["schön", "à la mode, voilà", "“quoted” — ‘too’…", "Привет, мир", "γεια σου Κόσμε", "žluťoučký kůň", "Łódź", "ığdır",
           "日本語のテキスト", "قطة على", "नमस्ते", "party 🎉🐱", "x² ± ½", "100 £ • €", "Ēriks Ģīmene"]
PIECES = ["&amp;", "&lt;b&gt;", "&EACUTE;", "&#39;", "&#x80;", "&#59;", "&#12ab;", "&notit;", "&amp", "&#xD800;", "&#1;", "&amp;amp;lt;",
          "<", "ﬁ", "ĳ", "ŉ", "Ｗｉｄｅ", "ﾊﾟ", "\u3000", "\x1b[1;31m", "\x1b[", "\r\n", "\r", "\x85", "\u2028", "\x00", "\x07", "\x7f",
          "\ufeff", "\u206a", "\ufffc", "\ufffd", "\x1a", "e\u0301", "\u212b", "’s", "«", "Ã ", "Â©", "Ã quel", "Ã s ", "ï¿½", "â€?", "œ'", "\n"]


def broken(text, encoding):
    return text.encode("utf-8").decode(encoding, "replace")


def java_utf8(text):
    units = text.encode("utf-16-be")
    chars = (chr(units[i] << 8 | units[i + 1]) for i in range(0, len(units), 2))
    return "".join(chars).encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")


def cases(rng):
    for phrase in PHRASES:
        yield java_utf8(phrase + "😀\0").decode("latin-1") + "\n"
        for encoding in ENCODINGS:
            once = broken(phrase, encoding)
            yield once
            yield once.replace("\xa0", " ") + " " + phrase
            yield broken(once, rng.choice(ENCODINGS))
            yield "The " + broken(phrase, "cp1252").replace("\ufffd", rng.choice("?\ufffd"))
    for _ in range(150):
        yield "".join(rng.choice(PIECES + PHRASES) for _ in range(rng.randint(1, 6)))
    for _ in range(250):
        halves = bytes(rng.choice([rng.randrange(0x80, 0x100), rng.choice(b"\xc2\xc3\xe2\xf0\xed\xc0\x80\xa0 a?\x1a\n")])
                       for _ in range(rng.randint(1, 8)))
        yield halves.decode(rng.choice(ENCODINGS))


def main():
    rows = []
    for text in dict.fromkeys(cases(random.Random(20240815))):
        fixed = ftfy.fix_text(text)
        if not any(unicodedata.category(c) == "Cn" for c in fixed):
            rows.append({"text": text, "repaired": fixed, "unescaped": html.unescape(text)})
    versions = {"ftfy": ftfy.__version__, "python": platform.python_version(), "unicode": unicodedata.unidata_version}
    lines = ",\n".join(json.dumps(row) for row in rows)
    out = '{"versions": %s, "cases": [\n%s\n]}\n' % (json.dumps(versions), lines)
    pathlib.Path(__file__).with_suffix(".json.gz").write_bytes(gzip.compress(out.encode("utf-8"), mtime=0))


main()
