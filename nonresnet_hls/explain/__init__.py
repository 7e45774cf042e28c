"""Why hardware and Keras differ, and the cure: both graphs walked side by side, each difference with its reason."""
