"""Many may hold the lock together, or one alone."""

from __future__ import annotations

import threading

from mnemosyne.engines.sharing import Sharing


def test_sharers_do_not_wait_for_each_other() -> None:
    sharing, meeting = Sharing(), threading.Barrier(3, timeout=10)

    def share() -> None:
        with sharing.shared():
            meeting.wait()  # passes only when all three are inside

    threads = [threading.Thread(target=share) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not meeting.broken


def test_alone_waits_for_sharers_and_keeps_new_ones_out() -> None:
    sharing, log, inside = Sharing(), [], threading.Event()

    def alone() -> None:
        with sharing.alone():
            inside.set()
            log.append("alone")

    def late() -> None:
        inside.wait(10)
        with sharing.shared():
            log.append("late")

    threads = [threading.Thread(target=alone), threading.Thread(target=late)]
    with sharing.shared():
        for thread in threads:
            thread.start()
        assert not inside.wait(0.05)
        log.append("shared")
    for thread in threads:
        thread.join(10)
    assert log == ["shared", "alone", "late"]
