"""Paths of values in a session, as error messages name them: ``session['cart'][3]``."""


def step(key: object) -> str:
    """Return the subscript of a key in a path, truncated to 60 characters.

    :param key: a key of a dict, or a position in a list.
    """
    try:
        text = repr(key)
    except ValueError:
        text = f"a long {type(key).__name__}"
    return f"[{text}]" if len(text) <= 60 else f"[{text[:57]}…]"
