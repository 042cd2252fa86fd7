"""Video and audio files: what is in them, their frames and samples in order, light features of both.

Everything streams: memory does not grow with the length of a recording. Times are
seconds from the file's time zero (see `container.time_zero_s`), the same for frames,
samples, features and the browser.
"""
