"""What may be declared as the place of objects, before anything is changed."""

from dataclasses import replace

import pytest
from deltalake import DeltaTable, write_deltalake
from factories import enrollment
from object_world import key_of, photo_spec, with_photos
from small_tables import rows

from tasks.enrolling.objects import refuse_unfit_objects, refuse_unfit_place
from tasks.journal.reading import record_enrollment
from tasks.tables.object_places import ObjectPlace
from unlearning.errors import DataError, SettingsError


class Look:
    """A look at two tables whose rows point to objects."""

    def __init__(self, services, spec, holdout):
        self.services, self.spec, self.holdout = services, spec, holdout

    def __call__(self, place=None, **changes):
        (column,) = self.spec.objects
        mine = replace(column, prefix=place or column.prefix)
        spec = replace(self.spec, objects=(mine,), **changes)
        refuse_unfit_objects(self.services, spec, self.holdout)


@pytest.fixture
def look(services, tmp_path):
    prefix = (tmp_path / "photos").as_uri()
    for first, name in ((0, "t"), (20, "h")):
        write_deltalake(tmp_path / name, with_photos(rows(10, seed=1), prefix, first))
    spec, holdout = photo_spec((tmp_path / "t").as_uri(), prefix), (tmp_path / "h").as_uri()

    return Look(services, spec, holdout)


def test_objects_below_their_own_prefix_are_fine(look):
    look()


@pytest.mark.parametrize("place", ["", "/t", "/home", "/home/store/photos"])
def test_a_prefix_among_tables_or_in_our_own_store_is_refused(look, tmp_path, place):
    with pytest.raises(DataError, match="a folder of their own"):
        look(f"{tmp_path.as_uri()}{place}")


def test_rows_that_point_elsewhere_are_counted_in_both_tables(look, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match="5 rows of"):  # the others have keys alone
        look((tmp_path / "other").as_uri())


def test_most_objects_of_a_sample_lie_below_the_prefix(look, services, tmp_path):
    (tmp_path / "phots").mkdir()
    keys = [key_of(n) for n in range(20, 30)]
    table = DeltaTable(look.holdout).to_pyarrow_table()
    place = table.column_names.index("photo")
    for uri in (look.spec.uri, look.holdout):
        write_deltalake(uri, table.set_column(place, "photo", [keys]), mode="overwrite")
    look()
    with pytest.raises(DataError, match="10 of 10 objects that rows of"):
        look((tmp_path / "phots").as_uri())


def test_a_column_keeps_the_one_prefix_that_was_declared(look, services, tmp_path):
    (column,) = look.spec.objects
    other = replace(column, prefix=f"{column.prefix}/below")
    with pytest.raises(SettingsError, match="has two prefixes"):
        refuse_unfit_objects(services, replace(look.spec, objects=(column, other)), look.holdout)
    known = enrollment(model="other", dataset=look.spec, holdout=look.holdout)
    record_enrollment(services.journal, known)
    with pytest.raises(SettingsError, match=r"give --objects photo=file:"):
        refuse_unfit_objects(services, replace(look.spec, objects=()), look.holdout)


def test_a_prefix_holds_nothing_of_mlflow_and_is_no_whole_bucket(look, services, tmp_path):
    services.registry.client.create_experiment(
        "elsewhere", artifact_location=(tmp_path / "photos" / "runs").as_uri()
    )
    with pytest.raises(DataError, match="what MLflow keeps"):
        look()
    with pytest.raises(DataError, match="is a whole disk or bucket"):
        refuse_unfit_place(services, ObjectPlace(services.settings, "s3://lake"))


def test_the_column_has_no_other_meaning(look):
    with pytest.raises(SettingsError, match="name another one as subject"):
        look(slices=("photo",))


def test_a_table_is_not_put_where_objects_of_another_model_lie_or_lay(look, services, tmp_path):
    (column,) = look.spec.objects
    theirs = replace(look.spec, objects=(replace(column, prefix=f"{tmp_path.as_uri()}/lake"),))
    record_enrollment(services.journal, enrollment(model="other", dataset=theirs))
    look()
    (tmp_path / "lake").mkdir()
    write_deltalake(tmp_path / "lake" / "t", rows(2))
    bare = replace(look.spec, uri=(tmp_path / "lake" / "t").as_uri(), objects=())
    record_enrollment(services.journal, enrollment(model="other", dataset=look.spec))
    with pytest.raises(DataError, match="with its table"):
        refuse_unfit_objects(services, bare, look.holdout)
