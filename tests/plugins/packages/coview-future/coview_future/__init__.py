"""A plugin for an interface that this coview does not have."""

import coview

coview_api = 99


@coview.hookimpl
def coview_register(registry):
    registry.loss("later", "coview_of_a_stranger.parts:Pull", summary=f"from {__name__}")
