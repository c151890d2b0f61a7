"""The augmentations for a whole batch on its device; each is named after its form for one picture.

Pictures are ``x_RCHW``, uint8 or float32 from 0 to 1, and come out as the latter.  R row · C channel
"""
