"""The working memory of one model on one thread."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import ModelError
from app.serving import kv_state, llama
from app.serving.llama import native
from app.serving.native_model import NativeModel
from app.serving.scheduler import Row
from app.serving.stop_flag import StopFlag

Memory = Callable[[int], NDArray[np.uint8]]
"""Gives memory for so many bytes."""


def new_memory(size: int) -> NDArray[np.uint8]:
    """Which nobody else uses."""
    return np.empty(size, np.uint8)


class NativeContext:
    """The working memory of one model on one thread: KV cache and compute buffers."""

    def __init__(
        self,
        model: NativeModel,
        *,
        length: int,
        batch: int,
        threads: int,
        at_once: int = 0,
        slots: int = 1,
        outputs: int | None = None,
        shared: bool = False,
        stop: StopFlag | None = None,
        pooled: bool = False,
        compact: bool = False,
        flash: bool = True,
        positions: int = 0,
    ) -> None:
        """Allocate the context.

        Args:
            length: positions of one slot, in tokens; of all slots together if `shared`.
            batch: the most tokens one call computes.
            at_once: and of those at once; 0: all.
            slots: sequences that can be in memory side by side.
            outputs: the most scores one call gives; None: one a slot.
            shared: the slots share one memory. Copying between them is free then, and computing
                slower the more all of them hold.
            pooled: give one vector a text instead of scores a token (mean, unless the file says).
            compact: keep keys and values in 8 bits. Not every model and device can.
            flash: compute attention as flash attention, where that can be done.
            positions: that memory is taken for in place of `length`, if more.

        Raises:
            ModelError: not enough memory, or the model cannot work like this.
        """
        options = native.llama_context_default_params()
        options.n_ctx = max(length, positions) * (1 if shared else slots)
        options.n_batch, options.n_ubatch = batch, at_once or batch
        options.n_seq_max = slots
        options.n_outputs_max = batch if pooled else outputs or slots
        options.kv_unified = shared
        options.n_threads = options.n_threads_batch = threads
        options.no_perf = True
        options.embeddings = pooled
        if not flash:
            options.flash_attn_type = native.LLAMA_FLASH_ATTN_TYPE_DISABLED
        if pooled:
            options.flash_attn_type = native.LLAMA_FLASH_ATTN_TYPE_ENABLED
            if not _pools(model):
                options.pooling_type = native.LLAMA_POOLING_TYPE_MEAN
        if compact:
            options.type_k = options.type_v = native.GGML_TYPE_Q8_0
            options.flash_attn_type = native.LLAMA_FLASH_ATTN_TYPE_ENABLED  # values in 8 bits need it
        if stop is not None:
            options.abort_callback, options.abort_callback_data = stop.callback, stop.data
        self._stop = stop  # llama.cpp holds its address: it must live as long as the context
        with llama.log_lines.reasons() as reasons:
            self._handle = native.llama_init_from_model(model.handle, options)
        if not self._handle:
            raise ModelError(f"A context of {length:,} tokens could not be made.{llama.because(reasons)}")
        self.ranks = bool(native.llama_pooling_type(self._handle) == native.LLAMA_POOLING_TYPE_RANK)
        self._dimension = model.verdicts if self.ranks else model.dimension
        self._window, self._vocabulary = model.window, model.vocabulary_size
        self._memory = native.llama_get_memory(self._handle)
        self._batch, self._batch_size = native.llama_batch_init(batch, 0, 1), batch
        self._copying: set[int] = set()  # slots from or to which the next step copies
        self.length: int = min(length, native.llama_n_ctx_seq(self._handle))
        self.slots = slots
        self.remembers = bool(self._memory)  # False: the model reads whole texts only

    @property
    def handle(self) -> Any:
        return llama.opened(self._handle)

    def decode(self, rows: Sequence[Row]) -> int:
        """Compute one batch; releases the interpreter lock meanwhile.

        Args:
            rows: in ascending order of slot (anything else is slow), one a slot.

        Returns:
            OK, NO_SLOT, ABORTED, or a negative number. Only OK leaves every row in memory; after
            the others call `truncate` for each slot.

        Raises:
            ModelError: more tokens than the batch holds.
        """
        return self._decode(rows, every_output=False)

    def decode_scored(self, rows: Sequence[Row]) -> int:
        """As `decode`, with scores after every token instead of every row's last."""
        return self._decode(rows, every_output=True)

    def scores(self, index: int) -> NDArray[np.float32]:
        """The scores (logits) after batch position `index`, shape (vocabulary,); valid until the next step.

        Raises:
            ModelError: that position has none.
        """
        found = native.llama_get_logits_ith(self.handle, index)
        if not found:
            raise ModelError("The model gave no scores.")
        return np.ctypeslib.as_array(found, (self._vocabulary,))

    def embed(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """The pooled vector of each text, not normalised, of all of them in one batch.

        Args:
            texts: the tokens of each; no more texts than slots.

        Returns:
            Shape (len(texts), dimension); of a model that `ranks` fewer numbers a text.

        Raises:
            ModelError: llama.cpp refused the batch.
        """
        self.clear()
        self._fill([Row(slot, 0, tokens, True) for slot, tokens in enumerate(texts)], every_output=True)
        compute = native.llama_decode if self._memory else native.llama_encode
        code = compute(self.handle, self._batch)
        if code != llama.OK:
            count = sum(map(len, texts))
            raise ModelError(f"The embedding model refused a batch of {count} tokens ({code}).")
        found = np.empty((len(texts), self._dimension), np.float32)
        for slot in range(len(texts)):
            vector = native.llama_get_embeddings_seq(self.handle, slot)
            if not vector:
                raise ModelError("The embedding model gave no vector.")
            found[slot] = np.ctypeslib.as_array(vector, (self._dimension,))
        return found

    def truncate(self, slot: int, length: int) -> int:
        """Forget what `slot` holds from position `length` on; return the length that was kept.

        Models with a running state or a sliding window cannot always go back: then all of the
        slot is forgotten and 0 returned. So it is where the slot does not hold as much.
        """
        if 0 < length <= self.held(slot):
            first = native.llama_memory_seq_pos_min(self._memory, slot)
            in_reach = not self._window or first <= max(0, length - self._window)
            if in_reach and native.llama_memory_seq_rm(self._memory, slot, length, -1):
                return length
        native.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return 0

    def held(self, slot: int) -> int:
        """How many positions `slot` holds."""
        return int(native.llama_memory_seq_pos_max(self._memory, slot)) + 1

    def copy(self, source: int, target: int) -> None:
        """Let `target` hold what `source` holds. The data follow at the beginning of the next step.

        Until then neither can be saved or restored: llama.cpp copies what `source` holds by then.
        """
        native.llama_memory_seq_rm(self._memory, target, -1, -1)
        native.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        self._copying |= {source, target}

    def copying(self, slot: int) -> bool:
        """Whether a copy from or to `slot` is under way."""
        return slot in self._copying

    def save(
        self, slot: int, *, running: bool = False, streams: int = 0, memory: Memory = new_memory
    ) -> memoryview | None:
        """Everything the model remembers of `slot`, for `restore`; None while a copy is under way.

        Args:
            running: only the part that cannot be cut (a running state, a sliding window).
            streams: as the first of so many slots would be saved, at least as many as there are; 0: as
                this one is. Only of models that can be cut: the states of others are of several parts.
            memory: to write it to.
        """
        if self.copying(slot) or not self.held(slot):
            return None
        part = native.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY if running else native.LLAMA_STATE_SEQ_FLAGS_NONE
        size = int(native.llama_state_seq_get_size_ext(self.handle, slot, part))
        content = memory(size + kv_state.COUNT.size * streams)
        content[size:] = 0  # counts of slots that there are not
        written = int(native.llama_state_seq_get_data_ext(self.handle, _bytes(content), size, slot, part))
        if not written:
            return None
        view, begin = content.data, 0
        if streams:
            mark, _, slots = kv_state.HEAD.unpack_from(view)
            if slots != self.slots:  # another llama.cpp than this was written for
                return None
            begin = kv_state.COUNT.size * slot
            written += kv_state.COUNT.size * (streams - self.slots)
            kv_state.HEAD.pack_into(view, begin, mark, 0, streams)
        return view[begin : begin + written]

    def restore(
        self, slot: int, state: bytes | memoryview, *, running: bool = False, streams: int = 0
    ) -> bool:
        """Let `slot` hold what was saved. False: it does not fit this context; the slot is empty then.

        `state` must be what `save` gave, unchanged: llama.cpp trusts it. It may be changed here.

        Args:
            running: as for `save`. The rest of what the slot holds stays; cut it with `truncate`.
            streams: as it was for `save`.

        Raises:
            ModelError: a copy from or to the slot is under way.
        """
        if self.copying(slot):
            raise ModelError("What is being copied cannot be restored.")
        part = native.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY if running else native.LLAMA_STATE_SEQ_FLAGS_NONE
        handle = self.handle
        if not running:
            native.llama_memory_seq_rm(self._memory, slot, -1, -1)
        # Not copied where it need not be: it may be large. llama.cpp only reads it.
        content, size = np.frombuffer(state, np.uint8), len(state)
        if streams:
            content = content if content.flags.writeable else content.copy()
            mark, _, slots = kv_state.HEAD.unpack_from(content.data)
            if slots != streams:
                return False
            kv_state.HEAD.pack_into(content.data, 0, mark, slot, self.slots)
            size -= kv_state.COUNT.size * (streams - self.slots)
        if native.llama_state_seq_set_data_ext(handle, _bytes(content), size, slot, part):
            return True
        native.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return False

    def clear(self) -> None:
        """Forget everything, where there is anything to forget."""
        if self._memory:
            native.llama_memory_clear(self._memory, False)

    def free(self) -> None:
        handle, self._handle = self._handle, None
        if handle:
            native.llama_batch_free(self._batch)
            native.llama_free(handle)

    def _decode(self, rows: Sequence[Row], *, every_output: bool) -> int:
        self._fill(rows, every_output=every_output)
        code = int(native.llama_decode(self.handle, self._batch))
        if code == llama.OK:
            self._copying.clear()
        return code

    def _fill(self, rows: Sequence[Row], *, every_output: bool = False) -> None:
        total = sum(len(row.tokens) for row in rows)
        # llama.cpp asserts on both, which would end the process.
        if not 0 < total <= self._batch_size:
            raise ModelError(f"A batch of {total} tokens does not fit in {self._batch_size}.")
        batch, index = self._batch, 0
        for row in rows:
            for offset, token in enumerate(row.tokens):
                batch.token[index] = token
                batch.pos[index] = row.start + offset
                batch.n_seq_id[index] = 1
                batch.seq_id[index][0] = row.slot
                batch.logits[index] = every_output
                index += 1
            batch.logits[index - 1] = row.output
            for before in range(index - 1 - row.drafted, index - 1):
                batch.logits[before] = row.output
        batch.n_tokens = total


def _bytes(content: NDArray[np.uint8]) -> Any:
    return content.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def _pools(model: NativeModel) -> bool:
    declared = model.metadata(f"{model.metadata('general.architecture')}.pooling_type")
    return declared is not None and declared not in ("0", "-1")
