from erased_world import template, world

__all__ = ["template", "world"]
