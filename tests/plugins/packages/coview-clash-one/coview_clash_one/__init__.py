"""A plugin that registers a loss of a name that another one registers too."""

import coview


@coview.hookimpl
def coview_register(registry):
    registry.loss("clash", "coview_of_a_stranger.parts:Pull", summary=f"from {__name__}")
