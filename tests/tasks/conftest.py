from erased_world import world
from erased_world import world as whole_world  # where a room has a smaller world of its own

__all__ = ["whole_world", "world"]
