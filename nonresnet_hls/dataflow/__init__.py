"""Streams of an hls4ml io_stream design: when their tokens move, how deep they must be, what they cost."""
