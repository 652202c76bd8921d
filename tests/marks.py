"""Landmarks of made-up faces at known places."""

from __future__ import annotations

import cv2
import numpy as np

from v2sbench.prepare.landmarks import MEAN_FACE, MOUTH, STABLE


def mean_landmarks():
    """(68, 2) landmarks whose stable points are the mean face in mm, and whose lips centre on its mouth."""
    points = np.zeros((68, 2))
    points[list(STABLE)] = MEAN_FACE
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    points[MOUTH] = np.stack([-26.25 * np.cos(angles), 68 + 8 * np.sin(angles)], axis=1)
    points[[48, 54]] = MEAN_FACE[-2:]
    points[MOUTH] += [0, 68] - points[MOUTH].mean(axis=0)
    points[[48, 54]] = MEAN_FACE[-2:]
    return points


def turned(points, scale, degrees, shift):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift


def applied(warp, points):
    return points @ warp[:, :2].T + warp[:, 2]


def picture_of(points, shape=(288, 360)):
    """A grey picture with a white disc at the mouth's centre."""
    picture = np.full(shape, 40, np.uint8)
    cv2.circle(picture, [round(value) for value in points[MOUTH].mean(axis=0)], 5, 255, -1)
    return picture
