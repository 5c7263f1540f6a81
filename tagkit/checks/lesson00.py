"""The warm-up task of lesson 00: it shows how checks answer."""

from tagkit.checks.engine import task
from tagkit.checks.values import number, refuse_slips


@task(
    "0.1",
    "A first answer",
    points=1,
    hints=(
        "`labels` has a row for each clip and a column for each tag. "
        '`labels["guitar"]` is one column of zeros and ones.',
        "If each clip with the tag counts 1 and each other clip 0, what is the sum of "
        "the column?",
        '`labels["guitar"].sum()`, with brackets at the end.',
    ),
    praise="That is all there is to it. The exercises work the same way.",
)
def first_answer(answer, corpus):
    labels = corpus.labels()
    guitar, is_test = labels["guitar"], corpus.split() == "test"
    slips = (
        (len(labels), "that is every clip, count those with the tag only"),
        (int((guitar == 0).sum()), "these are the clips without the tag"),
        (float(guitar.mean()), "that is a share, a count is asked for"),
        (100 * float(guitar.mean()), "that is per cent, a count is asked for"),
        (int(guitar[is_test].sum()), "these are the test clips only, take all"),
        (int(labels.to_numpy().sum()), "these are all tags together, take one column"),
    )
    yours = number(answer, "Your count")
    seen = f"Yours is {yours:g}"
    refuse_slips(yours, int(guitar.sum()), slips, seen, "that is not the count")
