"""A component's source is its module and what that imports of its plugin, and nothing else."""

import sys
import zipfile

import pytest

from coview.plugins.source_hash import source_hash

FILES = {
    "shop/__init__.py": "",
    "shop/net.py": "from shop.parts import block\nfrom . import sizes\nimport json\nclass Net: pass\n",
    "shop/parts/__init__.py": "",
    "shop/parts/block.py": "from ..sizes import WIDTH\n",
    "shop/sizes.py": "WIDTH = 8\n",
    "shop/loss.py": "class Loss: pass\n",
    "other.py": "class Other: pass\n",
}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Writes the plugin with something added to some files, and hashes a target of it."""
    monkeypatch.syspath_prepend(tmp_path)

    def hashed(target="shop.net:Net", **added):
        for name, text in FILES.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + added.get(path.stem, ""))
        source_hash.cache_clear()
        return source_hash(target, "shop")

    yield hashed
    source_hash.cache_clear()


@pytest.mark.parametrize("module", ["net", "block", "sizes"])
def test_what_the_component_rests_on_counts(shop, module):
    before = shop()
    assert len(before) == 12
    assert shop() == before
    assert shop(**{module: "x = 1\n"}) != before


@pytest.mark.parametrize("module", ["loss", "other"])
def test_what_it_does_not_rest_on_counts_not(shop, module):
    assert shop(**{module: "x = 1\n"}) == shop()


def test_a_target_outside_of_its_plugin_is_its_module_alone(shop):
    assert shop("other:Other") != shop("shop.loss:Loss")
    assert shop("other:Other", sizes="x = 1\n") == shop("other:Other")


def test_what_cannot_be_parsed_still_counts_and_what_is_not_there_is_empty(shop):
    assert shop(net="def f(:\n") != shop(net="def g(:\n")
    assert shop("shop.nothing:Net") == ""


def test_a_module_in_an_archive_counts_as_one_in_a_folder(shop, tmp_path, monkeypatch):
    hashes = []
    for folder, width in (("a", 8), ("b", 9)):
        archive = tmp_path / f"{folder}.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("stall/__init__.py", "")
            file.writestr("stall/net.py", "from .sizes import WIDTH\n")
            file.writestr("stall/sizes.py", f"WIDTH = {width}\n")
        with monkeypatch.context() as patched:
            patched.syspath_prepend(archive)
            source_hash.cache_clear()
            hashes.append(source_hash("stall.net:Net", "stall"))
    assert len(set(hashes)) == 2
    assert all(len(each) == 12 for each in hashes)


def test_nothing_is_imported_to_be_hashed(shop, tmp_path):
    """A module that is imported only where a library is there must not be imported for its hash."""
    gui = tmp_path / "shop" / "gui"
    gui.mkdir(parents=True)
    (gui / "__init__.py").write_text("raise RuntimeError('no display')\n")
    (gui / "window.py").write_text("size = 1\n")
    before = shop(net="from shop.gui import window\n")
    (gui / "window.py").write_text("size = 2\n")
    assert shop(net="from shop.gui import window\n") != before
    assert not [name for name in sys.modules if name.partition(".")[0] == "shop"]
