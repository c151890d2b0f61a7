"""A plugin whose own name another one has too."""

import coview


@coview.hookimpl
def coview_register(registry):
    registry.loss("twin_one", "coview_of_a_stranger.parts:Pull", summary=f"from {__name__}")
