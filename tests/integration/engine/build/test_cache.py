"""The build cache by content; reproducible images; what pruning takes and leaves."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.integration.engine.build.builds import tar_of

if TYPE_CHECKING:
    from tests.integration.engine.build.builds import Site

pytestmark = pytest.mark.root
BASE = "FROM busybox:bench\n"


def test_comments_and_times_do_not_invalidate(site: Site) -> None:
    text = BASE + "COPY a /a\nRUN cat /a # cache-by-content\n"
    first = site.made(text, {"a": "1"})
    context = tar_of(
        {"Dockerfile": "# new comment\n" + text, "a": "1", "other": "x"}, mtime=1_800_000_000
    )
    again = site.build("", context=context)
    assert again.made == []
    assert again.image == first.image
    assert len(site.made(text, {"a": "2"}).made) == 2
    assert len(site.made(text, {"a": ("1", 0o600)}).made) == 2  # a mode is content


def test_the_same_steps_are_shared_by_other_names_and_contexts(site: Site) -> None:
    site.made(BASE + "RUN echo shared-step > /x\n", t="one:1")
    told = site.made(
        "FROM busybox:bench AS renamed\nLABEL x=y\nRUN echo shared-step > /x\nENV Z=1\n", t="two:1"
    )
    assert told.made == []


def test_what_a_run_reads_is_in_its_key(site: Site) -> None:
    text = BASE + "ARG A\nENV B={0}\nUSER {1}\nRUN echo key-of-run > /dev/null\n"
    site.made(text.format("1", "0"), args={"A": "1"})
    assert site.made(text.format("1", "0"), args={"A": "1"}).made == []
    assert site.made(text.format("1", "0"), args={"A": "2"}).made
    assert site.made(text.format("2", "0"), args={"A": "1"}).made
    assert site.made(text.format("1", "5"), args={"A": "1"}).made


def test_no_cache_for_all_and_for_one_stage(site: Site) -> None:
    text = "FROM busybox:bench AS first\nRUN echo nc-1 > /1\nFROM busybox:bench AS second\nRUN echo nc-2 > /2\nCOPY --from=first /1 /1\n"
    site.made(text)
    assert len(site.made(text, nocache=1).made) == 3
    told = site.made(text, inputs={"no_cache_filter": ["first"]})
    assert told.made == ["[first 2/2] RUN echo nc-1 > /1"]


def test_two_builds_from_nothing_give_the_same_image(site: Site) -> None:
    text = (
        BASE
        + "RUN echo repro > /r && busybox mkdir /made\nWORKDIR /w/x\nCOPY a /a\nENV X=1\nLABEL l=1\n"
    )
    arguments = {"SOURCE_DATE_EPOCH": "1234567890"}
    first = site.made(text, {"a": "1"}, nocache=1, args=arguments)
    second = site.build(
        "",
        context=tar_of({"a": "1", "Dockerfile": text}, mtime=1_800_000_000),
        nocache=1,
        args=arguments,
    )
    assert len(second.made) == 3
    assert first.image == second.image
    document = site.call("GET", f"/images/{first.image}/json")
    assert document["Created"].startswith("2009-02-13T23:31:30")
    times = {
        entry.mtime
        for name, entry in site.files(first.image).items()
        if name.split("/")[0] in ("r", "made", "w", "a")
    }
    assert times == {1234567890}


def test_the_same_step_in_two_builds_at_once_is_done_once(site: Site) -> None:
    text = BASE + "RUN sleep 0.5; echo twin > /x\n"
    found = []
    threads = [threading.Thread(target=lambda: found.append(site.made(text))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(told.made) for told in found) == [0, 1]
    assert found[0].image == found[1].image


def test_images_gone_leave_the_cache_and_prune_takes_it(site: Site) -> None:
    text = BASE + "RUN echo kept-by-cache > /x\n"
    site.made(text, t="gone:1")
    site.call("DELETE", "/images/gone:1")
    site.call("POST", "/images/prune")
    assert site.made(text).made == []
    usage = site.call("GET", "/system/df")["BuildCache"]
    record = next(one for one in usage if "kept-by-cache" in one["Description"])
    assert record["Type"] == "regular"
    assert record["Size"] > 0
    assert site.prune(description=["no such step"])["CachesDeleted"] is None
    assert site.prune(until=["1h"])["CachesDeleted"] is None
    assert site.prune(description=["kept-by-cache"])["CachesDeleted"]
    site.call("POST", "/images/prune")
    assert site.made(text).made


def test_prune_without_all_spares_what_images_use(site: Site) -> None:
    text = BASE + "RUN echo used-by-image > /x\n"
    site.made(text, t="keeper:1")
    site.call("POST", "/build/prune")
    assert site.made(text).made == []
    assert site.read("keeper:1", "x") == "used-by-image\n"


def test_an_unknown_filter_is_named(site: Site) -> None:
    connection = site.connection()
    connection.request(
        "POST", f"/build/prune?filters={json.dumps({'wat': ['1']}).replace(' ', '')}"
    )
    answer = connection.getresponse()
    assert answer.status == 400
    assert "wat" in answer.read().decode()
    connection.close()


def test_a_damaged_cache_is_made_again(site: Site) -> None:
    text = BASE + "RUN echo damaged > /x\n"
    before = set((site.engine.folder / "root/layers").iterdir())
    site.made(text)
    (new,) = set((site.engine.folder / "root/layers").iterdir()) - before
    new.rename(new.with_name("elsewhere"))
    try:
        assert site.made(text).made
    finally:
        new.with_name("elsewhere").rename(new.with_name("aside"))


def test_a_quiet_build_tells_the_id(site: Site) -> None:
    told = site.build(BASE + "RUN echo loud\n", q=1)
    assert told.text.strip().startswith("sha256:")
    assert len(told.messages) == 1


def test_the_classic_stream(site: Site) -> None:
    told = site.made(
        "FROM busybox:bench AS a\nRUN echo in-a\nFROM busybox:bench\nRUN echo in-b\nCOPY --from=a /bin/sh /s\n",
        progress="",
        t="classic:1",
    )
    lines = told.text.splitlines()
    steps = [line for line in lines if line.startswith("Step ")]
    assert steps[0] == "Step 1/5 : FROM busybox:bench AS a"
    assert [step.split()[1] for step in steps] == ["1/5", "2/5", "3/5", "4/5", "5/5"]
    assert lines.index("in-a") < lines.index("in-b")
    assert lines[-1] == "Successfully tagged classic:1"
    assert lines[-2] == f"Successfully built {told.image[7:19]}"
