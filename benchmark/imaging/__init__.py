"""Image arithmetic on batches: colour, geometry, filters; no weights, no data, no opinions.

Unless a name says otherwise an image batch is float32, ``[B, 3, H, W]``, sRGB-encoded, in [0, 1].
"""
