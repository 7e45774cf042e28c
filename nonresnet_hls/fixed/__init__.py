"""The exact network: fixed-point types, arithmetic on their integers, streams and layers; free of Keras and hls4ml."""
