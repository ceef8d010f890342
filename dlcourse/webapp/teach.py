"""The tab Teach: your own classes, learned by a new head on a frozen base (transfer learning).

A visitor's pictures lie in a private folder, which is removed when the page is closed. A training
is an ordinary run of the recipe `photos_transfer`. Its pictures are kept in the run's own folder,
so that every command can open the downloaded run elsewhere.
"""

import re
import shutil
import signal
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np

from dlcourse.configuration.from_python import recipe
from dlcourse.errors import UserError
from dlcourse.heavy import Image
from dlcourse.lab.prediction import predictions, read_file
from dlcourse.models.efficientnet_lite0 import NAME, PACKAGE
from dlcourse.runs import Run
from dlcourse.training import StopRequest, record, train
from dlcourse.visualizers import grad_cam
from dlcourse.webapp.markup import bars, figure, grey_levels, overlaid, sentences
from dlcourse.webapp.server import HERE, App, gradio
from dlcourse.webapp.uploads import or_error, read_drawing, read_picture

EMBEDDED = "planted_cnn"
LEAST, MOST, CLASSES, EPOCHS = 5, 100, 10, 12  # pictures of a class; classes
LONGEST_NAME, LONGEST_SIDE = 40, 448  # characters, pixels
# As a folder: signs, dots at its ends, devices of Windows, the Mac's hidden folder.
UNSAFE = r'(?i).*[/\\:*?"<>|].*|\..*|.*\.|(con|prn|aux|nul|com\d|lpt\d)(\..*)?|__macosx.*'


@dataclass
class Visitor:
    """What one visitor teaches: the pictures of each class, and the newest run.

    Attributes:
        folder: Folder of the visitor alone.
        classes: Files of the pictures by class.
        chosen: Class that the next pictures belong to.
        run: Newest run, or None.
        stop: Stop request of the training.
        uploads: Files as they were uploaded.
    """

    folder: Path
    classes: dict[str, list[Path]] = field(default_factory=dict)
    chosen: str = ""
    run: Run | None = None
    stop: StopRequest = field(default_factory=StopRequest)
    uploads: set[Path] = field(default_factory=set)

    def leave(self) -> None:
        """Stop the training, and remove all files."""
        self.stop.signal, self.classes, self.run = signal.SIGINT, {}, None
        for file in self.uploads:
            file.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def add_class(visitor: Visitor, text: str) -> None:
    """Add a class, which the next pictures belong to; its name is also the name of its folder.

    Args:
        visitor: The visitor.
        text: Text that the visitor typed; the spaces around it do not count.

    Raises:
        UserError: It cannot be a folder's name on every system, or another class has it.
    """
    name, others = " ".join(unicodedata.normalize("NFC", text).split()), visitor.classes
    if not name or len(name) > LONGEST_NAME:
        raise UserError(f"a name of 1 to {LONGEST_NAME} characters is expected, not {len(name)}")
    if re.fullmatch(UNSAFE, name) or not name.isprintable():
        why = 'some systems reserve it, or it has one of / \\ : * ? " < > | or a dot at an end'
        raise UserError(f"'{name}' cannot be the name of a folder everywhere: {why}")
    if same := [other for other in others if other.casefold() == name.casefold()]:
        raise UserError(f"there is a class '{same[0]}' already; capital letters do not count")
    if len(others) >= CLASSES:
        raise UserError(f"at most {CLASSES} classes can be taught")
    visitor.chosen, others[name] = name, []


def add_pictures(visitor: Visitor, given: Sequence[str]) -> list[str]:
    """Add pictures, see `read`, to the chosen class; return a sentence for each that is refused."""
    if visitor.chosen not in visitor.classes:
        return ["first add the class that the pictures belong to"]
    pictures, refused = visitor.classes[visitor.chosen], []
    room = MOST - len(pictures)
    for each in given[:room]:
        try:
            pictures.append(read(visitor, each))
        except UserError as error:
            refused.append(f"left out: {error}")
    if left := len(given[room:]):
        refused.append(f"{visitor.chosen} takes at most {MOST} pictures: {left} are left out")
    return refused


def read(visitor: Visitor, given: str) -> Path:
    """Return the file of a picture in the visitor's folder: upright, of 448 pixels at most.

    Args:
        visitor: The visitor.
        given: Name of an uploaded file, or a picture of the camera as a PNG's URL.

    Raises:
        UserError: The picture cannot be read.
    """
    if given.startswith("data:"):
        image = Image.fromarray(read_drawing(given))
    else:
        visitor.uploads.add(Path(given))
        image = Image.fromarray(read_picture(given))
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    visitor.folder.mkdir(parents=True, exist_ok=True)
    image.save(file := visitor.folder / f"{uuid4().hex}.jpg", quality=95, subsampling=0)
    return file


def remove(visitor: Visitor, name: str, picture: str = "") -> None:
    """Remove a picture of a class, by the name of its file; without one, the whole class."""
    kept = visitor.classes.get(name, []) if picture else visitor.classes.pop(name, [])
    for file in [file for file in kept if picture in ("", file.name)]:
        kept.remove(file)
        file.unlink()
    if visitor.chosen not in visitor.classes:
        visitor.chosen = next(iter(visitor.classes), "")


def missing(classes: dict[str, list[Path]]) -> list[str]:
    """Return what is missing for a training, in one sentence; an empty list if nothing is."""
    more = [f"classes ({2 - len(classes)})"] * (len(classes) < 2)
    more += [f"pictures of {k} ({LEAST - len(v)})" for k, v in classes.items() if len(v) < LEAST]
    return [f"still missing: {', '.join(more)}"] if more else []


def lay_out(classes: dict[str, list[Path]], folder: Path) -> None:
    """Copy the pictures to a folder by split and class, for `image_folder`.

    The fourth of every five pictures is for validation, the fifth for the test. So each split has
    every class, and a picture stays in its split when others are added.
    """
    for name, pictures in classes.items():
        for number, picture in enumerate(pictures):
            place = folder / ("train", "train", "train", "val", "test")[number % 5] / name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, place / f"{number:03}.jpg")


def base_name() -> str:
    """Return the name of the base: EfficientNet-Lite0 where its weights are installed."""
    return NAME if find_spec(PACKAGE.replace("-", "_")) else EMBEDDED


def recipe_for(folder: Path, base: str) -> Any:
    """Return the recipe for the pictures in a folder and, if it is embedded, the base in it."""
    photos, file = base == NAME, (folder / "base.keras").as_posix()
    data: dict[str, Any] = {"path": (folder / "pictures").as_posix()}
    data |= {"size": [160, 160]} if photos else {"size": [48, 48], "color": "grayscale"}
    model = {"base": NAME} if photos else {"base": file, "layer": "pool_2"}
    return recipe("photos_transfer", dataset=data, model=model, epochs=EPOCHS, batch_size=8)


def learn(visitor: Visitor, embedded: Path, report: Callable[[str], None]) -> Run:
    """Return the run of a training on the visitor's pictures, which are copied into the run.

    Args:
        visitor: The visitor; its `stop` ends the training.
        embedded: Folder of the run whose network is the base without EfficientNet-Lite0; it is
            trained when it is first needed.
        report: Function that is called with the lines of the training.

    Raises:
        InterruptedTraining, UserError: It was stopped, or failed; nothing of it is left.
    """
    if lacks := missing(visitor.classes):
        raise UserError(lacks[0])
    base, name = base_name(), f"taught-{uuid4().hex[:8]}"
    how: Any = {"report": report, "bar": False, "stop": visitor.stop}
    with TemporaryDirectory(dir=visitor.folder, ignore_cleanup_errors=True) as folder:
        lay_out(visitor.classes, (own := Path(folder) / "own") / "pictures")
        if base == EMBEDDED:
            if not embedded.exists():
                small = recipe(EMBEDDED, "dataset.n=3000", "training.epochs=4")
                shutil.copytree(train(small, folder, **how).path, embedded)
            shutil.copyfile(embedded / "model.keras", own / "base.keras")
        run = train(recipe_for(own, base), folder, name=name, **how)
        shutil.copytree(own, run.path, dirs_exist_ok=True)
        portable = recipe_for(Path(name), base)  # paths as seen from beside the run
        record(run, portable, run.load_dataset(), base=run.environment["base"])
        shutil.rmtree(newest := visitor.folder / "newest", ignore_errors=True)
        return Run(shutil.copytree(run.path, newest / name))


def look(visitor: Visitor, given: str) -> str:
    """Return what the newest run says to a picture, and what it looks at, as HTML.

    Raises:
        UserError: There is no run, or the picture cannot be read, see `read`.
    """
    if not (run := visitor.run):
        raise UserError("first train a network")
    file = read(visitor, given)
    rows = read_file(run, file, as_is=True)
    file.unlink()
    row, x = predictions(run, [rows])[0], rows[1]
    levels, name = grey_levels(x[0], run.facts.value_range), row["class"]
    heat = overlaid(levels, grad_cam(run.model, x)[0])
    seen = figure(levels, "What the network gets") + figure(heat, "Orange: what speaks for it")
    shown = bars(run.facts.class_names, np.array([*row["probabilities"].values()]))
    note = sentences([row["warning"]] if row["warning"] else [])
    answer = f'<p class="dl-answer" role="status">{escape(name)}</p>'
    return f'{answer}{note}<div class="dl-row">{shown}{seen}</div>'


def result(run: Run) -> str:
    """Return how a training ended, in one sentence."""
    tested, scores = run.facts.examples["test"], run.metrics["test"]
    right = round(scores["accuracy"] * tested)
    return f"Trained; {right} of the {tested} pictures set aside for the test are right"


def tab(app: App) -> None:
    """Fill the tab."""
    gr: Any = gradio()
    from gradio import EventData, Request

    visitors, served = dict[str | None, Visitor](), Path(gr.processing_utils.get_upload_folder())
    quiet: Any = {"api_visibility": "private", "show_progress": "hidden"}
    texts = (HERE / "teach.md").read_text("utf-8").split("===")

    def custom(name: str, **settings: Any) -> Any:
        html, js = ((HERE / f"teach_{name}{end}").read_text("utf-8") for end in (".html", ".js"))
        return gr.HTML(html_template=html, js_on_load=js, **settings)

    gr.Markdown(texts[0 if base_name() == NAME else 1])
    name = gr.Textbox(label="Name of a class", max_length=200, submit_btn="Add the class")
    chosen = gr.Radio([], label="The next pictures belong to", visible=False)
    with gr.Row(elem_classes="teach-row"):
        files = gr.UploadButton("Add picture files", file_count="multiple", file_types=["image"])
        camera = custom("camera", live=False)
    said, board = gr.HTML(elem_classes="teach-said"), custom("board", value=[])
    gr.Markdown(texts[2])
    lacks = gr.HTML(sentences(missing({})))
    with gr.Row():
        start, cancel = gr.Button("Train", variant="primary"), gr.Button("Cancel")
        download = gr.DownloadButton("Download the run", interactive=False)
    ended = gr.HTML(elem_classes="teach-ended")
    gr.Markdown(texts[3])
    with gr.Row(elem_classes="teach-row"):
        test = gr.UploadButton("Test a picture file", file_types=["image"])
        live = custom("camera", live=True)
    answer = gr.HTML()

    def visitor_of(request: Any) -> Visitor:
        new = Visitor(served / f"teach-{uuid4().hex}")
        return visitors.setdefault(request.session_hash, new)

    def after(change: Callable[..., Any]) -> Callable[..., Any]:
        def act(request: Request, *given: Any) -> list[Any]:
            visitor = visitor_of(request)
            told = or_error(change)(visitor, *given) or []
            told = [str(told)] if isinstance(told, UserError) else told
            cards = [(escape(k), [f.as_posix() for f in v]) for k, v in visitor.classes.items()]
            radio = gr.Radio([*visitor.classes], value=visitor.chosen or None, visible=bool(cards))
            return [radio, cards, sentences(told), sentences(missing(visitor.classes))]

        return act

    def removed(request: Request, event: EventData) -> list[Any]:
        return after(remove)(request, event.name, event.picture)

    def chose(request: Request, name: str) -> None:
        visitor_of(request).chosen = name

    def tested(request: Request, given: str) -> str:
        answer = or_error(look)(visitor_of(request), given)
        return answer if isinstance(answer, str) else sentences([str(answer)])

    def trained(request: Request, bar: Any = gr.Progress()) -> list[Any]:  # noqa: B008
        visitor = visitor_of(request)
        visitor.stop = StopRequest()

        def report(line: str) -> None:  # of the base, the features, and each epoch
            done = tuple(map(int, re.findall(r"\d+", line)[:2])) if "epoch" in line[:5] else (0, 1)
            bar(done, desc=line if done[0] else "the base reads the pictures")

        run = or_error(learn)(visitor, app.folder / f"teach-{EMBEDDED}", report)
        if request.session_hash not in visitors:  # the page was closed
            visitor.leave()
        if not isinstance(run, Run):
            return [sentences([str(run)]), gr.skip()]
        visitor.run = run
        packed = shutil.make_archive(str(run.path), "zip", run.path.parent, run.name)
        return [sentences([result(run)]), gr.DownloadButton(value=packed, interactive=True)]

    def stop(request: Request) -> str:
        visitor_of(request).stop.signal = signal.SIGINT
        return sentences(["no training is running; nothing is left of a cancelled one"])

    def leave(request: Request) -> None:
        if visitor := visitors.pop(request.session_hash, None):
            visitor.leave()

    gr.context.Context.root_block.unload(leave)
    shown = [chosen, board, said, lacks]
    name.submit(after(add_class), name, shown, **quiet).then(lambda: "", None, name, **quiet)
    chosen.input(chose, chosen, **quiet)
    files.upload(after(add_pictures), files, shown, **quiet)
    camera.input(after(add_pictures), camera, shown, trigger_mode="multiple", **quiet)
    board.remove(removed, None, shown, **quiet)
    test.upload(tested, test, answer, **quiet)
    live.input(tested, live, answer, **quiet)
    quiet["show_progress"] = "full"
    training = start.click(trained, None, [ended, download], concurrency_limit=1, **quiet)
    cancel.click(stop, None, ended, cancels=[training], **quiet)
