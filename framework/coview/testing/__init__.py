"""The conformance kit: whether a component keeps the promises that its kind makes. For plugin authors' own tests.

from coview.testing import check_loss

def test_my_loss():
    check_loss(MyLoss)

The public names are listed in ``__init__.pyi`` and imported on first use (PEP 562), so that another interpreter, in
which a check calls a function, imports what that function needs and no other check.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
