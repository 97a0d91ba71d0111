"""Wyoming: Home Assistant's protocol for voice services, over TCP, on a port of its own.

Its messages are those of the package `wyoming` 1.10 (https://github.com/OHF-Voice/wyoming).
"""
