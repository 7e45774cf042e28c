def test_the_second_copy_of_keras_is_the_first():
    import keras
    import qkeras
    import tensorflow as tf
    import tf_keras

    from nonresnet_hls import one_keras

    assert tf_keras is keras
    assert qkeras.QConv2D.__mro__[1] is tf.keras.layers.Conv2D
    assert one_keras.is_single()
