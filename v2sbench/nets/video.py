"""Video encoder: 3D convolution stem and 2D ResNet-18 over mouth crops, the group's lip-reading front end (assumed)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from v2sbench.nets.cards import VideoEncoderArch

GREY_MEAN, GREY_STD = 0.421, 0.165
"""Normalisation of grey mouth crops (values / 255) in the group's lip-reading work (assumed)."""


class BasicBlock(nn.Module):
    """ResNet v1 basic block with PReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.act1 = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.act2 = nn.PReLU(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        inner = self.act1(self.norm1(self.conv1(x)))
        return self.act2(self.norm2(self.conv2(inner)) + self.shortcut(x))  # type: ignore[no-any-return]


class VideoEncoder(nn.Module):
    """(B, F, H, W) uint8 grey crops -> (B, F, dim) codes."""

    def __init__(self, arch: VideoEncoderArch) -> None:
        super().__init__()
        width = arch.width
        self.pool = arch.pool
        self.stem = nn.Conv3d(1, width, (5, 7, 7), (1, 2, 2), (2, 3, 3), bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        self.stem_act = nn.PReLU(width)
        self.stem_pool = nn.MaxPool2d(3, 2, 1)
        self.stages = nn.Sequential(*_stages(width, arch.blocks))
        self.project = nn.Linear(width << (len(arch.blocks) - 1), arch.dim)

    def forward(self, crops: Tensor, mask: Tensor | None) -> Tensor:
        """crops: (B, F, H, W) uint8; mask: (B, F) bool or None when all is valid -> (B, F, dim), zero outside."""
        x = (crops.float() / 255.0 - GREY_MEAN) / GREY_STD
        if self.pool > 1:
            x = nn.functional.avg_pool2d(x, self.pool)
        if mask is not None:
            x = x * mask[:, :, None, None]
        x = self.stem(x[:, None]).transpose(1, 2)
        x = x.flatten(0, 1) if mask is None else x[mask]  # (N valid frames, C, H, W): padding costs nothing from here
        x = self.stem_pool(self.stem_act(self.stem_norm(x)))
        codes = self.project(self.stages(x).mean(dim=(2, 3)))
        if mask is None:
            return codes.view(*crops.shape[:2], -1)  # type: ignore[no-any-return]
        return codes.new_zeros(*mask.shape, codes.shape[-1]).masked_scatter(mask[..., None], codes)  # type: ignore[no-any-return]


def _stages(width: int, blocks: Sequence[int]) -> list[nn.Module]:
    """Stages of basic blocks; each after the first halves the picture and doubles the channels."""
    layers: list[nn.Module] = []
    inputs = width
    for stage, count in enumerate(blocks):
        outputs = width << stage
        for index in range(count):
            layers.append(BasicBlock(inputs, outputs, 2 if stage and not index else 1))
            inputs = outputs
    return layers
