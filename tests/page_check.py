#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 The natutils authors
"""Pages that --html makes, looked at without a browser, and pictures of them that a browser has made.

usage: page_check.py page FILE.html...
       page_check.py picture light|dark FILE.png...

A page has to be XML, to have no two elements with one id and no link that leads nowhere, tables with captions and
heads, drawings with titles, and colours that can be told apart (WCAG 2.2: 4.5 to 1 for text). A picture must show
something, on a ground that is light or dark. Prints what is wrong; exit status 0 or 1."""

import collections
import re
import struct
import sys
import xml.etree.ElementTree
import zlib

TEXTS = ("ink", "soft", "link", "good", "warning", "bad", "ours", "answer", "peer")
GROUNDS = ("page", "panel", "mark")
CONTRAST = 4.5


# --- pages ---

def luminance(color):
    digits = color.lstrip("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def palettes(style):
    """Light, dark, and on paper."""
    found = [dict(re.findall(r"--(\w+):(#\w+)", block)) for block in re.findall(r":root\{([^}]*)\}", style)]
    if len(found) != 3:
        raise ValueError(f"{len(found)} palettes")
    return found


def color_problems(style):
    for name, palette in zip(("light", "dark", "print"), palettes(style)):
        for text in TEXTS:
            for ground in GROUNDS:
                ratio = contrast(palette[text], palette[ground])
                if ratio < CONTRAST:
                    yield f"{name}: {text} on {ground} has a contrast of {ratio:.2f}"


def id_problems(root):
    ids = collections.Counter(element.get("id") for element in root.iter() if element.get("id"))
    yield from (f"{count} elements with the id {name}" for name, count in ids.items() if count > 1)
    for element in root.iter():
        for key in ("href", "for", "aria-labelledby"):
            for name in (element.get(key) or "").split():
                if key == "href" and not name.startswith("#"):
                    yield f"a link out of the page: {name}"
                elif name.lstrip("#") not in ids:
                    yield f"{key} leads nowhere: {name}"


def reading_problems(root):
    if root.get("lang") != "en":
        yield "no language"
    if len(list(root.iter("h1"))) != 1:
        yield "not one h1"
    for table in root.iter("table"):
        caption = table.find("caption")
        if caption is None or not "".join(caption.itertext()).strip():
            yield "a table without caption"
        if any(cell.get("scope") not in ("row", "col") for cell in table.iter("th")):
            yield "a head of a table without scope"
    for svg in root.iter("svg"):
        if svg.find("title") is None or svg.find("desc") is None:
            yield "a drawing without title"
    for section in root.iter("section"):
        if section.find("h2") is None:
            yield "a section without heading"
    for element in root.iter():
        if element.tag in ("script", "img", "iframe", "link", "object", "embed"):
            yield f"<{element.tag}>"


def page_problems(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    root = xml.etree.ElementTree.fromstring(text)
    yield from id_problems(root)
    yield from reading_problems(root)
    yield from color_problems(root.find("head/style").text)


# --- pictures ---

def rows_of(path):
    """Lines of bytes of a PNG with 8 bits each for red, green, blue and maybe alpha."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("not a PNG")
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", chunk[:10])
        elif kind == b"IDAT":
            packed += chunk
        at += 12 + size
    pixel = {2: 3, 6: 4}[color]
    if depth != 8:
        raise ValueError(f"{depth} bits")
    plain, before = zlib.decompress(packed), bytearray(width * pixel)
    for y in range(height):
        line = bytearray(plain[y * (width * pixel + 1):(y + 1) * (width * pixel + 1)])
        before = unfiltered(line[0], line[1:], before, pixel)
        yield [bytes(before[x:x + 3]) for x in range(0, len(before), pixel)]


def unfiltered(kind, line, above, pixel):
    """PNG 9.2: each byte is told by the ones before it and above it."""
    for i in range(len(line)):
        left = line[i - pixel] if i >= pixel else 0
        corner = above[i - pixel] if i >= pixel else 0
        if kind == 1:
            line[i] = (line[i] + left) & 255
        elif kind == 2:
            line[i] = (line[i] + above[i]) & 255
        elif kind == 3:
            line[i] = (line[i] + (left + above[i]) // 2) & 255
        elif kind == 4:
            guess = left + above[i] - corner
            near = min((abs(guess - left), 0, left), (abs(guess - above[i]), 1, above[i]), (abs(guess - corner), 2, corner))
            line[i] = (line[i] + near[2]) & 255
    return line


def picture_problems(path, ground):
    colors = collections.Counter()
    for row in rows_of(path):
        colors.update(row)
    most, count = colors.most_common(1)[0]
    share = count / sum(colors.values())
    if (luminance(most.hex()) > 0.5) != (ground == "light"):
        yield f"not {ground}: most is #{most.hex()}"
    if len(colors) < 50 or not 0.3 < share < 0.98:
        yield f"{len(colors)} colours, {100 * share:.0f} % of one: not a page with text and drawings"


def main():
    kind, paths = sys.argv[1], sys.argv[2:]
    ground = paths.pop(0) if kind == "picture" else None
    wrong = 0
    for path in paths:
        try:
            problems = list(picture_problems(path, ground) if ground else page_problems(path))
        except (ValueError, OSError, xml.etree.ElementTree.ParseError) as error:
            problems = [str(error)]
        for problem in problems:
            print(f"{path}: {problem}")
            wrong = 1
    sys.exit(wrong)


if __name__ == "__main__":
    main()
