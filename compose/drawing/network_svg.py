"""The running project as an SVG: the host above, services in a row, networks as buses below, volumes at the foot.

Rules that keep lines apart: every line leaves a card at a place of its own; on a card the network that
lies deepest is farthest to the left, so that an address written to the right of a line meets no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from compose.drawing.svg import (
    COLOURS,
    STATES,
    box,
    cut,
    cylinder,
    document,
    element,
    number,
    path,
    text,
    width_of,
)

if TYPE_CHECKING:
    from compose.drawing.model import NetworkMap, NetworkNode, ServiceCard

MARGIN, GUTTER, HEAD = 28.0, 196.0, 58.0
CARD, GAP, LINE = 232.0, 34.0, 17.0
PILL, BUS, DRUM = 22.0, 76.0, (150.0, 50.0)
#: So many containers and addresses are listed; the rest is counted.
MOST = 4


class Frame(NamedTuple):
    """Where the rows of the picture lie."""

    band: float  # the height of the host's band
    top: float  # of the cards
    card: float  # the height of a card
    bus: float  # the first network
    drums: float  # the volumes
    width: float
    height: float


def network_svg(picture: NetworkMap) -> str:
    """The picture."""
    order = {one.name: at for at, one in enumerate(picture.networks)}
    cards = sorted(picture.services, key=lambda card: (not card.networks, [order.get(n, 99) for n in card.networks], card.name))  # fmt: skip
    frame = measure(picture, cards)
    left = {card.name: MARGIN + GUTTER + at * (CARD + GAP) for at, card in enumerate(cards)}
    slots = {card.name: slots_of(card, left[card.name], order) for card in cards}
    drums = drum_places(picture.volumes, slots, frame)
    parts = [text(MARGIN, 36, picture.project, "head")]
    parts.append(text(MARGIN + width_of(picture.project, 18) + 16, 36, subtitle(picture), "small"))
    if any(card.ports for card in cards):
        parts.append(host_band(frame))
    parts += [mount_line(slots[c.name][f"volume {v}"], drums[v], frame) for c in cards for v in drums if f"volume {v}" in slots[c.name]]  # fmt: skip
    parts += [bus(network, at, frame) for at, network in enumerate(picture.networks)]
    for card in cards:
        parts += wires(card, slots[card.name], order, frame)
    parts += [drum(name, x, frame) for name, x in drums.items()]
    for card in cards:
        parts += ports(card, left[card.name], frame)
        parts.append(service(card, left[card.name], frame))
    return document(frame.width, frame.height, f"{picture.project}: networks", parts)


def subtitle(picture: NetworkMap) -> str:
    """ "3 services, 2 networks, 1 volume"."""
    counts = (
        (len(picture.services), "service"),
        (len(picture.networks), "network"),
        (len(picture.volumes), "volume"),
    )
    return ", ".join(
        f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count
    )


def measure(picture: NetworkMap, cards: list[ServiceCard]) -> Frame:
    """The rows' places: as much room as the fullest card and column needs."""
    most_ports = max((len(card.ports) for card in cards), default=0)
    band = most_ports * (PILL + 6) + 16 if most_ports else 0
    top = HEAD + band + (30 if band else 0)
    card = 58 + LINE * max((len(facts(one)) for one in cards), default=0)
    first = top + card + 64
    drums = first + len(picture.networks) * BUS - 8
    width = MARGIN * 2 + GUTTER + max(len(cards), 1) * (CARD + GAP) - GAP
    height = drums + (DRUM[1] + 20 if picture.volumes else 0) + MARGIN - 20
    return Frame(band, top, card, first, drums, width, height)


def facts(card: ServiceCard) -> list[tuple[str, str]]:
    """The lines of a card below its image: (text, class)."""
    lines: list[tuple[str, str]] = []
    if len(card.containers) > 1:
        lines += [(f"{one.name}  {one.health or one.state}", "small") for one in card.containers[:MOST]]  # fmt: skip
        rest = len(card.containers) - MOST
        lines += [(f"and {rest} more", "small")] if rest > 0 else []
    if card.mode:
        lines.append((card.mode, "small"))
    for mount in card.mounts:
        source = "memory" if mount.kind == "tmpfs" else cut(mount.name, 78)
        ending = " (ro)" if mount.read_only else ""
        target = cut(mount.target, CARD - 36 - width_of(source + "    " + ending))
        lines.append((f"{source} → {target}{ending}", "mono"))
    return lines


def slots_of(card: ServiceCard, left: float, order: dict[str, int]) -> dict[str, float]:
    """Where each line leaves the card: volumes, then networks from the deepest up."""
    volumes = dict.fromkeys(f"volume {m.name}" for m in card.mounts if m.kind == "volume")
    networks = sorted((n for n in card.networks if n in order), key=lambda n: -order[n])
    names = [*volumes, *networks]
    return {name: left + CARD * (at + 1) / (len(names) + 1) for at, name in enumerate(names)}


def drum_places(
    volumes: list[str], slots: dict[str, dict[str, float]], frame: Frame
) -> dict[str, float]:
    """The left edge of each volume: below those that use it, none upon another."""
    wanted: dict[str, float] = {}
    for name in volumes:
        users = [own[f"volume {name}"] for own in slots.values() if f"volume {name}" in own]
        wanted[name] = sum(users) / len(users) - DRUM[0] / 2
    found: dict[str, float] = {}
    free = MARGIN
    for name in sorted(wanted, key=lambda one: wanted[one]):
        found[name] = max(wanted[name], free)
        free = found[name] + DRUM[0] + 16
    over = free - 16 - (frame.width - MARGIN)
    if over > 0:  # too far to the right: all of them move back together
        found = {name: max(x - over, MARGIN) for name, x in found.items()}
    return found


def host_band(frame: Frame) -> str:
    """The host, on which ports are published."""
    return "".join([
        box(MARGIN, HEAD, frame.width - 2 * MARGIN, frame.band, "band", 10),
        text(MARGIN + 16, HEAD + frame.band / 2, "host", "title"),
        text(MARGIN + 16, HEAD + frame.band / 2 + 15, "published ports", "small"),
    ])  # fmt: skip


def ports(card: ServiceCard, left: float, frame: Frame) -> list[str]:
    """Published ports as pills in the band, and an arrow down to the card."""
    if not card.ports:
        return []
    middle = left + CARD / 2
    end = frame.top - 3
    first = HEAD + frame.band - 8 - len(card.ports) * (PILL + 6) + 6
    parts = [
        path(f"M{number(middle)} {number(first + PILL)} V{number(end - 7)}", "line"),
        element("path", d=f"M{number(middle - 5)} {number(end - 8)} h10 l-5 8 z", class_="tip"),
    ]
    for at, words in enumerate(card.ports):
        y = first + at * (PILL + 6)
        width = min(width_of(words) + 22, CARD)
        parts.append(box(middle - width / 2, y, width, PILL, "port", PILL / 2))
        parts.append(text(middle, y + 15, cut(words, CARD - 16), "port-text", text_anchor="middle"))
    return parts


def service(card: ServiceCard, left: float, frame: Frame) -> str:
    """A card: name, state, image, and the lines of its facts."""
    y = frame.top
    state = card.state
    room = CARD - 30
    count = f" x{len(card.containers)}" if len(card.containers) > 1 else ""
    parts = [
        element("title", f"{card.name}: {state}"),
        box(left, y, CARD, frame.card, "card", 10),
        element("circle", cx=left + 18, cy=y + 20, r=5, fill=STATES.get(state, "#94a3b8")),
        text(left + 32, y + 25, cut(card.name, CARD - 120, 15), "title"),
        text(left + CARD - 14, y + 25, state + count, "small", text_anchor="end"),
        text(left + 16, y + 45, cut(card.image, room), "small"),
    ]
    for at, (words, kind) in enumerate(facts(card)):
        parts.append(text(left + 16, y + 66 + at * LINE, cut(words, room, 11.5), kind))
    return element("g", "".join(parts))


def bus(network: NetworkNode, at: int, frame: Frame) -> str:
    """A network: a bar through the whole picture, what it is to the left."""
    y = frame.bus + at * BUS
    stroke, _, _ = COLOURS[at % len(COLOURS)]
    left = MARGIN + GUTTER - 14
    way = "internal: no way out" if network.internal else f"way out: {network.gateway}" if network.gateway else "no gateway"  # fmt: skip
    what = " · ".join(filter(None, (network.driver, *network.subnets[:1])))
    more = ", ".join(network.subnets[1:])
    return element(
        "g",
        "".join([
            element("title", f"{network.name}: {', '.join(network.subnets)}"),
            element("line", x1=left, y1=y, x2=frame.width - MARGIN, y2=y, stroke=stroke, stroke_width=7, stroke_linecap="round", opacity=0.85),
            text(MARGIN, y - 8, cut(network.key, GUTTER - 24, 15), "title", style=f"fill:{stroke}"),
            text(MARGIN, y + 8, cut(what, GUTTER - 24), "small"),
            text(MARGIN, y + (38 if more else 23), cut(way + (" · external" if network.external else ""), GUTTER - 24), "small"),
            *([text(MARGIN, y + 23, cut(more, GUTTER - 24), "small")] if more else []),
        ]),
    )  # fmt: skip


def wires(
    card: ServiceCard, slots: dict[str, float], order: dict[str, int], frame: Frame
) -> list[str]:
    """From the card down to each of its networks, the addresses beside it."""
    parts: list[str] = []
    bottom = frame.top + frame.card
    for name in card.networks:
        if name not in order:
            continue
        x, y = slots[name], frame.bus + order[name] * BUS
        stroke, _, _ = COLOURS[order[name] % len(COLOURS)]
        found = [
            (one.name, one.addresses[name]) for one in card.containers if one.addresses.get(name)
        ]
        wire = [
            element("title", "\n".join(f"{who}: {', '.join(own)}" for who, own in found)),
            path(f"M{number(x)} {number(bottom)} V{number(y)}", "wire", stroke=stroke),
            element("circle", cx=x, cy=y, r=6.5, fill=stroke),
            element("circle", cx=x, cy=y, r=2.6, fill="#ffffff"),
        ]
        shown = beside(found)
        for at, words in enumerate(shown):
            wire.append(text(x + 9, y - 10 - 13 * (len(shown) - 1 - at), words, "mono halo"))
        parts.append(element("g", "".join(wire)))
    return parts


def beside(found: list[tuple[str, tuple[str, ...]]]) -> list[str]:
    """The two lines of addresses there is room for: both families of one container, or two of many."""
    if len(found) == 1:
        return list(found[0][1])
    first = [own[0] for _, own in found]
    return first if len(first) <= 2 else [first[0], f"and {len(first) - 1} more"]


def mount_line(x: float, drum_left: float, frame: Frame) -> str:
    """From a card down to a volume, behind the networks."""
    bottom, end = frame.top + frame.card, drum_left + DRUM[0] / 2
    low = frame.drums
    steps = f"M{number(x)} {number(bottom)} V{number(low - 26)}"
    if abs(end - x) > 1:
        steps += f" C{number(x)} {number(low - 8)} {number(end)} {number(low - 20)} {number(end)} {number(low + 5)}"  # fmt: skip
    else:
        steps += f" V{number(low + 5)}"
    return path(steps, "mount")


def drum(name: str, x: float, frame: Frame) -> str:
    """A volume."""
    return "".join([
        element("g", element("title", f"volume {name}") + cylinder(x, frame.drums, *DRUM, "volume")),
        text(x + DRUM[0] / 2, frame.drums + 31, cut(name, DRUM[0] - 16, 11.5), "small", text_anchor="middle"),
    ])  # fmt: skip
