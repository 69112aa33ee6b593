"""Systems from elsewhere: pictures that were made before, code, ONNX files, spandrel's networks.

Each module needs no more than its own library, and that only when it is used.
"""
