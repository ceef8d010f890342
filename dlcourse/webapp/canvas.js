// A canvas for mouse, pen and finger. After each stroke `props.value` is the drawing as a PNG.
const canvas = element.querySelector("canvas"), pen = canvas.getContext("2d");
let strokes = [], drawing = false;

function redraw() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  Object.assign(pen, { strokeStyle: "#000", lineWidth: 20, lineCap: "round", lineJoin: "round" });
  for (const points of strokes) {
    pen.beginPath();
    pen.moveTo(...points[0]);
    for (const point of points) pen.lineTo(...point);
    pen.stroke();
  }
}

function send() {
  props.value = strokes.length ? canvas.toDataURL("image/png") : "";
}

function place(event) {
  const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

function change(kind) {
  strokes = kind === "undo" ? strokes.slice(0, -1) : [];
  redraw();
  send();
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  drawing = true;
  strokes.push([place(event)]);
  redraw();
});
canvas.addEventListener("pointermove", (event) => {
  if (!drawing) return;
  strokes.at(-1).push(place(event));
  redraw();
});
for (const kind of ["pointerup", "pointercancel"])
  canvas.addEventListener(kind, () => {
    if (drawing) send();
    drawing = false;
  });
canvas.addEventListener("keydown", (event) => {
  if (event.key === "Backspace") change("undo");
  if (event.key === "Delete") change("clear");
});
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) change(button.dataset.do);
});
redraw();
