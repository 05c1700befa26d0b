"""Draws a monster from a name: the same name gives the same picture, byte for byte."""

import colorsys
import hashlib
import io
import math
import random
from itertools import pairwise

from PIL import Image, ImageDraw

#: Everything is drawn this many times larger and scaled down: smooth edges.
OVERSAMPLING = 4
#: The canvas that the shapes below are written for.
UNIT = 240


class Pencil:
    """Draws in UNIT coordinates, mirrored where monsters are."""

    def __init__(self, size):
        self.scale = size * OVERSAMPLING / UNIT
        side = size * OVERSAMPLING
        self.image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)

    def disc(self, x, y, radius, fill, squash=1.0):
        box = (x - radius, y - radius * squash, x + radius, y + radius * squash)
        self.draw.ellipse([value * self.scale for value in box], fill=fill)

    def shape(self, points, fill):
        self.draw.polygon([(x * self.scale, y * self.scale) for x, y in points], fill=fill)

    def limb(self, points, width, fill):
        for (x0, y0), (x1, y1) in pairwise(points):
            for step in range(25):
                at = step / 24
                self.disc(x0 + (x1 - x0) * at, y0 + (y1 - y0) * at, width / 2, fill)

    def arc(self, box, start, end, fill, width):
        self.draw.arc(
            [value * self.scale for value in box], start, end, fill, round(width * self.scale)
        )


def draw(name, size=240):
    """The PNG bytes of a name's monster, `size` pixels square."""
    dice = random.Random(hashlib.sha256(name.encode()).digest())
    pencil = Pencil(size)
    hue = dice.random()
    skin, dark, light = tone(hue, 0.55, 0.92), tone(hue, 0.65, 0.70), tone(hue, 0.28, 1.0)
    accent = tone(hue + dice.choice((0.33, 0.5, 0.66)), 0.6, 0.95)

    pencil.disc(120, 120, 118, tone(hue + 0.5, 0.13, 1.0))
    pencil.disc(120, 216, 62, tone(hue + 0.5, 0.22, 0.86), squash=0.14)
    body = outline(dice)
    limbs(pencil, dice, dark)
    headgear(pencil, dice, dark, accent)
    pencil.shape(body, skin)
    belly(pencil, dice, light, dark)
    eyes(pencil, dice)
    mouth(pencil, dice, dark)

    picture = pencil.image.resize((size, size), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def tone(hue, saturation, value):
    """A colour with hue on the unit circle."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return (round(red * 255), round(green * 255), round(blue * 255), 255)


def outline(dice):
    """A soft, left-right symmetric blob around the middle, or a furry one."""
    width, height = dice.uniform(52, 68), dice.uniform(62, 74)
    square = dice.uniform(1.9, 3.2)
    fur = dice.choice((0.0, 0.0, 3.2))
    points = []
    for step in range(360):
        angle = math.radians(step)
        x = math.copysign(abs(math.cos(angle)) ** (2 / square), math.cos(angle))
        y = math.copysign(abs(math.sin(angle)) ** (2 / square), math.sin(angle))
        swell = 1.0 + 0.12 * max(y, 0.0)
        ruffle = fur * (1 if step % 12 < 6 else -1)
        points.append((120 + x * (width + ruffle) * swell, 132 + y * (height + ruffle)))
    return points


def limbs(pencil, dice, colour):
    """Two arms that hang, wave or stretch, and two to four feet."""
    lift = dice.choice((-46, -18, 26, 40))
    for side in (-1, 1):
        up = lift if side > 0 or lift > 0 else -lift
        pencil.limb(
            [(120 + side * 48, 140), (120 + side * 76, 146 + up / 3), (120 + side * 92, 140 + up)],
            15,
            colour,
        )
        pencil.disc(120 + side * 92, 140 + up, 11, colour)
    spread = (26,) if dice.random() < 0.7 else (16, 44)
    for offset in spread:
        for side in (-1, 1):
            pencil.limb([(120 + side * offset, 186), (120 + side * offset, 210)], 18, colour)
            pencil.disc(120 + side * (offset + 5), 212, 14, colour, squash=0.6)


def headgear(pencil, dice, dark, accent):
    """Horns, antennae, ears or a crest."""
    kind = dice.choice(("horns", "antennae", "ears", "crest"))
    for side in (-1, 1):
        if kind == "horns":
            pencil.shape(
                [(120 + side * 22, 80), (120 + side * 58, 36), (120 + side * 52, 92)], accent
            )
        elif kind == "antennae":
            pencil.limb([(120 + side * 20, 80), (120 + side * 30, 34)], 6, dark)
            pencil.disc(120 + side * 30, 32, 10, accent)
        elif kind == "ears":
            pencil.disc(120 + side * 48, 74, 24, dark)
            pencil.disc(120 + side * 48, 74, 13, accent)
    if kind == "crest":
        for offset, height in ((-30, 46), (-15, 34), (0, 26), (15, 34), (30, 46)):
            pencil.shape([(108 + offset, 84), (120 + offset, height), (132 + offset, 84)], accent)


def belly(pencil, dice, light, dark):
    """A light belly, spots, or stripes."""
    kind = dice.choice(("belly", "spots", "stripes"))
    if kind == "belly":
        pencil.disc(120, 178, 36, light, squash=0.62)
    elif kind == "spots":
        for _ in range(7):
            x, y = dice.uniform(84, 156), dice.uniform(165, 190)
            pencil.disc(x, y, dice.uniform(3, 7), dark)
    else:
        for y in (168, 180, 192):
            pencil.limb([(88, y), (152, y)], 5, light)


def eyes(pencil, dice):
    """One big eye, two, or three in a row; all look the same way."""
    count = dice.choice((1, 2, 2, 2, 3))
    radius = {1: 26, 2: 18, 3: 14}[count]
    look_x, look_y = dice.uniform(-0.35, 0.35), dice.uniform(-0.2, 0.35)
    iris = tone(dice.random(), 0.7, 0.6)
    gap = radius * 2 + 4
    for number in range(count):
        x = 120 + (number - (count - 1) / 2) * gap
        pencil.disc(x, 112, radius, (255, 255, 255, 255))
        px, py = x + look_x * radius, 112 + look_y * radius
        pencil.disc(px, py, radius * 0.55, iris)
        pencil.disc(px, py, radius * 0.30, (20, 20, 30, 255))
        pencil.disc(px - radius * 0.18, py - radius * 0.2, radius * 0.14, (255, 255, 255, 255))


def mouth(pencil, dice, dark):
    """A grin with teeth, a fanged smile, or a surprised O."""
    kind = dice.choice(("grin", "fangs", "oh"))
    night, white = (60, 20, 40, 255), (255, 255, 255, 255)
    if kind == "oh":
        pencil.disc(120, 152, 11, night, squash=1.1)
        pencil.disc(120, 157, 7, (230, 90, 110, 255), squash=0.6)
    elif kind == "grin":
        half = dice.uniform(24, 34)
        smile = [
            (120 + half * math.cos(math.radians(a)), 144 + 20 * math.sin(math.radians(a)))
            for a in range(181)
        ]
        pencil.shape(smile, night)
        for number in range(4):
            left = 120 - half * 0.72 + number * half * 0.37
            pencil.shape(
                [(left, 144), (left + half * 0.3, 144), (left + half * 0.3, 150), (left, 150)],
                white,
            )
    else:
        half = dice.uniform(22, 30)
        pencil.arc((120 - half, 130, 120 + half, 160), 15, 165, dark, 5)
        for side in (-1, 1):
            x = 120 + side * half * 0.55
            pencil.shape([(x - 5, 156), (x + 5, 156), (x, 168)], white)
