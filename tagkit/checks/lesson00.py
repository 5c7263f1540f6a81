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
    guitar = labels["guitar"]
    slips = [
        (len(guitar), "that is every clip, count those with the tag only"),
        ((guitar == 0).sum(), "these are the clips without the tag"),
        (guitar.mean(), "that is a share, a count is asked for"),
        (labels.sum().sum(), "these are the ones of all tags together"),
    ]
    yours = number(answer, "Your count")
    otherwise = "that is not the count"
    refuse_slips(yours, guitar.sum(), slips, f"Yours is {yours:g}", otherwise)
