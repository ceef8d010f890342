"""tf-keras-vis' models and samples for tests; importing it needs pytest."""

from tf_keras_vis.utils.test import (
    NO_ERROR,
    MockCallback,
    MockLegacyCallback,
    assert_raises,
    dummy_sample,
    mock_conv_model,
    mock_conv_model_with_float32_output,
    mock_conv_model_with_sigmoid_output,
    mock_dense_model,
    mock_multiple_inputs_model,
    mock_multiple_io_model,
    mock_multiple_outputs_model,
    score_with_list,
    score_with_tensor,
    score_with_tuple,
)

__all__ = [
    "NO_ERROR",
    "MockCallback",
    "MockLegacyCallback",
    "assert_raises",
    "dummy_sample",
    "mock_conv_model",
    "mock_conv_model_with_float32_output",
    "mock_conv_model_with_sigmoid_output",
    "mock_dense_model",
    "mock_multiple_inputs_model",
    "mock_multiple_io_model",
    "mock_multiple_outputs_model",
    "score_with_list",
    "score_with_tensor",
    "score_with_tuple",
]
