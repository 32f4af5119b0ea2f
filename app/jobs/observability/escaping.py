"""Text of others, made safe to show in a terminal.

A caller's text may hold escape sequences, which move the cursor, change what was printed, or set the window's title; line
breaks, which forge further lines; and characters that turn the direction of writing around.
"""


def visible(text: str, *, keep: str = "") -> str:
    r"""The text with every character that is not printed written out, as in `\x1b`; those of `keep` stay."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode("ascii") for one in text
    )
