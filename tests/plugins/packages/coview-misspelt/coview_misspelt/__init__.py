"""A plugin whose hook has a name that coview does not know."""

import coview


@coview.hookimpl
def coview_rgeister(registry):
    registry.loss("m", "coview_of_a_stranger.parts:Pull", summary=f"from {__name__}")
