from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
import pytest
from fabricated_runs import comparison, found
from hypothesis import given
from hypothesis import strategies as st

from coview.compare.collect import collect
from coview.compare.report import write_comparison_report
from coview.compare.report.differences import differences
from coview.compare.report.figures import critical_difference, pareto
from coview.compare.statistics.ranks import Ranks

THREE = ("image", "text", "audio")
VARIANTS = ("nt_xent", "warm", "triplet")


def values(shift=0.0):
    noise = [0.0, 0.004, -0.004]
    means = {"nt_xent": 0.8, "warm": 0.7, "triplet": 0.4}
    return {
        (m, v): [means[v] + shift + n * (1 + i) for n in (noise if v == "warm" else noise[::-1])]
        for i, m in enumerate(THREE)
        for v in VARIANTS
    }


@pytest.fixture(scope="module")
def written(registry, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("compared")
    compared = comparison(registry, modalities=THREE, variants=VARIANTS)
    given_values = values()
    given_values["audio", "triplet"] = [0.4, "CoviewError: <loss> is not finite", None]
    return write_comparison_report(compared, found(compared, tmp_path / "runs", given_values), tmp_path / "report")


def test_the_smallest_detectable_difference_is_of_the_test(written, registry, tmp_path):
    words = " ".join(written.report.read_text().split())
    assert re.search(
        r"A true difference of 0\.0\d\d between the two variants that spread least, and of 0\.\d+ betw", words
    )
    by_t = replace(comparison(registry, variants=VARIANTS), test="paired_t")
    other = write_comparison_report(by_t, found(by_t, tmp_path / "runs", values()), tmp_path / "report")
    words = " ".join(other.report.read_text().split())
    assert "power 0.8, α = 0.05 / 3 = 0.017: Holm&#39;s correction holds the first of 3 pairs to that)" in words
    assert "Paired t tests; each interval is for its own pair alone" in words


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.words = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for key, value in attrs if key == "id"]
        self.links += [value for key, value in attrs if key in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)


def read(written):
    return Page(written.report.read_text(encoding="utf-8"))


def test_the_page_says_what_the_runs_say(written):
    text = read(written).text
    for words in (
        "losses <b>", "Which loss & why?", "25 of 27 done", "By knn/accuracy; higher is better.",
        "nt_xent is best: 0.800, 0.100 above warm (the difference to warm is between 0.0",
        "triplet is below the untrained control",
        "The verdict leaves out what has fewer than 2 seeds: triplet.",
        "2 cells have no number.", "failed CoviewError: <loss> is not finite", "missing it has not been run",
        "Mean rank over 3 blocks (a modality, averaged over its seeds)",
        "nt_xent +0.300 +0.300 +0.300", "triplet -0.100 -0.100 -0.100",
        "loss.temperature 0.2 0.9", "loss.use nt_xent nt_xent triplet", "train.batch_size 64 65 66",
        "coview compare recipes/compare/losses.toml", "coview 0.1.0", "libraries torch 2.14.1",
        "image text 1.00 [1.00, 1.00] 3",
    ):  # fmt: skip
        assert words in text, words


def test_the_page_is_self_contained_and_links_the_runs_relatively(written):
    page, html = read(written), written.report.read_text(encoding="utf-8")
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert re.findall(r"url\((?!#)", html) == []
    assert "default-src 'none'" in html
    assert str(written.report.parent) not in html
    files = [link for link in page.links if not link.startswith("#")]
    assert len([link for link in files if link.endswith("report.html")]) == 25
    assert all((written.report.parent / unquote(link)).is_file() for link in files)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_no_colour_of_a_figure_is_left_that_the_page_does_not_set(written):
    html = written.report.read_text(encoding="utf-8")
    assert "#0101" not in html
    assert set(re.findall(r"var\(--([\w-]+)\)", html)) - {"s"} <= set(re.findall(r"--([\w-]+):", html))


def test_the_same_runs_give_the_same_bytes(registry, tmp_path):
    compared = comparison(registry, variants=VARIANTS)
    cells = found(compared, tmp_path / "runs", values(), items=60)
    first = write_comparison_report(compared, cells, tmp_path / "report")
    before = {path.name: path.read_bytes() for path in first.report.parent.iterdir()}
    write_comparison_report(compared, cells, tmp_path / "report")
    assert {path.name: path.read_bytes() for path in first.report.parent.iterdir()} == before
    assert sorted(before) == ["cells.csv", "cells.parquet", "report.html", "table.md", "table.tex"]


def test_the_markdown_table(written):
    lines = written.markdown.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    assert rows[0] == ["", "image", "text", "audio"]
    assert [row[0] for row in rows[2:]] == [*VARIANTS, "untrained control", "raw control", "test items, n"]
    assert rows[2][1].startswith("0.800 [0.7")
    assert rows[4][3] == "0.400"
    assert rows[5][1:] == ["0.500"] * 3
    assert len({len(line) for line in lines if line.startswith("|")}) == 1
    assert written.text == written.markdown.read_text(encoding="utf-8")
    assert any(line.startswith("- **image**: nt_xent is best") for line in lines)
    # three blocks in one order: χ² = 6 with 2 degrees, so p = exp(-3); Demšar's table has q = 2.343 for three
    distance = 2.343 * math.sqrt(3 * 4 / (6 * 3))
    assert (
        f"- **over all**: mean ranks nt_xent 1.00, warm 2.00, triplet 3.00; ranks that lie {distance:.2f} apart differ "
        f"(Nemenyi). Friedman's test: p = {math.exp(-3):.3f}." in lines
    )
    assert "- **image and text**: Kendall's τ between the rankings 1.00 [1.00, 1.00]." in lines


def test_the_latex_table(written):
    text = written.latex.read_text(encoding="utf-8")
    assert "Which loss \\& why? knn/accuracy: mean over seeds and 95 \\% interval. Bold: the highest mean, and" in text
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert {line.count("&") for line in rows} == {3}
    assert rows[1].startswith("nt\\_xent & \\textbf{0.800 [")
    assert "textbf" not in rows[2].split("&")[1] + rows[3].split("&")[1]
    assert text.count("{") == text.count("}")
    assert (text.count("\\begin{"), text.count("\\end{")) == (2, 2)


@pytest.mark.parametrize(
    ("modalities", "variants", "seeds", "words"),
    [
        (("image",), ("nt_xent", "warm"), 1, "Too few seeds (1) to name a winner: at least 2."),
        (("image",), ("nt_xent",), 2, "nt_xent is the only variant"),
        (("image", "text"), ("nt_xent",), 1, "fewer than two variants have a number in both"),
        (("image",), VARIANTS, 3, "not independent blocks"),
    ],
)
def test_small_comparisons_have_a_report(registry, tmp_path, modalities, variants, seeds, words):
    compared = comparison(registry, modalities=modalities, variants=variants, seeds=seeds)
    cells = found(compared, tmp_path / "runs", values(), untrained=None, raw=None)
    text = read(write_comparison_report(compared, cells, tmp_path / "report")).text
    assert words in text
    assert "No untrained control was measured" in text
    assert "nan" not in text.replace("nanoseconds", "")


def test_a_comparison_of_which_nothing_is_done_has_a_report(registry, tmp_path):
    compared = comparison(registry)
    none = {("image", variant): ["it diverged"] * 3 for variant in ("nt_xent", "warm")}
    text = read(write_comparison_report(compared, found(compared, tmp_path, none), tmp_path / "report")).text
    assert "There is no number yet" in text
    assert "6 cells have no number." in text


def test_what_differed_and_what_did_not(registry, tmp_path):
    compared = comparison(registry, modalities=("image", "text"))
    found_ = differences(collect(compared, found(compared, tmp_path, values())))
    assert found_.varied == {"loss.temperature": {"nt_xent": "0.2", "warm": "0.9"}}
    assert found_.between == {"train.batch_size": {"image": "64", "text": "65"}}
    assert found_.fixed["data.use"] == "digits"
    assert "seed" not in found_.fixed


def test_bars_of_the_critical_difference_diagram_join_what_is_near():
    ranks = Ranks(tuple("abcd"), 9, "", np.array([1.2, 3.8, 1.9, 3.1]), 0.01, np.ones((4, 4)), 1.0)
    svg = critical_difference(ranks)
    bars = re.findall(r'<path d="M ([\d.]+) ([\d.]+)\s+L ([\d.]+) ([\d.]+)[^>]*stroke: var\(--variant-1\)', svg)
    assert len(bars) == 2  # a with c, d with b
    (a, _, c, _), (d, _, b, _) = (tuple(map(float, bar)) for bar in bars)
    # each bar sticks out by 0.03 at both ends
    assert (c - a) / (b - d) == pytest.approx((0.7 + 0.06) / (0.7 + 0.06), rel=1e-3)
    assert (d - a) / (c - a) == pytest.approx((3.1 - 1.2) / (0.7 + 0.06), rel=1e-3)
    assert "a 1.20, c 1.90, d 3.10, b 3.80" in svg


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=9))
def test_the_front_is_what_no_other_beats_in_both(points):
    front = [points[index] for index in pareto(points)]
    for one in points:
        beaten = any(o != one and o[0] <= one[0] and o[1] >= one[1] for o in points)
        assert (one in front) != beaten
    assert all(one[0] < other[0] and one[1] < other[1] for one, other in pairwise(front))


def test_the_heat_map_is_strongest_at_the_largest_gain(written):
    html = written.report.read_text(encoding="utf-8")
    cells = re.findall(r'<td class="(better|worse)" style="--s:(\d+)%">([+-][\d.]+)</td>', html)
    assert len(cells) == 9
    for kind, strength, value in cells:
        assert (kind == "better") == (float(value) >= 0)
        assert int(strength) == pytest.approx(70 * abs(float(value)) / 0.3, abs=1.5)
    assert not any(math.isnan(float(value)) for *_, value in cells)


def test_what_train_and_test_have_in_common_is_said(registry, tmp_path):
    compared = comparison(registry)
    cells = found(compared, tmp_path / "runs", values())
    leak = {
        "data": "digits",
        "version": None,
        "exact": 2,
        "near": 0,
        "groups": None,
        "said": "of 100 test samples 2 are in train too",
    }
    for cell in cells:
        document = json.loads(cell.run.results.read_text())
        document["leaks"] = [leak, {**leak, "data": "other", "said": "of another data set"}]
        cell.run.results.write_text(json.dumps(document))
    written = write_comparison_report(compared, cells, tmp_path / "report")
    sentence = "Train and test of digits overlap: of 100 test samples 2 are in train too."
    for page in (written.report, written.markdown):
        text = page.read_text()
        assert text.count(sentence) == 1
        assert "of another data set" not in text


def test_runs_that_were_stopped_are_said(registry, tmp_path):
    compared = comparison(registry)
    cells = found(compared, tmp_path / "runs", values())
    for cell in cells[1:3]:
        document = json.loads(cell.run.results.read_text())
        document["stopped"] = {"by": "early_stopping", "reason": "loss <b> rises", "step": 12}
        cell.run.results.write_text(json.dumps(document))
    written = write_comparison_report(compared, cells, tmp_path / "report")
    assert [cell.cell.levels["loss"] for cell in cells[1:3]] == ["nt_xent", "nt_xent"]
    for page in (written.report, written.markdown):
        assert page.read_text().count("Runs that were stopped before their last step: nt_xent (2).") == 1
    assert written.report.read_text().count("stopped at step 12 by early_stopping: loss &lt;b&gt; rises") == 2


def test_intervals_of_two_seeds_end_where_the_results_say(registry, tmp_path):
    compared = comparison(registry, seeds=2)
    cells = found(compared, tmp_path / "runs", {**values(), ("image", "warm"): [0.9, 0.2]})
    for cell in cells:
        document = json.loads(cell.run.results.read_text())
        document["results"] = [{**row, "bounds": [0.0, None]} for row in document["results"]]
        cell.run.results.write_text(json.dumps(document))
    text = write_comparison_report(compared, cells, tmp_path / "report").markdown.read_text()
    low, high = map(float, re.search(r"warm .*?\[([-\d.]+), ([-\d.]+)\]", text).groups())
    assert low == 0.0
    assert high > 1.0


def test_a_baseline_is_what_each_is_tested_against(registry, tmp_path):
    compared = comparison(registry, variants=VARIANTS).against("warm")
    written = write_comparison_report(compared, found(compared, tmp_path / "runs", values()), tmp_path / "report")
    text = written.markdown.read_text()
    assert "higher is better, and each is tested against warm." in text
    assert "Against warm, 0.700 over 3 seeds: nt_xent (+0.100 [+0.0" in text
    page = " ".join(written.report.read_text().split())
    assert "and each is tested against warm.</p>" in page
    assert "<th>nt_xent</th><th>triplet</th>" not in page.partition("Differences, ")[2].partition("</table>")[0]
    assert "hold for all 2 pairs together" in page


def test_a_number_that_is_better_the_lower_it_is_ranks_so(registry, tmp_path):
    compared = comparison(registry)
    cells = found(compared, tmp_path / "runs", values(), untrained=0.75)
    for cell in cells:
        document = json.loads(cell.run.results.read_text())
        document["results"] = [{**row, "better": "lower"} for row in document["results"]]
        cell.run.results.write_text(json.dumps(document))
    written = write_comparison_report(compared, cells, tmp_path / "report")
    text = written.markdown.read_text()
    assert "lower is better" in text
    assert "warm is best: 0.700, 0.100 below nt_xent" in text
    assert "nt_xent is above the untrained control" in text
    page = " ".join(written.report.read_text().split())
    assert "By knn/accuracy; lower is better." in page
    assert '<td class="better" style="--s:70%">-0.050</td>' in page
    assert '<td class="worse" style="--s:70%">+0.050</td>' in page
