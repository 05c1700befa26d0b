"""The running project as an SVG: the host above, services in a row, networks as buses below, volumes at the foot.

Many services make several such rows, each with the networks that its services are on; a network has one
colour in all of them. Rules that keep lines apart: every line leaves a card at a place of its own; on a card the network that
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
from compose.model.record import changed

if TYPE_CHECKING:
    from compose.drawing.model import NetworkMap, NetworkNode, ServiceCard

MARGIN, GUTTER, HEAD = 28.0, 196.0, 58.0
CARD, GAP, LINE = 232.0, 34.0, 17.0
PILL, BUS, DRUM = 22.0, 76.0, (150.0, 50.0)
#: So many containers and addresses are listed; the rest is counted.
MOST = 4
#: So many cards are side by side at the most: what a screen shows.
ROW = 6


class Frame(NamedTuple):
    """Where a row's parts lie; `lanes` are its networks from above, by name, `colours` those of all."""

    head: float
    band: float  # the height of the host's band
    top: float  # of the cards
    card: float  # the height of a card
    bus: float  # the first network
    drums: float  # the volumes
    width: float
    end: float
    lanes: dict[str, int]
    colours: dict[str, str]


def network_svg(picture: NetworkMap) -> str:
    """The picture."""
    parts = [text(MARGIN, 36, picture.project, "head")]
    parts.append(text(MARGIN + width_of(picture.project, 18) + 16, 36, subtitle(picture), "small"))
    colours = {one.name: COLOURS[at % len(COLOURS)][0] for at, one in enumerate(picture.networks)}
    rows = in_rows(picture)
    end, across = HEAD, max(len(rows[0].services), 1)
    width = MARGIN * 2 + GUTTER + across * (CARD + GAP) - GAP
    for row in rows:
        frame = measure(row, end, width, colours)
        parts += drawn(row, frame)
        end = frame.end
    return document(width, end, f"{picture.project}: networks", parts)


def in_rows(picture: NetworkMap) -> list[NetworkMap]:
    """The picture cut into rows of about as many services; in each those of the same networks are together.

    A network that no service is on is in the last.
    """
    order = {one.name: at for at, one in enumerate(picture.networks)}
    cards = sorted(picture.services, key=lambda card: (not card.networks, [order.get(n, 99) for n in card.networks], card.name))  # fmt: skip
    count = max(-(-len(cards) // ROW), 1)
    size = max(-(-len(cards) // count), 1)
    rows = [cards[at * size : (at + 1) * size] for at in range(count)]
    used = [{name for card in row for name in card.networks} for row in rows]
    used[-1] |= order.keys() - set().union(*used)
    return [
        changed(
            picture,
            services=tuple(row),
            networks=tuple(one for one in picture.networks if one.name in names),
        )
        for row, names in zip(rows, used, strict=True)
    ]


def volumes_of(card: ServiceCard) -> list[str]:
    """The volumes that a service has mounted, each once."""
    return list(dict.fromkeys(mount.name for mount in card.mounts if mount.kind == "volume"))


def volume_slot(name: str) -> str:
    """What the place is called at which a volume's line leaves a card."""
    return f"volume {name}"


def drawn(row: NetworkMap, frame: Frame) -> list[str]:
    """One row of services with all that belongs to it."""
    cards = row.services
    left = {card.name: MARGIN + GUTTER + at * (CARD + GAP) for at, card in enumerate(cards)}
    slots = {card.name: slots_of(card, left[card.name], frame.lanes) for card in cards}
    drums = drum_places(row.volumes, slots, frame)
    parts = [host_band(frame)] if frame.band else []
    parts += [mount_line(slots[c.name][volume_slot(v)], drums[v], frame) for c in cards for v in drums if volume_slot(v) in slots[c.name]]  # fmt: skip
    parts += [bus(network, frame) for network in row.networks]
    for card in cards:
        parts += wires(card, slots[card.name], frame)
    parts += [drum(name, x, frame) for name, x in drums.items()]
    for card in cards:
        parts += ports(card, left[card.name], frame)
        parts.append(service(card, left[card.name], frame))
    return parts


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


def measure(row: NetworkMap, head: float, width: float, colours: dict[str, str]) -> Frame:
    """A row's places from `head` down: as much room as its fullest card needs."""
    cards = row.services
    most_ports = max((len(card.ports) for card in cards), default=0)
    band = most_ports * (PILL + 6) + 16 if most_ports else 0
    top = head + band + (30 if band else 0)
    card = 58 + LINE * max((len(facts(one)) for one in cards), default=0)
    first = top + card + 64
    drums = first + len(row.networks) * BUS - 8
    end = drums + (DRUM[1] + 20 if row.volumes else 0) + MARGIN - 20
    lanes = {one.name: at for at, one in enumerate(row.networks)}
    return Frame(head, band, top, card, first, drums, width, end, lanes, colours)


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
    volumes = map(volume_slot, volumes_of(card))
    networks = sorted((n for n in card.networks if n in order), key=lambda n: -order[n])
    names = [*volumes, *networks]
    return {name: left + CARD * (at + 1) / (len(names) + 1) for at, name in enumerate(names)}


def drum_places(
    volumes: list[str], slots: dict[str, dict[str, float]], frame: Frame
) -> dict[str, float]:
    """The left edge of each volume: below those that use it, none upon another."""
    wanted: dict[str, float] = {}
    for name in volumes:
        users = [own[volume_slot(name)] for own in slots.values() if volume_slot(name) in own]
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
        box(MARGIN, frame.head, frame.width - 2 * MARGIN, frame.band, "band", 10),
        text(MARGIN + 16, frame.head + frame.band / 2, "host", "title"),
        text(MARGIN + 16, frame.head + frame.band / 2 + 15, "published ports", "small"),
    ])  # fmt: skip


def ports(card: ServiceCard, left: float, frame: Frame) -> list[str]:
    """Published ports as pills in the band, and an arrow down to the card."""
    if not card.ports:
        return []
    middle = left + CARD / 2
    end = frame.top - 3
    first = frame.head + frame.band - 8 - len(card.ports) * (PILL + 6) + 6
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


def bus(network: NetworkNode, frame: Frame) -> str:
    """A network: a bar through the whole row, what it is to the left."""
    y = frame.bus + frame.lanes[network.name] * BUS
    stroke = frame.colours[network.name]
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


def wires(card: ServiceCard, slots: dict[str, float], frame: Frame) -> list[str]:
    """From the card down to each of its networks, the addresses beside it."""
    parts: list[str] = []
    bottom = frame.top + frame.card
    for name in card.networks:
        if name not in frame.lanes:
            continue
        x, y = slots[name], frame.bus + frame.lanes[name] * BUS
        stroke = frame.colours[name]
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
