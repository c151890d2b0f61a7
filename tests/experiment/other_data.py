"""An evaluator that looks at pictures of a folder, whatever the run was trained on."""

KNN_ELSEWHERE = """
[[evaluate]]
use = "knn"
k = 3
data = {{ use = "image_folder", root = "{root}" }}
"""
