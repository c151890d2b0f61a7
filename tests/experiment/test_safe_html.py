"""Markup from a file shows values, and does nothing else."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest

from coview.experiment.report.safe_html import safe_html
from coview_audio.modality import AudioModality
from coview_audio.sound import Sound
from coview_image.modality import ImageModality
from coview_text.modality import TextModality

PICTURE = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    "markup",
    [
        ImageModality().to_html(np.zeros((8, 8, 3), dtype=np.uint8)),
        AudioModality().to_html(Sound(np.zeros(1600, dtype=np.float32), 16000)),
        TextModality().to_html('a <b> & "c"\n d'),
        TextModality().to_html("a c <d>", "a b c"),
        "<code>[1.5 2.]</code>",
    ],
    ids=["picture", "sound", "text", "text with marks", "a stranger's"],
)
def test_what_modalities_write_stays_as_it_is(markup):
    found = safe_html(markup)
    assert _alike(found) == _alike(markup)
    assert safe_html(found) == found


def _alike(markup):
    """Without what two ways of writing the same markup differ in."""
    return re.sub(r" ?([:;]) ?", r"\1", html.unescape(markup.replace('=""', "").replace("&nbsp;", " ")))


@pytest.mark.parametrize(
    ("markup", "left"),
    [
        ("<meta http-equiv=refresh content='0;url=file:///l.html'>x", "x"),
        ("<META HTTP-EQUIV=refresh content='0;url=//e'>", ""),
        ("<base href=//evil><a href=//evil>text</a>", "text"),
        ("<form action=//evil><input name=x><button>go</button></form>", "go"),
        ("<script>alert(1)</script>after", "after"),
        ("<svg onload=alert(1)><script>1</script></svg>after", "after"),
        ("<style>body{display:none}</style>after", "after"),
        ("<iframe src=//evil></iframe><object data=//evil></object><embed src=//evil>", ""),
        ("<link rel=stylesheet href=//evil>", ""),
        ("<img src=//evil alt=a>", '<img alt="a">'),
        ("<img src=file:///etc/passwd>", "<img>"),
        ("<img src=javascript:alert(1) onerror=alert(1)>", "<img>"),
        ("<img src='data:image/svg+xml;base64,AAAA'>", "<img>"),
        ("<img src='data:text/html;base64,AAAA'>", "<img>"),
        (f"<img src='{PICTURE}' src=//evil>", f'<img src="{PICTURE}">'),
        (f"<img src=//evil src='{PICTURE}'>", "<img>"),
        (f"<img srcset='//evil 2x' src='{PICTURE}'>", f'<img src="{PICTURE}">'),
        ("<audio controls autoplay src=//evil></audio>", '<audio controls=""></audio>'),
        (
            "<span style='position: fixed; color: red; background: url(//evil)'>x</span>",
            "<span>x</span>",
        ),
        ("<span style='color: \\75rl(//evil)'>x</span>", "<span>x</span>"),
        ("</div></main><b>x", "<b>x</b>"),
        ("<div><b>x</div>y", "<div><b>x</b></div><b>y</b>"),
        ("<!-- --><![CDATA[<b>]]><?x?><!doctype html>x", "]]&gt;x"),
        ("a < b &lt;script&gt; \" '", "a &lt; b &lt;script&gt; \" '"),
        ("<b title='\"><script>1</script>'>x</b>", '<b title="&quot;&gt;&lt;script&gt;1&lt;/script&gt;">x</b>'),
    ],
)
def test_everything_else_is_left_out(markup, left):
    assert safe_html(markup) == left
    assert safe_html(left) == left
