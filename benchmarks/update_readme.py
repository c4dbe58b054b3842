"""Write the generated parts of the READMEs: the help text and the tables of benchmarks/results.

python benchmarks/update_readme.py          # rewrite them
python benchmarks/update_readme.py --check  # exit 1 if one is out of date
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from click.testing import CliRunner
from trainers import table

from fastw2v.cli import cli

HERE = Path(__file__).parent


def help_text() -> str:
    # The width and name of a terminal are not the README's.
    shown = CliRunner().invoke(cli, ["train", "--help"], prog_name="fastw2v", terminal_width=100, max_content_width=100)
    options = shown.output[shown.output.index("Options:") :]
    return f"```text\n{options}```"


def trainers_text() -> str:
    result = json.loads((HERE / "results" / "trainers-skipgram-ns.json").read_text())
    chosen = result["settings"]
    return (
        f"{table(result)}\n\n"
        f"Skip-gram, dim {chosen['dim']}, window {chosen['window']}, {chosen['negative']} negatives, sample "
        f"{chosen['sample']:g}, min-count {chosen['min_count']}, {chosen['epochs']} epochs of {chosen['corpus']} "
        f"({result['n_words'] / chosen['epochs'] / 1e6:.1f} M words each), {chosen['threads']} threads of an "
        f"{result['cpu']}; {result['date']}, commit {result['commit']}, numba {result['versions']['numba']}, gensim "
        f"{result['versions']['gensim']}. Speed counts the training alone; medians of {len(result['runs']['fastw2v'])} "
        "rounds, in which the trainers took turns (a trainer without ± ran once). Quality: analogies solved among the "
        "30,000 most frequent words, and Spearman's correlation with human similarity, in %, mean and standard "
        "deviation over seeds."
    )


PARTS = {"help": help_text, "trainers": trainers_text}


def main() -> None:
    is_stale = False
    for readme in (HERE.parent / "README.md", HERE / "README.md"):
        old = new = readme.read_text()
        for name, generate in PARTS.items():
            pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- /{name} -->)"
            if re.search(pattern, new, re.DOTALL):
                text = generate()
                new = re.sub(pattern, lambda found, text=text: f"{found[1]}{text}\n{found[2]}", new, flags=re.DOTALL)
        if new != old and "--check" in sys.argv:
            print(f"{readme} is out of date: run python benchmarks/update_readme.py")
            is_stale = True
        elif new != old:
            readme.write_text(new)
    sys.exit(is_stale)


if __name__ == "__main__":
    main()
