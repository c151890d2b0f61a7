"""Files that components need, and that coview's wheels do not contain."""

EFFICIENTNET_LITE0 = "efficientnet-lite0"
"""The name of the resource. It is here so that encoders know it without importing timm."""
