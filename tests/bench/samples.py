"""What a measurement can come to, and who is measured how often.

A sample is what one measurement of one client gave. Three things can come of it:
it ended (figures), it did not end in the time that it had (its rate is at most
that of all of it in that time; nothing else is known), or it failed (why)."""
import dataclasses
import shutil
import sqlite3

from stage import Failed, Unfinished, end_all, fresh, living

SLOW = 10  # times slower than ours: not measured again in that row


@dataclasses.dataclass
class Sample:
    """`limit`: it did not end in so many seconds, in words `late`; `failed`: why."""
    figures: dict
    limit: float = 0.0
    late: str = ""
    failed: str = ""

    def is_whole(self):
        return not self.limit and not self.failed


def take(measure, mib=0):
    """The sample that `measure` comes to, of so many MiB; None when the client
    cannot do the thing at all. A figure that is None is not known. What goes
    wrong here goes wrong for this client in this round, not for the run."""
    others = set(living)  # a seeder goes on
    try:
        figures = measure()
        if figures is None:
            return None
        return Sample({k: v for k, v in figures.items() if v is not None})
    except Unfinished as e:
        return Sample({"rate": mib / e.seconds} if mib else {},
                      limit=e.seconds, late=str(e))
    except Failed as e:
        return Sample({}, failed=str(e))
    except (OSError, sqlite3.Error) as e:
        return Sample({}, failed=f"{type(e).__name__}: {e}")
    finally:
        end_all(but=others)


def is_hopeless(sample, ours):
    """Once more would take long and change nothing: it did not end, or it was
    more than SLOW times slower than ours (None: not known)."""
    if sample.limit:
        return True
    rate = sample.figures.get("rate")
    best = ours.figures.get("rate") if ours else None
    return bool(rate and best and rate * SLOW < best)


class Rounds:
    """One row's samples by client. Every round goes through all clients, so that
    what the machine does meanwhile meets all of them; but a peer that is
    hopeless in its first round stays out of the others, unless `patient`."""

    def __init__(self, rounds, work, say, patient=False):
        self.rounds, self.work, self.say = rounds, work, say
        self.patient = patient
        self.samples = {}

    def each(self, clients, measure, mib=0):
        """`measure(client, folder)` gives figures, None or raises, see take.
        The first of `clients` that is ours is what peers are held against."""
        out = set()
        ours = next((c.name for c in clients if c.is_ours), None)
        for _ in range(self.rounds):
            for c in clients:
                if c.name in out:
                    continue
                sample = self._one(c, measure, mib)
                if sample is None or (c.is_peer and not self.patient and
                                      is_hopeless(sample, self._whole(ours))):
                    out.add(c.name)

    def _one(self, client, measure, mib):
        folder = fresh(f"{self.work}/{client.name}")
        sample = take(lambda: measure(client, folder), mib)
        if sample is not None:
            # Before it is told: who is interrupted has it.
            self.samples.setdefault(client.name, []).append(sample)
            self.say(client.name, sample, folder)
        shutil.rmtree(folder, ignore_errors=True)
        return sample

    def _whole(self, name):
        """The first sample of that client that ended."""
        return next((s for s in self.samples.get(name, []) if s.is_whole()),
                    None)
