"""The kernel's memory: objects are counted where they can be, merged caches once, and other programs are noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import memory
from bench.memory import Cache, Growth, Memory

HEAD = "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab>\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One on which the caches of epoll's entries and of ports are one, and nothing is known of the others."""
    monkeypatch.setattr(memory, "SLABINFO", tmp_path / "slabinfo")
    monkeypatch.setattr(memory, "CACHES", tmp_path / "caches")
    (tmp_path / "caches").mkdir()
    for name in ("eventpoll_epi", "tcp_bind_bucket", "tcp_bind2_bucket", "fib6_node"):
        (tmp_path / "caches" / name).symlink_to(":A-0000128")
    (tmp_path / "caches" / "eventpoll_pwq").symlink_to(":A-0000064")
    (tmp_path / "caches" / "anon_vma_chain").symlink_to(":A-0000064")
    (tmp_path / "caches" / "TCP").mkdir()
    return tmp_path


def look(machine: Path, **objects: tuple[int, int]) -> memory.Caches:
    lines = [f"{name} {count} 9999 {size} 21 1 : tunables 0 0 0" for name, (count, size) in objects.items()]
    (machine / "slabinfo").write_text(HEAD + "\n".join(lines) + "\n")
    found = memory.counted()
    assert found is not None
    return found


def test_merged_caches_are_found_by_another_name_and_counted_once(machine: Path) -> None:
    sizes = {"TCP": 2368, "fib6_node": 128, "anon_vma_chain": 64, "mm_struct": 1472}
    then = look(machine, **{name: (100, size) for name, size in sizes.items()})
    grown = {"TCP": 2100, "fib6_node": 3100, "anon_vma_chain": 1100, "mm_struct": 5000}
    now = look(machine, **{name: (grown[name], size) for name, size in sizes.items()})
    assert now["TCP"] == Cache(2100, 2368)
    added = memory.added(then, now, memory.OF_SOCKETS)
    assert added == {"TCP": Cache(2000, 2368), "fib6_node": Cache(3000, 128), "anon_vma_chain": Cache(1000, 64)}
    assert memory.objects_of(added) == 6000
    assert memory.bytes_of(added) == 2000 * 2368 + 3000 * 128 + 1000 * 64


def test_a_cache_that_was_not_there_before_began_at_nothing(machine: Path) -> None:
    then, now = look(machine, filp=(5, 192)), look(machine, filp=(5, 192), TCP=(7, 2368))
    assert memory.added(then, now, memory.OF_SOCKETS) == {"filp": Cache(0, 192), "TCP": Cache(7, 2368)}


def test_a_file_has_one_directory_entry_whatever_others_look_up(machine: Path) -> None:
    then, now = look(machine, filp=(5, 256), dentry=(900, 192)), look(machine, filp=(25, 256), dentry=(99, 192))
    assert memory.added(then, now, memory.OF_FILES) == {"filp": Cache(20, 256), "dentry": Cache(20, 192)}


@pytest.mark.parametrize("text", (None, "slabinfo - version: 2.1\nTCP many 9 2368\n", "TCP 7\n"))
def test_what_cannot_be_read_is_not_counted(machine: Path, text: str | None) -> None:
    if text is not None:
        (machine / "slabinfo").write_text(text)
    assert memory.counted() is None


CACHES = {"TCP": Cache(40, 1000), "dentry": Cache(50, 100), "kmalloc-512": Cache(9000, 512)}
THEN = Memory(0, 0, slab=1_000_000, buffers=0, sockets=30, caches={name: Cache(0, 1) for name in CACHES})
NOW = Memory(0, 0, slab=1_500_000, buffers=4000, sockets=50, caches=CACHES)


def test_growth_is_what_the_sockets_need_and_their_buffers(machine: Path) -> None:
    assert memory.growth(THEN, NOW, 10) == Growth(bytes=(40 * 1000 + 50 * 100 + 4000) / 10, objects=9.0)


def test_an_armed_receive_is_of_the_ring_and_of_the_kernel(machine: Path) -> None:
    grown = {"TCP": Cache(20, 1000), "io_kiocb": Cache(10, 256), "kmalloc-512": Cache(10, 512), "other": Cache(9, 9)}
    then = Memory(0, 0, 0, 0, 0, dict.fromkeys(grown, Cache(0, 1)))
    now = Memory(0, 0, 0, 0, 0, grown)
    assert memory.growth(then, now, 10, ring=True) == Growth(2000 + 768, 4.0, ring_bytes=768)
    assert memory.growth(then, now, 10) == Growth(2000, 2.0)


@pytest.mark.parametrize("then, now", ((None, CACHES), (CACHES, None), (None, None)))
def test_without_counts_growth_is_that_of_the_slab_and_says_so(machine: Path, then, now) -> None:
    before = Memory(0, 0, THEN.slab, THEN.buffers, THEN.sockets, then)
    after = Memory(0, 0, NOW.slab, NOW.buffers, NOW.sockets, now)
    assert memory.growth(before, after, 10) == Growth(bytes=50400.0, objects=None)


def test_growth_without_figures_is_none() -> None:
    assert memory.growth(Memory(None, None, None, None, None), NOW, 10) is None


def test_sockets_of_others_are_noticed() -> None:
    assert memory.strangers(THEN, NOW, 10) == 0
    assert memory.strangers(THEN, NOW, 8) == 4
    assert memory.strangers(THEN, NOW, 12) == -4


def test_this_system_tells_or_says_that_it_does_not() -> None:
    """Real files: whatever can be read is plausible."""
    found = memory.counted()
    if found is not None:
        assert found["filp"].objects > 100 and found["filp"].size > 100
        assert set(memory.added(found, found, memory.OF_FILES)) >= {"filp", "dentry"}
