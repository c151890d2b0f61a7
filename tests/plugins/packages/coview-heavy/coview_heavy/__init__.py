"""A plugin that imports torch when it is loaded."""

import torch  # noqa: F401

import coview


@coview.hookimpl
def coview_register(registry):
    registry.loss("heavy", "coview_of_a_stranger.parts:Pull", summary=f"from {__name__}")
