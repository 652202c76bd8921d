"""The paper's figure as a file list: video or audio encoder -> temporal module -> (identity) -> decoder, in model.py.

B clips   F video frames   M mel frames   D code size   C channels   H, W picture height and width
"""
