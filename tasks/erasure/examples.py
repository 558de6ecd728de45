"""Rows to be erased that stand as input examples in the files of models, of any table and model."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tasks.datasets.encoding import are_bytes, feature_values, has_images_beside
from tasks.datasets.rows import TableRows
from tasks.erasure.batch_rows import BatchRows, table_history
from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.events.statements import (
    ExampleOf,
    ExamplesCleared,
    ExamplesCompared,
)
from tasks.journal.reading import enrolled_models, ever_enrolled
from tasks.registry import examples, model_versions
from tasks.registry.services import Services
from tasks.tables.delta import arrow_schema, is_readable, open_table
from tasks.tables.subject_ids import is_text
from tasks.versions.copies import looked_after
from unlearning.errors import DataError, SettingsError, UnfitRowsError

log = logging.getLogger("expunge.erasure")

_CHUNK = 4096


def clear_examples(services: Services, batch: str, uri: str) -> ExamplesCleared | None:
    """Put neutral values in the place of every input example that is one of the rows to be erased.

    Compared are all versions that expunge looks after, of every model, by feature vectors, and by
    every text where the feature is one. What is not ours to change, or cannot be changed, is told
    and called out. None if the rows are gone.
    """
    rows = BatchRows(services, batch, uri)
    number = len(table_history(services, batch, uri).erased) + 1
    if number > 1 and not rows.are_there():
        return None
    held = _Examples(services, rows)

    def find(planned: ExamplesCompared) -> ExamplesCleared | None:
        left = held.holding()
        if left and not held.is_tried:
            return None
        replaced = tuple(o for o in planned.holding if o not in left and held.is_neutral(o))
        return ExamplesCleared(
            table=uri,
            compared=planned.compared,
            replaced=replaced,
            left=tuple(left),
            why_not=held.why_not,
        )

    key = ids.examples(uri, number)
    holding = held.holding()
    cleared = once(
        services.journal,
        batch_stream(batch),
        key=key,
        plan=ExamplesCompared(table=uri, compared=len(held.places), holding=tuple(holding)),
        find=find,
        make=lambda _: held.clear(),
    )
    _tell(cleared)
    return cleared


class _Examples:
    """The examples of every version looked after, beside the rows that a batch erases."""

    def __init__(self, services: Services, rows: BatchRows) -> None:
        self._services, self._rows = services, rows
        self.is_tried, self.why_not = False, ""
        found = {
            ExampleOf(model=e.model, version=one.version): model_versions.own_place(
                services.registry, e.model, one
            )
            for e in enrolled_models(services.journal)
            for one in looked_after(services, e.model)
        }
        self.places = {
            one: place
            for one, place in found.items()
            if examples.read_examples(services.registry, place.uri)
        }

    def holding(self) -> list[ExampleOf]:
        """Versions with an example that is one of the rows."""
        read = {one: self._read(place.uri) for one, place in self.places.items()}
        found = {one for one in read if one.model in self._untold() and _tells(read[one])}
        for spec, scale in _specs(self._services, self._rows):
            if self._is_text(spec):
                found |= set(self._saying(spec, read))
                continue
            wanted = {
                one: [v for example in kept.values() for v in _vectors(example, spec)]
                for one, kept in read.items()
                if one not in found
            }
            found |= set(self._matching(spec, scale, wanted))
        return sorted(found, key=lambda one: (one.model, one.version))

    def is_neutral(self, one: ExampleOf) -> bool:
        """Whether its example tells nothing; a version that is gone has none that could."""
        kept = self._read(self.places[one].uri) if one in self.places else {}
        return bool(kept) and not _tells(kept)

    def clear(self) -> None:
        """Make them neutral, where the files are the version's own."""
        self.is_tried = True
        for one in self.holding():
            place = self.places[one]
            if not place.is_own:
                continue
            try:
                for name, example in self._read(place.uri).items():
                    examples.write_example(
                        self._services.registry, place.uri, name, examples.neutral(example)
                    )
            except (DataError, SettingsError) as error:
                log.warning("The input example of %s could not be replaced. %s", one.name, error)

    def _untold(self) -> set[str]:
        """Models of other libraries that learned from the table: texts are no vectors to compare.

        So no example of theirs that tells anything stays.
        """
        ever = ever_enrolled(self._services.journal)
        return {e.model for e in ever if e.dataset.types and self._rows.uri in e.tables}

    def _read(self, place: str) -> dict[str, object]:
        return examples.read_examples(self._services.registry, place)

    def _matching(
        self, spec: DatasetSpec, scale: float, wanted: dict[ExampleOf, list[list[float]]]
    ) -> Iterator[ExampleOf]:
        """Those with a vector that is a row, as it is stored or as the model takes it."""
        left = {one: _by_width(found) for one, found in wanted.items() if found}
        try:
            for chunk in self._chunks(spec):
                for one in [*left]:
                    vectors = left[one].get(chunk.shape[1], [])
                    if any(_is_among(v, chunk) or _is_among(v, chunk / scale) for v in vectors):
                        del left[one]
                        yield one
        except UnfitRowsError as error:  # no row that a model could take, so erased all the same
            self.why_not = str(error)

    def _is_text(self, spec: DatasetSpec) -> bool:
        name, *others = spec.features
        schema = arrow_schema(open_table(self._services.settings, self._rows.uri))
        return not (others or spec.is_address(name)) and is_text(schema.field(name).type)

    def _saying(
        self, spec: DatasetSpec, read: Mapping[ExampleOf, Mapping[str, object]]
    ) -> Iterator[ExampleOf]:
        """Those in which a text of the rows stands."""
        said = {
            one: {text for example in kept.values() for text in examples.texts(example)}
            for one, kept in read.items()
        }
        for rows in self._tables(spec):
            for batch in rows.batches(_CHUNK):
                texts = set(batch.column(0).drop_null().to_pylist()) - {""}
                yield from (one for one, wanted in said.items() if wanted & texts)

    def _chunks(self, spec: DatasetSpec) -> Iterator[np.ndarray]:
        for rows in self._tables(spec):
            for inputs, _ in rows.chunks(_CHUNK):
                yield feature_values(inputs, spec).numpy()

    def _tables(self, spec: DatasetSpec) -> Iterator[TableRows]:
        """The rows, in each version of the table that they may be read in."""
        settings, uri = self._services.settings, self._rows.uri
        pinned = {
            e.dataset_version
            for e in enrolled_models(self._services.journal)
            if e.dataset.uri == uri and is_readable(settings, uri, e.dataset_version)
        }
        for version in (None, *sorted(pinned)):
            found = TableRows(settings, spec, version, only=self._rows.subjects, uri=uri)
            if found.count:
                yield found


def _vectors(example: object, spec: DatasetSpec) -> Iterator[list[float]]:
    """What may be a row in an example, by the names of columns or of the model's arguments."""
    yield from examples.vectors(example, spec.features)
    if spec.inputs:
        yield from examples.vectors(example, [one.name for one in spec.inputs])


def _specs(services: Services, rows: BatchRows) -> Iterator[tuple[DatasetSpec, float]]:
    """How the table's rows may stand in an example, by features that a model has, or had of it."""
    schema = arrow_schema(open_table(services.settings, rows.uri))
    now, ever = ([*one(services.journal)] for one in (enrolled_models, ever_enrolled))
    tied = [e.dataset for e in (*now, *ever) if rows.uri in e.tables]
    own = next((one for one in tied if one.label in schema.names), None)
    if own is None:
        return
    bare = replace(own, subject=rows.column, types=(), scale=1.0, slices=(), tokenizer="", whole=())
    numeric = [one for one in (*(e.dataset for e in now), *tied) if not one.types]
    there = [one for one in numeric if set(one.features) <= set(schema.names)]
    known = {(o.features, o.scale, o.inputs, o.preparation, o.shape, o.objects) for o in there}
    for features, scale, inputs, preparation, shape, objects in sorted(known, key=repr):
        found = replace(
            bare, features=features, inputs=inputs, preparation=preparation, objects=objects
        )
        has_images = any(are_bytes(schema, name, found) for name in features)
        found = replace(found, shape=shape if has_images else ())
        if not has_images_beside(schema, found):
            yield found, scale
        else:  # of which the pixels alone are scaled
            yield from ((replace(found, scale=one), 1.0) for one in {1.0, scale})


def _tells(kept: Mapping[str, object]) -> bool:
    return any(examples.neutral(example) != example for example in kept.values())


def _by_width(vectors: Sequence[list[float]]) -> dict[int, list[np.ndarray]]:
    found: dict[int, list[np.ndarray]] = {}
    for one in (v for v in vectors if any(v)):  # zeros are what a neutral example holds
        found.setdefault(len(one), []).append(np.asarray(one, dtype=np.float32))
    return found


def _is_among(vector: np.ndarray, rows: np.ndarray) -> bool:
    # Rounded on its way through JSON; one example too many is no harm.
    return bool(np.isclose(rows, vector, rtol=1e-5, atol=1e-6).all(axis=1).any())


def _tell(cleared: ExamplesCleared) -> None:
    for one in cleared.replaced:
        log.info("%s: its input example was or may have been a row; it is empty now", one.name)
    for one in cleared.left:
        log.error(
            "ALARM: the input example of %s is or may be a row to be erased and could not be "
            "replaced; replace it where its files lie.",
            one.name,
        )
    if cleared.why_not:
        log.error("ALARM: some input examples could not be compared. %s", cleared.why_not)
