"""A training small enough for tests, run in a process of its own so that it can be killed.

python killable.py CHECKPOINT [STOP_AFTER_BATCHES] prints the digest of the final weights.
"""

import hashlib
import os
import signal
import sys
from pathlib import Path

from nonresnet_hls import networks
from nonresnet_hls.recipe import Dataset, DatasetName, Schedule, SkipStyle, Training
from nonresnet_hls.training import datasets, fit

CONFIG = Training(
    epochs=6, batch_size=128, augment=True, flip=False, jitter=0.4, mixup=0.2, mixup_tail=2,
    schedule=Schedule.ONE_CYCLE, test_every=3, seed=5,
)  # fmt: skip


def main(checkpoint: Path, stop_after: int | None) -> None:
    from tensorflow import keras

    class Killed(keras.callbacks.Callback):
        batches = 0

        def on_train_batch_end(self, batch, logs=None):
            self.batches += 1
            if self.batches == stop_after:
                os.kill(os.getpid(), signal.SIGKILL)

    data = datasets.load(Dataset(DatasetName.DIGITS))
    plain = networks.resnet(SkipStyle.SHORT, (8, 8, 1), 10, (4, 8), 1, seed=5)
    # Random layers have a state of their own.
    model = keras.Model(plain.input, keras.layers.Dropout(0.2, name="dropout")(plain.output))
    fit.fit(model, data, CONFIG, checkpoint, label="test", callbacks=[Killed()])
    print(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
