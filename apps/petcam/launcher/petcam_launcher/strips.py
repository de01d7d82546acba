"""Reads the frame number that the synthetic room paints into its pictures (camera/strip.hpp)."""

import numpy as np

BLOCK = 8
BLOCKS = 48
WIDTH = BLOCK * BLOCKS
_FIRST_SYNC, _LAST_SYNC = 0b1010, 0b0101


def read_strips(luma: np.ndarray) -> tuple[int | None, int | None]:
    """The numbers top-left and bottom-right of a grey picture; None where no whole strip is."""
    height, width = luma.shape
    left = (width - WIDTH) // BLOCK * BLOCK
    bottom = height // BLOCK * BLOCK
    return (
        read_strip(luma[:BLOCK, :WIDTH]),
        read_strip(luma[bottom - BLOCK : bottom, left : left + WIDTH]),
    )


def read_strip(strip: np.ndarray) -> int | None:
    """The number in 8 x 384 pixels of luma; None when its sync bits or its CRC are wrong."""
    # The four pixels in the middle of each block: a codec's ringing sits at the edges.
    middle = strip.reshape(BLOCK, BLOCKS, BLOCK)[3:5, :, 3:5].mean(axis=(0, 2))
    word = int("".join("1" if value > 127 else "0" for value in middle), 2)
    number = word >> 12 & 0xFFFFFFFF
    wanted = _FIRST_SYNC << 44 | number << 12 | crc8(number) << 4 | _LAST_SYNC
    return number if word == wanted else None


def crc8(number: int) -> int:
    """x^8+x^2+x+1 from 0xff over the four bytes, most significant first."""
    crc = 0xFF
    for byte in number.to_bytes(4, "big"):
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc
