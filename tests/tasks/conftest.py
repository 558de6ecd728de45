from erased_world import template, world
from erased_world import world as whole_world  # where a room has a smaller world of its own

__all__ = ["template", "whole_world", "world"]
