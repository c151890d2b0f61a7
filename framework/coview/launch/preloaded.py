"""What every run imports, imported once by the server that forks them. It computes nothing: no thread, no device."""

import coview.experiment.run  # noqa: F401
