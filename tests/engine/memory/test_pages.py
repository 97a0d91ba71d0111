"""Pages are granted so that whoever has begun comes to its end: in every history."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from qwen_tts_api.engine.memory.pages import Need, PageBank
from tests.rows import for_each


def test_what_would_leave_no_order_to_end_in_is_not_granted() -> None:
    """Two that each need three of four: one may have all it needs, and the other waits."""
    bank = PageBank(4)
    assert bank.admit("a", Need(1, 1, 3))
    assert bank.admit("b", Need(1, 1, 3))
    assert bank.grow("a", 2)
    assert not bank.grow("b", 2)
    assert bank.grow("a", 3)
    assert bank.num_used == 4
    bank.release("a")
    assert bank.grow("b", 3)
    assert bank.num_used == 3


def test_nobody_begins_where_all_together_are_expected_to_need_more() -> None:
    """Though a page is free, and though it would be safe."""
    bank = PageBank(8)
    assert bank.admit("a", Need(1, 5, 8))
    assert not bank.admit("b", Need(1, 4, 6))
    assert bank.num_used == 1
    assert bank.admit("c", Need(1, 3, 6))
    assert bank.grow("a", 2)
    assert not bank.grow("a", 3)
    bank.release("c")
    assert bank.grow("a", 8)


def test_one_alone_may_have_all_there_is() -> None:
    """Whatever is expected; and none may ask for more."""
    bank = PageBank(8)
    assert bank.admit("a", Need(2, 8, 8))
    assert bank.grow("a", 8)
    bank.release("a")
    with pytest.raises(ValueError, match="9 of 8"):
        bank.admit("b", Need(1, 2, 9))
    assert bank.num_used == 0


@dataclass(eq=False)
class Holder:
    need: Need
    length: int  # how many pages it will have taken at its end
    held: int = 0


@for_each("seed", range(15))
def test_every_history_ends(seed: int) -> None:
    """However many begin, grow, end and leave: someone can always go on, and all comes back."""
    chance = random.Random(seed)
    total = chance.randint(1, 40)
    bank = PageBank(total)
    holders: list[Holder] = []
    num_ended = 0
    for step in range(400):
        if step < 300 and chance.random() < 0.6:
            most = chance.randint(1, total)
            need = Need(chance.randint(1, most), chance.randint(1, most), most)
            holder = Holder(need, chance.randint(need.first, most), need.first)
            if bank.admit(holder, need):
                holders.append(holder)
            else:
                assert holders, "nobody else has a page"
        chance.shuffle(holders)
        moved = not holders
        for holder in list(holders):
            if chance.random() < 0.03:
                moved = True
            elif holder.held < holder.length:
                if bank.grow(holder, holder.held + 1):
                    holder.held += 1
                    moved = True
                continue
            else:
                num_ended += 1
                moved = True
            bank.release(holder)
            holders.remove(holder)
        assert moved, "nobody can go on"
        assert bank.num_used == sum(holder.held for holder in holders) <= total
    while holders:
        holder = next(h for h in holders if h.held == h.length or bank.grow(h, h.held + 1))
        if holder.held == holder.length:
            bank.release(holder)
            holders.remove(holder)
        else:
            holder.held += 1
    assert num_ended
    assert bank.num_used == 0
