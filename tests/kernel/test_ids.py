"""Ids: their form, their order, and that no two processes draw the same."""

from __future__ import annotations

import multiprocessing
import threading

import pytest

from warmline.kernel.ids import is_uuid, new_bot_id, new_token, uuid7


def test_ids_have_the_form_and_sort_in_the_order_of_making() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(is_uuid(one) and one[14] == "7" and one[19] in "89ab" for one in made)


def test_threads_never_draw_the_same() -> None:
    drawn: list[list[str]] = []
    threads = [threading.Thread(target=lambda: drawn.append([uuid7() for _ in range(5_000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = [one for some in drawn for one in some]
    assert len(set(together)) == len(together)


def _draw(count: int) -> list[str]:
    return [uuid7()[24:] for _ in range(count)]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_does_not_draw_what_its_parent_draws() -> None:
    uuid7()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        others = pool.map(_draw, [100, 100])
    together = [*_draw(100), *others[0], *others[1]]
    assert len(set(together)) == len(together)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "01a1fdde-4361-709d-b343-ab6b91d4392",
        "01A1FDDE-4361-709D-B343-AB6B91D43927",
        "01a1fdde-4361-709d-b343-ab6b91d43927\n",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert not is_uuid(text)


def test_other_ids() -> None:
    assert len(new_bot_id()) == 24
    assert new_token("wv") != new_token("wv")
