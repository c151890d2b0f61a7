"""coview: one self-supervised-learning question across image, text and audio.

The public names are listed in ``__init__.pyi`` and imported on first use (PEP 562), so that ``import coview`` costs
nothing and a plugin's module, which needs only ``coview.hookimpl``, does not drag torch in.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
