"""The engine's own thread: what is asked becomes batches, and what they say becomes answers.

    Inbox → Scheduler → llama_decode → sample → detokenize → Outbox

Every request ends in exactly one End or one error, whatever happens here.
"""

import logging
import time
from collections.abc import Callable
from collections.abc import Sequence as Items

from app.errors import AppError, DeadlineError, DecodeError, ModelError
from app.serving import hardware, llama, sampler
from app.serving.chat_model import ChatModel
from app.serving.checkpoints import Checkpoint, Checkpoints
from app.serving.drafting import Drafter
from app.serving.generation import EndReason
from app.serving.inbox import CLOSED, Inbox
from app.serving.kv_cache import KvCache, Place, Slot
from app.serving.pace import Pace
from app.serving.sampler import Sampler
from app.serving.scheduler import Plan, Row, Scheduler
from app.serving.scoring import Scoring
from app.serving.scoring_queue import ScoringQueue
from app.serving.sequence import Sequence
from app.serving.states import Saved, StateStore

_log = logging.getLogger(__name__)

_FAILURES_IN_A_ROW = 3  # unexpected ones, after which the engine gives up
_WORTH_KEEPING = 256  # tokens; fewer are read again in no time
_BEFORE_KEEPING = 2.0  # seconds of rest before what was read is saved


class Loop:
    """Runs one model. Everything but `__init__` belongs to the engine's thread."""

    def __init__(
        self,
        parts: ChatModel,
        inbox: Inbox,
        states: StateStore | None,
        at_work: Callable[[bool], None],
        *,
        polite: bool = False,
    ) -> None:
        """Nothing runs yet.

        Args:
            states: where what was read is kept over restarts; None: nowhere.
            at_work: told when there is work and when none is left, often more than once.
            polite: let other threads of this computer go first.
        """
        self.parts = parts
        self._inbox = inbox
        self._states = states
        self._at_work = at_work
        self._polite = polite
        self._cache = KvCache(
            parts.context.length, parts.context.slots, copies=not parts.native.has_running_state
        )
        self._scheduler = Scheduler(
            self._cache,
            batch=parts.batch,
            pauses_before_last=parts.native.has_running_state,
            drafts=parts.drafts,
        )
        self._drafter = Drafter() if parts.drafts else None
        self._checkpoints = Checkpoints() if parts.native.has_running_state else None
        self._pace = Pace(parts.batch)
        self._samplers: dict[Sequence, Sampler] = {}
        self._scorings = ScoringQueue(inbox, parts)
        self._failures = 0

    def run(self) -> None:
        if self._polite:
            hardware.step_back()  # before the first step: llama.cpp's own threads inherit it
        try:
            while self._take_inbox():
                try:
                    self._turn()
                    self._failures = 0
                except Exception:
                    self._recover()
        except Exception:
            _log.exception("The engine stopped.")
            self._give_up()
        finally:
            self._shut_down()

    def _take_inbox(self) -> bool:
        """Take up what came in; wait while there is nothing to do. False: closing."""
        idle = self._scheduler.idle and not self._scorings
        if idle:
            self._at_work(False)
        unsaved = self._unsaved() if idle and self._states is not None else None
        taken = self._inbox.take(idle=idle, patience=_BEFORE_KEEPING if unsaved else None)
        if taken:
            self._at_work(True)
        for request in taken:
            if isinstance(request, Scoring):
                self._scorings.add(request)
            else:
                self._scheduler.add(request)
        if self._inbox.closed:
            return False
        if self._inbox.take_wish_to_forget():
            self._forget()
        elif unsaved and not taken:
            self._keep(unsaved)
        return True

    def _turn(self) -> None:
        for sequence in self._scheduler.drop_cancelled():
            self._end(sequence, "cancelled")
        now = time.monotonic()
        for sequence in self._scheduler.sequences:
            if sequence.overdue(now):
                self._end(sequence, DeadlineError(sequence.generation.deadline or 0.0))
        admitted = self._scheduler.admit()
        self._make_room(admitted)
        for sequence, place in admitted:
            if sequence.slot is place.slot:  # not put back for want of memory
                self._settle(sequence, place)
        drafts = self._drafts()
        chunk = self._pace.chunk(writing=self._scheduler.decoding, watched=self._scheduler.watched)
        plan = self._scheduler.schedule(chunk, drafts)
        if plan:
            self._step(plan)
        self._scorings.go_on()

    def _make_room(self, admitted: Items[tuple[Sequence, Place]]) -> None:
        """Have memory for all that this turn may hold, before anything of it is copied or restored."""
        lengths = {it.slot.number: len(it.tokens) for it in self._scheduler.sequences if it.slot is not None}
        if not lengths:
            return
        read = max(lengths.values()) + self.parts.drafts
        saved = (
            len(found.tokens) for sequence, _ in admitted if (found := self._saved(sequence)) is not None
        )
        try:
            if not self.parts.context.reserve(1 + max(lengths), max(read, max(saved, default=0))):
                return
        except ModelError as error:
            _log.warning("there is no memory for more: %s", error.message)
            self._scheduler.limit(self.parts.context.made)
        unsettled = {place.slot for _, place in admitted}
        for slot in self._cache.slots:
            if slot not in unsettled:
                self._cut_memory(slot)

    def _settle(self, sequence: Sequence, place: Place) -> None:
        """Let the model's memory follow what the scheduler decided."""
        slot = place.slot
        try:
            if sequence not in self._samplers:
                self._samplers[sequence] = sampler.build(sequence.generation, self.parts.native)
        except AppError as error:
            self._end(sequence, error)
        if len(place.lost) >= _WORTH_KEEPING:
            self._save(slot, place.lost)
        if not self._restore(sequence, slot):
            if place.source is not None:
                self.parts.context.copy(place.source.number, slot.number)
            self._cut_memory(slot)
        if not sequence.sampled:
            sequence.cached_tokens = sequence.computed

    def _step(self, plan: Plan) -> None:
        if not self._inbox.begin_step(plan.sequences):
            return
        begun = time.perf_counter()
        try:
            code = self.parts.context.decode(plan.rows)
        finally:
            self._inbox.end_step()
        if code == llama.OK:
            self._go_on(plan, time.perf_counter() - begun)
            return
        for sequence in plan.sequences:
            if sequence.slot is not None:
                self._cut_memory(sequence.slot)  # what the step left half done
        if code != llama.ABORTED:  # aborted: whoever was not cancelled is planned again
            _log.error("llama.cpp refused a step of %d rows: %d", len(plan.rows), code)
            self._refused(plan, code)

    def _refused(self, plan: Plan, code: int) -> None:
        """End whoever is to blame for it: of several each is tried alone, and guesses are left out."""
        for part in plan.one_by_one():
            (row,), (sequence,) = part.rows, part.sequences
            begun = sequence.slot is not None and len(sequence.slot.tokens) == row.start
            if part != plan and begun:  # else there is nothing to try, or what came before is gone, too
                self._step(part)
            else:
                self._end(sequence, DecodeError(f"The model could not go on (llama.cpp returned {code})."))

    def _drafts(self) -> dict[Sequence, tuple[int, ...]]:
        """What is guessed of answers in the next step."""
        alone = self._scheduler.alone
        if self._drafter is None or alone is None:
            return {}
        draft = self._drafter.draft(alone, self._scheduler.ahead(alone))
        return {alone: draft} if draft else {}

    def _go_on(self, plan: Plan, seconds: float) -> None:
        """A step was computed, within `seconds`: every answer in it goes on, or ends."""
        read, index = 0, 0
        right, ends = [], []
        for row, sequence in zip(plan.rows, plan.sequences, strict=True):
            size = len(row.tokens) - row.drafted
            read += size if size > 1 else 0
            came_true, how = self._write(sequence, row, index + size - 1) if row.output else (0, None)
            right.append(came_true)
            if how is not None:
                ends.append((sequence, how))
            index += len(row.tokens)
        self._pace.took(read, seconds)
        self._scheduler.commit(plan, right)
        self._keep_checkpoints(plan)
        if plan.drafted:
            self._cut_drafts(plan, right)
        if self._drafter is not None and len(plan.rows) == 1 and read == 0:
            self._drafter.took(plan.sequences[0], plan.drafted, right[0], seconds)
        for sequence, how in ends:
            self._end(sequence, how)

    def _write(self, sequence: Sequence, row: Row, index: int) -> tuple[int, EndReason | AppError | None]:
        """Sample from batch position `index` on, for as long as that is what the row's draft says.

        Returns how many of its guesses came true, and how the answer ends, if it does.
        """
        native, context = self.parts.native, self.parts.context
        chosen, right = self._samplers[sequence], 0
        while not sequence.cancelled:
            try:
                token = chosen.sample(context, index + right)
            except AppError as error:
                return right, error
            ends = native.ends(token)
            piece = b"" if ends else native.piece(token)
            reason = sequence.append(token, piece, ends=ends, room=context.length, logprob=chosen.logprob)
            if chosen.over:
                reason = "stop"
            if reason is not None:
                return right, reason
            if right == row.drafted or token != row.tokens[right - row.drafted]:
                break
            right += 1
        return right, None

    def _cut_drafts(self, plan: Plan, right: Items[int]) -> None:
        """Take out of the model's memory what was guessed wrong, so that it is what the books say."""
        for row, sequence, came_true in zip(plan.rows, plan.sequences, right, strict=True):
            if came_true < row.drafted and sequence.slot is not None:
                self._cut_memory(sequence.slot)

    def _cut_memory(self, slot: Slot) -> None:
        """Make the model's memory of a slot what the bookkeeping says it is, or less."""
        context, wanted = self.parts.context, len(slot.tokens)
        if self._checkpoints is not None and wanted < context.held(slot.number):
            point = self._checkpoints.best(slot.number, wanted)
            if point is not None and context.restore(slot.number, point.state, running=True):
                wanted = point.length
        kept = context.truncate(slot.number, wanted)
        del slot.tokens[kept:]
        slot.kept = min(slot.kept, kept)
        if self._checkpoints is not None:
            self._checkpoints.cut(slot.number, kept)

    def _keep_checkpoints(self, plan: Plan) -> None:
        """Of prompts that are being read: where a later one may branch off."""
        if self._checkpoints is None:
            return
        for row, sequence in zip(plan.rows, plan.sequences, strict=True):
            at_end = sequence.missing == 1 and not sequence.sampled
            length = row.start + len(row.tokens)
            if row.output or not self._checkpoints.due(row.slot, length, at_end=at_end):
                continue
            state = self.parts.context.save(row.slot, running=True)
            if state is not None:
                self._checkpoints.keep(Checkpoint(row.slot, length, state))

    def _unsaved(self) -> Slot | None:
        """A slot that holds something worth keeping that is on no disk."""
        for slot in self._cache.slots:
            if not slot.taken and slot.kept < len(slot.tokens) >= _WORTH_KEEPING:
                return slot
        return None

    def _keep(self, slot: Slot) -> None:
        self._save(slot, tuple(slot.tokens))
        slot.kept = len(slot.tokens)  # saved or not: it is tried once

    def _save(self, slot: Slot, tokens: tuple[int, ...]) -> None:
        if slot.secret or self._states is None or self.parts.context.held(slot.number) != len(tokens):
            return
        state = self.parts.context.save(slot.number)
        if state is not None:
            self._states.save(tokens, state)

    def _restore(self, sequence: Sequence, slot: Slot) -> bool:
        """Bring back from disk what of the sequence was read before, if that is worth it."""
        # What another sequence gets a copy of must stay until the next step has copied it.
        if self._states is None or self.parts.context.copying(slot.number):
            return False
        found = self._saved(sequence)
        if found is None or found.shared - len(slot.tokens) < _WORTH_KEEPING:
            return False
        state = self._states.load(found)
        if state is None:
            return False
        if not self.parts.context.restore(slot.number, state):
            self._states.drop(found)
            return False
        if self._checkpoints is not None:
            self._checkpoints.cut(slot.number, 0)
        slot.tokens[:] = found.tokens[: found.shared]
        slot.kept = len(found.tokens)
        self._cut_memory(slot)
        return True

    def _saved(self, sequence: Sequence) -> Saved | None:
        """What on disk shares the longest beginning with what a sequence has computed, or is to compute."""
        if self._states is None:
            return None
        return self._states.find(sequence.tokens[:-1], whole=self.parts.native.has_running_state)

    def _forget(self) -> None:
        for slot in self._cache.slots:
            slot.secret = True
        self._forget_secrets()
        self._scorings.forget()
        if self._states is not None:
            self._states.clear()

    def _forget_secrets(self) -> None:
        for slot in self._cache.slots:
            if slot.secret and not slot.taken:
                slot.tokens.clear()
                self._cut_memory(slot)
                slot.secret = False

    def _end(self, sequence: Sequence, how: EndReason | AppError) -> None:
        """The one place where a generation ends."""
        self._scheduler.drop(sequence)
        self._forget_secrets()
        if self._drafter is not None:
            self._drafter.forget(sequence)
        if (chain := self._samplers.pop(sequence, None)) is not None:
            chain.free()
        self._inbox.discard(sequence)
        if isinstance(how, AppError):
            sequence.fail(how)
        else:
            sequence.end(how)

    def _recover(self) -> None:
        """An unexpected exception: whoever was running gets an error; the rest may go on."""
        _log.exception("A step of the engine failed.")
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW:
            self._give_up()
            return
        failed = DecodeError("The model failed while answering. This is a bug.")
        for sequence in self._scheduler.sequences:
            if not sequence.waiting:
                self._end(sequence, failed)
        self._scorings.fail(failed)
        self.parts.context.clear()
        self._cache.forget()
        if self._checkpoints is not None:
            self._checkpoints = Checkpoints()

    def _give_up(self) -> None:
        why = "The model stopped working; choose it again or restart Carrel."
        self._inbox.close(why)
        self._end_all(ModelError(why))

    def _shut_down(self) -> None:
        self._inbox.close(CLOSED)
        self._end_all(None)
        if self._inbox.take_wish_to_forget():
            self._forget()
        if self._states is not None:
            while (slot := self._unsaved()) is not None:
                self._keep(slot)
                self._states.flush()  # all of them are kept now, however slow the disk
            self._states.close()
        self._scorings.free()
        self.parts.free()
        self._at_work(False)

    def _end_all(self, error: AppError | None) -> None:
        for request in self._inbox.live_requests():
            if isinstance(request, Scoring):
                self._scorings.end(request, error)
            else:
                self._end(request, error or "cancelled")
