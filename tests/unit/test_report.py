"""The report: what it shows, where its links lead, and that nothing in the data becomes markup."""

import csv
import io
import json
import re
import shlex
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from made_rows import record

from manu.analysis.grid import Grid, TableOnPage, command, percent
from manu.analysis.page import Fold, Page
from manu.analysis.page_rows import DOWN, UP
from manu.analysis.tables.registry import known_tables, table
from manu.audit.trace import rows_with
from manu.core.errors import UserError
from manu.provenance.record import record_text
from manu.report.chains import Chains
from manu.report.drawing import picture
from manu.report.page import page
from manu.report.prose import to_html
from manu.report.study import Figure, Study
from manu.steps import write_report
from manu.steps.command import run

RESULTS = "results/tiny"
METHODS = {"ga": {"kind": "training"}, "manu": {"kind": "pruning", "prune_ratio": 10.0}}
NASTY = "<b onclick=\"x('1')\">&amp;</b>"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt" height="36pt" '
    'viewBox="0 0 72 36" onload="alert(1)"><metadata/><defs><clipPath id="p1"><rect width="9" height="9"/></clipPath>'
    '<path id="m1" d="M 0 0 &#10;L 1 1"/></defs><g clip-path="url(#p1)"><use xlink:href="#m1"/>'
    "<script>alert(2)</script>"
    '<image xlink:href="http://example.org/a.png"/><rect style="fill: url(http://example.org/b)"/></g></svg>'
)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def main_rows() -> list[dict[str, str]]:
    """A main table of two ratios and four methods, every value another one."""
    found, value = [], 0.0
    for ratio in ("5", "10"):
        for method in ("vanilla", "retain_only", "ga", "manu"):
            row = {"model": "llava", "forget_ratio": ratio, "method": method, "classification_protocol": "likelihood"}
            row |= {"prune_ratio": "10" if method == "manu" else "", "seeds": "1"}
            for column in (
                *(
                    f"{split}_{measure}{end}"
                    for split in ("forget", "retain")
                    for measure in ("classification", "rougeL", "cloze")
                    for end in ("_multimodal", "_text", "")
                ),
                "general_classification",
            ):
                value += 0.0051
                row[column] = f"{value:.6f}"
            row["forget_cloze_text"] = "" if method == "ga" else row["forget_cloze_text"]
            found.append(row)
    return found


SCORES = rows(
    "study,model,method,forget_ratio,seed,split,modality,task,metric,value,n,ci_low,ci_high,higher_is_better\n"
    "tiny,llava,manu,5,0,forget,text,classification,accuracy,0.5,30,0.4,0.6,False\n"
    "tiny,llava,manu,5,0,forget,text,classification,another,0.5,30,0.4,0.6,False\n"
    "tiny,llava,manu,5,0,retain,text,classification,accuracy,0.5,12,0.4,0.6,True\n"
)
CLAIMS = rows(
    "claim,says,source,model,method,measure,threshold,value,ci_low,ci_high,cells,runs,verdict,reason\n"
    "one,It forgets.,paper,llava,manu,m,0.500000,0.700000,0.600000,0.800000,1,1,reproduced,above\n"
    "one,It forgets.,paper,llava,vanilla,m,0.500000,-0.100000,-0.200000,0.000000,1,1,not reproduced,below\n"
    "one,It forgets.,paper,all architectures,manu,m,0.500000,,,,1,1,reproduced,llava: reproduced\n"
    "one,It forgets.,paper,all architectures,vanilla,m,0.500000,,,,1,1,not reproduced,llava: not reproduced\n"
)
PAIRED = rows(
    "study,model,forget_ratio,seed,method,other_method,split,modality,difference,people,smallest_p,p_value,p_adjusted,"
    "significant,reason\n"
    "tiny,llava,5,0,ga,manu,forget,text,0.010000,5,0.062500,0.900000,0.900000,False,"
    "too few people: p is at least 0.0625\n"
    "tiny,llava,5,0,ga,manu,retain,text,-0.400000,12,0.001000,0.001000,0.002000,True,\n"
)


def records(seeds: int = 1) -> dict[str, dict]:
    """A benchmark, a vanilla model, runs of vanilla, retain_only, ga and manu, scores and the main table."""
    data, found, answers = "data/tiny/train.parquet", {}, {}
    found["data/tiny/generate_benchmark"] = record("generate_benchmark", {}, {data: "0"}, seconds=3.0)
    for seed in range(seeds):
        vanilla = f"{RESULTS}/llava/seed{seed}/vanilla/checkpoint/model.safetensors"
        train = record("train", {data: "0"}, {vanilla: "1"}, {"seed": seed}, seconds=62.0)
        found[f"{RESULTS}/llava/seed{seed}/vanilla/train"] = train
        runs = [("vanilla", [5, 10]), *((m, [ratio]) for ratio in (5, 10) for m in ("retain_only", "ga", "manu"))]
        for method, ratios in runs:
            place = f"llava/seed{seed}/" + (f"forget{ratios[0]:02d}/" if method != "vanilla" else "")
            made, out = f"{RESULTS}/{place}{method}/made.bin", f"{RESULTS}/answers/{place}{method}.parquet"
            reads = {data: "0", vanilla: "1"}
            if method != "vanilla":
                found[f"{RESULTS}/{place}{method}/unlearn"] = record("unlearn", reads, {made: "2"})
                reads = {data: "0", made: "2"}
            asked = {"model": "llava", "method": method, "ratios": ratios, "seed": seed}
            found[f"{RESULTS}/answers/{place}{method}"] = record("evaluate", reads, {out: "3"}, asked)
            answers[out] = "3"
    scores, main = f"{RESULTS}/scores.csv", f"{RESULTS}/tables/main_llava.csv"
    found[f"{RESULTS}/aggregate"] = record("aggregate", answers, {scores: "4"})
    content = {"comparison": {"comparable": False, "models": "models of a toy", "tolerance": 1.0}}
    found[f"{RESULTS}/tables/main_llava"] = record("tabulate", {scores: "4"}, {main: "5"}, content)
    return {f"{name}.provenance.json": each for name, each in found.items()}


def study(**changes) -> Study:
    """A small finished study; tables: name -> rows, on top of the scores and the main table."""
    tables = {"scores": SCORES, "tables/main_llava": main_rows(), **changes.pop("tables", {})}
    given = {"records": records(), "figures": [], "deviations": "# Deviations\n\n## Choices\n\nNone.\n", **changes}
    files = [TableOnPage(f"{RESULTS}/{name}.csv", each) for name, each in tables.items()]
    return Study("tiny", METHODS, files, definitions={name: table(name) for name in known_tables()}, **given)


class Seen(HTMLParser):
    """Every element's attributes, the ids, the links, and the text inside each link."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.links: list[tuple[dict, str]] = []
        self._open: list[int] = []
        self.feed(text)
        self.ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "a":
            self._open.append(len(self.links))
            self.links.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        if tag == "a":
            self._open.pop()

    def handle_data(self, data):
        for place in self._open:
            self.links[place] = (self.links[place][0], self.links[place][1] + data)


@pytest.mark.parametrize("seeds", [1, 2])
def test_every_number_of_the_main_table_links_to_its_run(seeds):
    seen = Seen(page(study(records=records(seeds))))
    by_title = {attributes.get("title"): (attributes["href"], text) for attributes, text in seen.links}
    numbers = 0
    for row in main_rows():
        for column, value in row.items():
            if column.startswith(("forget_", "retain_", "general_")) and column != "forget_ratio" and value:
                words = f"method={row['method']} forget_ratio={row['forget_ratio']}"
                title = f'manu audit {RESULTS}/tables/main_llava.csv --row "{words}" --column {column}'
                ratio = "" if row["method"] == "vanilla" else f"{row['forget_ratio']}-"
                assert by_title[title] == (f"#run-llava-{ratio}{row['method']}", percent(value))
                numbers += 1
    assert numbers == 8 * 19 - 2
    assert {href[1:] for href, _ in by_title.values() if href.startswith("#")} <= set(seen.ids)
    assert len(seen.ids) == len(set(seen.ids))


COSTS = rows("study,model,forget_ratio,seed,method,jobs,seconds\ntiny,llava,5,0,manu,manu/select_neurons,2.5\n")


def test_claims_come_before_tables():
    text = page(study(tables={"tables/claims": CLAIMS, "tables/paired_tests": PAIRED, "costs": COSTS}))
    order = ("claims", "main-tables", "paired", "costs", "deviations", "audit", "chains")
    places = [text.index(f'<h2 id="{name}"') for name in order]
    assert places == sorted(places)
    assert "\N{CHECK MARK} reproduced" in text and "\N{BALLOT X} not reproduced" in text
    assert "[0.600, 0.800]" in text and "&gt; 0.5" in text
    assert text.index("\N{MINUS SIGN}40.0</a>") < text.index("+1.0</a>"), "the significant test does not come first"
    assert "no test on forget at 5 percent can be significant. With 5 people the smallest possible p is 0.0625" in text
    assert "llava: 1 of 1 tests significant; 1 more cannot be, with so few people" in text


def test_verdicts_at_a_glance_name_their_method_where_the_heads_are_hidden():
    seen = Seen(page(study(tables={"tables/claims": CLAIMS})))
    labels = [attributes.get("data-label") for tag, attributes in seen.tags if attributes.get("class") == "verdict"]
    assert labels[0] == "manu" and set(labels[1:]) == {None}, "the table of verdicts, then those of each architecture"


def test_tables_of_several_models_stand_in_the_order_of_their_names():
    other = [row | {"model": "idefics2"} for row in main_rows()]
    text = page(study(tables={"tables/main_idefics2": other}))
    assert text.index("<h3>idefics2</h3>") < text.index("<h3>llava</h3>")


def test_what_a_study_lacks_is_left_out():
    text = page(study())
    for name in (
        "claims",
        "outcomes",
        "paired",
        "ablation",
        "capacity",
        "activations",
        "figures",
        "paper",
        "robustness",
    ):
        assert f'id="{name}"' not in text and f'href="#{name}"' not in text
    bare = page(Study("tiny", METHODS, [], [], {}, "", {}))
    assert '<h2 id="main-tables"' not in bare and "Fingerprint" not in bare


def test_data_is_shown_as_text():
    main = [row | {"method": NASTY if row["method"] == "ga" else row["method"]} for row in main_rows()]
    claims = [row | {"says": NASTY, "source": NASTY, "reason": NASTY} for row in CLAIMS]
    paired = [row | {"other_method": NASTY} for row in PAIRED]
    found = records()
    for each in found.values():
        each["rule"], each["configuration"]["path"] = NASTY, NASTY
        if "method" in each["configuration"]["content"]:
            each["configuration"]["content"]["method"] = NASTY
    tables = {"tables/main_llava": main, "tables/claims": claims, "tables/paired_tests": paired}
    figures = [Figure("figures/tiny/tradeoff.svg", SVG, NASTY, NASTY)]
    deviations = f"## A\n\n{NASTY} `{NASTY}`\n\n| {NASTY} |\n"
    text = page(study(tables=tables, records=found, figures=figures, deviations=deviations))
    assert "<b " not in text and "&lt;b onclick=" in text
    assert "onclick" not in {name for _, attributes in Seen(text).tags for name in attributes}


def test_the_page_needs_nothing_else_and_is_the_same_twice():
    given = study(tables={"tables/claims": CLAIMS}, figures=[Figure("figures/tiny/tradeoff.svg", SVG, "T", "C")])
    text = page(given)
    assert text == page(given)
    seen = Seen(text)
    for tag, attributes in seen.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert "//" not in (attributes.get(name) or ""), (tag, attributes)
    assert "url(http" not in text and "@import" not in text


def test_files_beside_the_page_are_linked_from_where_it_lies():
    hrefs = {attributes["href"] for attributes, _ in Seen(page(study())).links}
    assert "../tables/main_llava.csv" in hrefs


def test_facts_and_costs_come_from_the_records():
    text = page(study())
    assert "42</dd>" in text, "an answer counts once, whatever is measured on it"
    assert "1 min 20 s in 17 jobs" in text and "a processor, AVX, Linux, 2 threads" in text
    assert "eeeeeeeeeeee" in text and "models of a toy" in text and "manu (10 %)" in text
    assert "Answers of 7 runs of llava" in text


def test_a_job_that_several_runs_share_stands_once():
    text = page(study())
    assert text.count("sha256 <code>111111111111</code>") == 1
    assert text.count("sha256 <code>222222222222</code>") == 6


def test_a_command_names_one_row():
    row = {"method": "a b", "claim": "x", "model": "", "odd": "$(rm)"}
    given = command("t.csv", row, ("claim", "method", "model"), "value")
    assert given == """manu audit t.csv --row "claim=x method='a b'" --column value"""
    assert command("t.csv", {"claim": "it's so"}, ("claim",), "value").endswith("""--row "it's so" --column value""")
    assert "'odd=$(rm)'" in command("t.csv", row, ("odd",), "value")


def test_a_figure_is_a_picture_that_holds_its_file_and_its_size():
    address, width, height = picture(SVG, "one")
    assert unquote(address.removeprefix("data:image/svg+xml,")) == " ".join(SVG.split()).replace('"', "'")
    assert (width, height) == (96, 48), "72 by 36 points"
    assert not set(address) & set('"#&\n'), "it ends no attribute in double quotes"
    with_apostrophe = SVG.replace("</svg>", "<text>it's</text></svg>").replace(">", "><!-- told nobody -->", 1)
    assert unquote(picture(with_apostrophe, "one")[0]).count('"') == SVG.count('"')
    assert "nobody" not in picture(with_apostrophe, "one")[0]
    for broken in ("no xml", "<html/>", '<svg xmlns="http://www.w3.org/2000/svg"/>'):
        with pytest.raises(UserError, match="figure bad: is not an SVG file"):
            picture(broken, "bad")


def test_figures_run_nothing_and_share_no_ids_with_the_page():
    figures = [Figure(f"figures/tiny/{name}.svg", SVG, name, "C") for name in ("tradeoff", "ratio_sweep")]
    seen = Seen(page(study(figures=figures)))
    shown = [attributes for tag, attributes in seen.tags if tag == "img"]
    assert [(image["alt"], image["width"], image["height"]) for image in shown] == [
        ("tradeoff", "96", "48"),
        ("ratio_sweep", "96", "48"),
    ]
    assert all(image["src"] == picture(SVG, "x")[0] for image in shown)
    assert not {"svg", "use", "image"} & {tag for tag, _ in seen.tags} and "p1" not in seen.ids
    assert [tag for tag, _ in seen.tags].count("script") == 2, "the page's own"
    (policy,) = [a["content"] for tag, a in seen.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy and "img-src data:;" in policy


def test_prose():
    table = "| a | b |\n| --- | ---: |\n| 1 | x \\|\\| **y** |"
    html = to_html(f"# T\n\nOne `a|b`\nline <x>.\n\n## H\n\n{table}\n\n- i\n  j\n- [k](u)\n\n```\n<z>\n```")
    html = re.sub(r"(?<=>)\n(?=<)", "", html)
    assert "<p>One <code>a|b</code>\nline &lt;x&gt;.</p>" in html and "<h3>H</h3>" in html and ">T<" not in html
    assert 'aria-label="a, b"><table class="prose">' in html and '<th scope="col">a</th>' in html
    assert '<td style="text-align:right">x || <strong>y</strong></td></tr></tbody></table></div>' in html
    assert "<ul><li>i\nj</li><li>k</li></ul>" in html and "<pre><code>&lt;z&gt;\n</code></pre>" in html


def test_prose_loads_nothing_and_leads_nowhere():
    html = to_html(
        '<script>x</script>\n\n![a"<b](http://x.org/y.png) [w](x.md) [v](javascript:x) <http://z.org>\n\n'
        '<b onclick="y">'
    )
    assert Seen(html).links == [] and {tag for tag, _ in Seen(html).tags} == {"p"}
    assert "a&quot;&lt;b w [v](javascript:x) http://z.org" in html and "&lt;script&gt;" in html


def test_the_stage_writes_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {f"{RESULTS}/scores.csv": SCORES, f"{RESULTS}/tables/main_llava.csv": main_rows()}
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, content[0])
            writer.writeheader()
            writer.writerows(content)
    given = records()
    for name, each in given.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(record_text(each), encoding="utf-8")
    Path("tradeoff.svg").write_text(SVG, encoding="utf-8")
    Path("deviations.md").write_text("# D\n", encoding="utf-8")
    Path("report.yaml").write_text(
        yaml.safe_dump({"study": "tiny", "methods": METHODS, "tables": ["main"]}), encoding="utf-8"
    )
    parser = write_report.parser()
    assert parser.replayable
    options = ["--tables", *files, "--figures", "tradeoff.svg", "--records", *given, "--deviations", "deviations.md"]
    options += ["--out", f"{RESULTS}/report/index.html", "--config", "report.yaml"]
    monkeypatch.setattr(sys, "argv", ["write_report", *options])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", write_report.__spec__)
    run(write_report.main, parser)
    text = Path(f"{RESULTS}/report/index.html").read_text(encoding="utf-8")
    assert "Forgetting against retaining" in text and text.endswith("</html>\n")
    assert len(json.loads(Path("report.provenance.json").read_text())["inputs"]["records"]) == len(given)


OUTCOMES = rows(
    "study,model,forget_ratio,seed,method,split,modality,metric,metric_version,value,n,ci_low,ci_high,"
    "higher_is_better\n"
    "tiny,llava,5,0,manu,retain,both,retention,1,0.900000,9,0.800000,0.950000,True\n"
    "tiny,llava,5,1,manu,retain,both,retention,1,0.700000,9,0.600000,0.750000,True\n"
)
SEEDS = rows(
    "model,forget_ratio,method,split,modality,task,metric,metric_version,seeds,mean,sd,lowest,highest,ci_low,ci_high,"
    "higher_is_better\n"
    "llava,5,manu,forget,text,classification,accuracy,1,1,0.5,,0.5,0.5,0.4,0.6,False\n"
    "llava,5,manu,retain,both,,retention,1,2,0.800000,0.141421,0.700000,0.900000,0.700000,0.850000,True\n"
)


def test_several_seeds_show_mean_spread_and_interval_apart():
    scores = [row | {"seed": seed} for seed in ("0", "1") for row in SCORES]
    main = [row | {"seeds": "2", "forget_cloze_sd": "0.031000"} for row in main_rows()]
    tables = {"outcomes": OUTCOMES, "tables/seeds": SEEDS, "scores": scores, "tables/main_llava": main}
    text = page(study(records=records(2), tables=tables))
    assert "0.80</a> <small>± 0.14 [0.70, 0.85]</small>" in text and "<small>± 3.1</small>" in text
    assert "Mean over 2 seeds ± their standard deviation" in text and "Mean over 2 seeds; ± is" in text
    command = f'manu audit {RESULTS}/tables/seeds.csv --row "model=llava forget_ratio=5 method=manu metric=retention'
    (link,) = [attributes for attributes, _ in Seen(text).links if attributes.get("title", "").startswith(command)]
    assert link["href"] == "#run-llava-5-manu" and link["title"].endswith('modality=both" --column mean')
    assert "Seed by seed" in text and "0.70</a>" in text
    one = page(study(tables={"outcomes": OUTCOMES[:1], "tables/seeds": [row | {"seeds": "1"} for row in SEEDS]}))
    assert "Seed by seed" not in one and "±" not in one


def attack_rows(seeds: int = 1) -> list[dict[str, str]]:
    """Attacks at 5 percent on vanilla, retain_only and manu; what is measured grows by 0.1 with each seed."""
    found = []
    measured = (
        ("rounding", "4 bits", "retain", "multimodal", "accuracy", 0.8),
        ("rounding", "4 bits", "forget", "text", "accuracy", 0.3),
        ("rounding", "4 bits", "forget", "multimodal", "accuracy", 0.2),
        ("membership", "loss", "forget", "text", "auc", 0.55),
        ("none", "none", "forget", "text", "accuracy", 0.25),
        ("relearning", "forget lessons, 5 steps", "forget", "text", "accuracy", 0.4),
        ("rounding", "all", "forget", "both", "resistance", 0.75),
        ("all", "all", "forget", "both", "robustness", 0.7),
    )
    for seed in range(seeds):
        for method in ("vanilla", "retain_only", "manu"):
            for attack, condition, split, modality, metric, value in measured:
                value += 0.1 * seed
                found.append(
                    {
                        "model": "llava",
                        "forget_ratio": "5",
                        "seed": str(seed),
                        "method": method,
                        "attack": attack,
                        "condition": condition,
                        "split": split,
                        "modality": modality,
                        "metric": metric,
                        "value": f"{value:.6f}",
                        "n": "9",
                        "ci_low": f"{value - 0.1:.6f}",
                        "ci_high": f"{value + 0.1:.6f}",
                    }
                )
    return found


def attack_records(seeds: int = 1) -> dict[str, dict]:
    """The records of a study whose manu model was attacked as well, and of the table."""
    found = records(seeds)
    table = f"{RESULTS}/tables/robustness.csv"
    answers = f"{RESULTS}/answers/llava/seed0/forget05/manu.parquet"
    attacked = f"{RESULTS}/robustness/llava/seed0/forget05/manu.parquet"
    made = f"{RESULTS}/llava/seed0/forget05/manu/made.bin"
    asked = {"model": "llava", "method": "manu", "ratios": [5], "seed": 0}
    found["attack.provenance.json"] = record("attack", {made: "2"}, {attacked: "8"}, asked)
    reads = {answers: "3", attacked: "8"}
    found["table.provenance.json"] = record("tabulate_robustness", reads, {table: "9"})
    return found


def grids_of(blocks) -> list[tuple[list[tuple[str, str]], list[list[str]]]]:
    """(group and head of each column, text and smaller words of each cell) of the grids that are not folded."""
    return [
        (
            [(column.group, column.head) for column in grid.columns],
            [[f"{cell.text} {cell.small}".strip() for cell in row] for row in grid.rows],
        )
        for grid in blocks
        if isinstance(grid, Grid)
    ]


def blocks_of(name: str, rows_given: list[dict[str, str]], given: dict[str, dict]):
    """What a table shows on the page."""
    file = TableOnPage(f"{RESULTS}/tables/{name}.csv", rows_given)
    return table(name).shown(file, Page(list(METHODS), Chains("tiny", given, [file.path]), {}))


def test_resistance_and_what_attacks_get_stand_in_a_row_per_method():
    scores, measured = grids_of(blocks_of("robustness", attack_rows(), attack_records()))
    assert scores[0] == [("", "method"), ("mean of all", f"robustness{UP}"), ("resistance", f"rounding{UP}")]
    assert [row[0] for row in scores[1]] == ["vanilla", "retain_only", "manu"]
    assert scores[1][2][1:] == ["0.70 [0.60, 0.80]", "0.75 [0.65, 0.85]"]
    assert measured[0][1:] == [
        (f"before any attack{DOWN}", "text"),
        (f"rounding, 4 bits, retain{UP}", "picture"),
        (f"rounding, 4 bits{DOWN}", "picture"),
        (f"rounding, 4 bits{DOWN}", "text"),
        (f"relearning, forget lessons, 5 steps{DOWN}", "text"),
        ("membership, loss, AUC", "text"),
    ]
    assert measured[1][2][1:] == ["25.0", "80.0", "20.0", "30.0", "40.0", "55.0"]


def test_attacks_on_several_seeds_show_mean_and_spread():
    parts = blocks_of("robustness", attack_rows(2), attack_records(2))
    scores, measured = grids_of(parts)
    assert scores[1][2][1:] == ["0.75 ± 0.07 [0.65, 0.85]", "0.80 ± 0.07 [0.70, 0.90]"]
    assert measured[1][2][1] == "30.0 ± 7.1"
    by_seed = next(block for block in parts if isinstance(block, Fold) and block.summary == "Seed by seed").blocks[0]
    assert [(row[0].text, row[1].text) for row in by_seed.rows[2:4]] == [("manu", "0"), ("vanilla", "1")]
    assert by_seed.starts == {3}


def test_a_number_of_an_attack_links_to_its_run_and_audits_its_row():
    text = page(study(records=attack_records(), tables={"tables/robustness": attack_rows()}))
    seen = Seen(text)
    said = "method=manu attack=relearning condition='forget lessons, 5 steps' split=forget modality=text"
    title = f'manu audit {RESULTS}/tables/robustness.csv --row "model=llava {said}" --column value'
    (link,) = [(attributes["href"], shown) for attributes, shown in seen.links if attributes.get("title") == title]
    assert link == ("#run-llava-5-manu", "40.0")
    chain, _, _ = text[text.index('id="run-llava-5-manu"') :].partition("</ol>")
    assert re.findall("<strong>(.*?)</strong>", chain) == ["unlearn", "evaluate", "attack"]
    titles = [attributes.get("title", "") for attributes, _ in seen.links]
    given = [
        rows_with(attack_rows(), shlex.split(title)[4], ()) for title in titles if "/robustness.csv --row" in title
    ]
    assert len(given) == len(attack_rows()) and all(len(found) == 1 for found in given)
    assert text.count("<strong>attack</strong>") == 1 and "make robustness" not in text
    assert "make robustness STUDY=tiny" in page(study())


SEQUENTIAL = rows(
    "model,seed,method,order,after,group,modality,metric,value,n,ci_low,ci_high\n"
    + "".join(
        f"llava,0,{method},{order},{after},{group},text,{metric},{value},9,{value - 0.125},{value + 0.125}\n"
        for method in ("manu", "ga")
        for order, after, group, metric, value in (
            ("in turn", 10, "requested", "accuracy", 0.5),
            ("in turn", 5, "requested", "accuracy", 0.375),
            ("in turn", 10, "request 1", "accuracy", 0.0),
            ("in turn", 10, "requested", "difference", 0.25),
            ("at once", 10, "requested", "accuracy", 0.25),
            ("in turn", 10, "retain", "accuracy", 0.75),
        )
    )
)


def test_requests_in_turn_stand_beside_the_same_at_once():
    ((columns, shown),) = grids_of(blocks_of("sequential", SEQUENTIAL, records()))
    assert columns[1:] == [
        *((f"requested, text{DOWN}", head) for head in ("in turn", "at once", "difference")),
        (f"retain, text{UP}", "in turn"),
    ]
    ends = "[12.5, 37.5]"
    assert [row[0] for row in shown] == ["ga", "manu"]
    assert shown[0][1:] == ["50.0 [37.5, 62.5]", f"25.0 {ends}", "+25.0 [+12.5, +37.5]", "75.0 [62.5, 87.5]"]
    text = page(study(tables={"tables/sequential": SEQUENTIAL}))
    assert 'id="sequential"' in text and 'id="sequential"' not in page(study())
    assert 'href="#file-sequential"' in text
