"""OpenCV on one thread: loader processes are the parallelism, and threads in each would fight for cores."""

from __future__ import annotations

import cv2

cv2.setNumThreads(0)

__all__ = ["cv2"]
