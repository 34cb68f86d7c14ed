"""Which views of a dataset a stream reads."""

from collections.abc import Sequence

from passband.pipeline.errors import PassbandError
from passband.pipeline.records import Manifest, ViewEntry


def chosen_views(manifest: Manifest, names: Sequence[str] | str | None, where: str) -> list[ViewEntry]:
    """Return the views called `names`, in that order; None: all of them.

    Raises
    ------
    PassbandError
        If a name is unknown or comes twice, or none is given; it lists the names that exist.
    """
    if names is None:
        return list(manifest.views)
    known = {view.name: view for view in manifest.views}
    wanted = [names] if isinstance(names, str) else list(names)
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        problem = f"has no view {unknown[0]!r}" if unknown else f"cannot serve {wanted!r}: each view comes once"
        raise PassbandError(f"{where}: {problem}; its views are {', '.join(known)}")
    return [known[name] for name in wanted]


def require_one_form(views: Sequence[ViewEntry], where: str) -> None:
    """Raise PassbandError unless the pixels of all `views` are of one dtype, as those of one batch must be."""
    first = views[0]
    for view in views:
        if view.dtype != first.dtype:
            raise PassbandError(
                f"{where}: views_as_samples mixes views in a batch, but {first.name} is {first.dtype} and "
                f"{view.name} is {view.dtype}; choose views of one dtype"
            )
