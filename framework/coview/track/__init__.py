"""What a run says while it goes on: metrics.jsonl, TensorBoard, the console."""
