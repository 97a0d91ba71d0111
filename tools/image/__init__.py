"""Build the unmodified Dockerfile without a daemon, on a substitute for its base image.

python -m tools.image build     # what the tests of the image run first
python -m tools.image layers    # how large each layer is
python -m tools.image clean     # removes all but the base; --base removes it, too
"""
