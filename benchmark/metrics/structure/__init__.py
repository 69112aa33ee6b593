"""Is the structure that a physician looks at still there, and is nothing there that was not?

Specification 5.5. Nothing in here decides what a vessel or a lesion is: that is said by a frozen
judge (:mod:`benchmark.judges`) and by the reference mask that somebody rendered or drew.
"""
