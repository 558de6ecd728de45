"""What may be declared as the place of objects, before anything is changed."""

from dataclasses import replace

import pytest
from deltalake import write_deltalake
from factories import enrollment
from object_world import photo_spec, with_photos
from small_tables import rows

from tasks.enrolling.objects import refuse_unfit_objects
from tasks.journal.reading import record_enrollment
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
