// Draws the frames of a training; `element`, `props` and `watch` are Gradio's, see `play.frame`.
const BLUE = [0, 114, 178], WHITE = [247, 247, 247], ORANGE = [213, 94, 0];
const colour = ([r, g, b]) => `rgb(${r}, ${g}, ${b})`;
const find = name => element.querySelector(".play-" + name);
let shown = null;

function context(canvas, height) {  // sharp on every screen, one unit per CSS pixel
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth || 320;
  canvas.style.height = height + "px";
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const draw = canvas.getContext("2d");
  draw.scale(ratio, ratio);
  draw.font = "12px sans-serif";
  draw.fillStyle = draw.strokeStyle = getComputedStyle(element).color;
  return [draw, width];
}

function bytes(text) {
  return Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
}

function drawMap(draw, text, x, y, size) {  // 0 is blue, 128 white, 255 orange
  const values = bytes(text), side = Math.sqrt(values.length), small = document.createElement("canvas");
  small.width = small.height = side;
  const image = new ImageData(side, side);
  values.forEach((value, i) => {
    const share = (value - 127.5) / 127.5, end = share > 0 ? ORANGE : BLUE;
    const mixed = WHITE.map((white, k) => white + (end[k] - white) * 0.75 * Math.abs(share));
    image.data.set([...mixed, 255], 4 * i);
  });
  small.getContext("2d").putImageData(image, 0, 0);
  draw.drawImage(small, x, y, size, size);
}

function drawNetwork(frame) {
  const size = 30, pitch = 48, columns = [...frame.layers, [frame.boundary]];
  const sizes = columns.map(column => column.length), tallest = Math.max(...sizes);
  const height = tallest * pitch + 24;
  const [draw, width] = context(find("network"), height);
  const place = (layer, i) => [
    24 + (width - 48) * layer / (columns.length - 1),
    20 + (height - 20) / 2 + (i - (columns[layer].length - 1) / 2) * pitch,
  ];
  find("network").setAttribute("aria-label", "The network: layers of " + sizes.join(", "));
  frame.weights.forEach((matrix, layer) => matrix.forEach((row, i) => row.forEach((weight, j) => {
    const [x, y] = place(layer, i), [x2, y2] = place(layer + 1, j), middle = (x + x2) / 2;
    draw.strokeStyle = colour(weight > 0 ? ORANGE : BLUE);
    draw.lineWidth = Math.min(9, 0.3 + 1.6 * Math.abs(weight));
    draw.setLineDash(weight > 0 ? [] : [6, 4]);
    draw.beginPath();
    draw.moveTo(x, y);
    draw.bezierCurveTo(middle, y, middle, y2, x2, y2);
    draw.stroke();
  })));
  draw.setLineDash([]);
  draw.lineWidth = 1;
  draw.strokeStyle = getComputedStyle(element).color;
  draw.textAlign = "center";
  columns.forEach((column, layer) => column.forEach((map, i) => {
    const [x, y] = place(layer, i);
    drawMap(draw, map, x - size / 2, y - size / 2, size);
    draw.strokeRect(x - size / 2, y - size / 2, size, size);
    const last = layer === columns.length - 1;
    draw.fillText(last ? "output" : layer ? "" : frame.features[i], x, y - size / 2 - 3);
  }));
}

function drawLine(draw, values, side, place) {  // the border of p = 0.5, cell by cell
  draw.beginPath();
  for (let row = 0; row + 1 < side; row++) {
    for (let column = 0; column + 1 < side; column++) {
      const corners = [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]];
      const crossed = [];
      corners.forEach(([x, y], k) => {
        const [x2, y2] = corners[(k + 1) % 4];
        const a = values[y * side + x] - 127.5, b = values[y2 * side + x2] - 127.5;
        if (a * b < 0) crossed.push(place(x + (x2 - x) * a / (a - b), y + (y2 - y) * a / (a - b)));
      });
      for (let k = 0; k + 1 < crossed.length; k += 2) {
        draw.moveTo(...crossed[k]);
        draw.lineTo(...crossed[k + 1]);
      }
    }
  }
  draw.stroke();
}

function drawBoundary(frame) {
  const canvas = find("boundary"), size = Math.min(canvas.clientWidth || 320, 420) - 40;
  const [draw] = context(canvas, size + 40);
  const left = 34, top = 6, unit = size / (2 * frame.limit);
  const at = (x, y) => [left + (x + frame.limit) * unit, top + (frame.limit - y) * unit];
  const values = bytes(frame.boundary), side = Math.sqrt(values.length);
  draw.save();
  draw.beginPath();
  draw.rect(left, top, size, size);
  draw.clip();
  drawMap(draw, frame.boundary, left, top, size);
  draw.strokeStyle = "black";
  draw.lineWidth = 1.5;
  drawLine(draw, values, side, (x, y) => [left + (x + 0.5) * size / side, top + (y + 0.5) * size / side]);
  for (const part of ["train", "val"]) {
    const [places, labels] = frame.points[part];
    places.forEach(([x, y], i) => {
      const own = colour(labels[i] ? ORANGE : BLUE), [px, py] = at(x, y);
      draw.fillStyle = part === "train" ? own : "white";
      draw.strokeStyle = part === "train" ? "white" : own;
      draw.lineWidth = part === "train" ? 0.7 : 1.5;
      draw.beginPath();
      if (labels[i]) draw.rect(px - 2.7, py - 2.7, 5.4, 5.4);
      else draw.arc(px, py, 3, 0, 7);
      draw.fill();
      draw.stroke();
    });
  }
  draw.restore();
  draw.strokeRect(left, top, size, size);
  for (const tick of [-5, 0, 5]) {
    draw.textAlign = "center";
    draw.fillText(String(tick).replace("-", "−"), at(tick, 0)[0], top + size + 14);
    draw.textAlign = "right";
    draw.fillText(String(tick).replace("-", "−"), left - 5, at(0, tick)[1] + 4);
  }
  draw.textAlign = "center";
  draw.fillText("x₁", left + size / 2, top + size + 28);
  draw.fillText("x₂", 8, top + size / 2 - 20);
}

function drawLosses(frame) {
  const canvas = find("losses"), height = 240, left = 44, bottom = height - 34;
  const [draw, width] = context(canvas, height);
  const {loss, val_loss: validation} = frame.history;
  const top = Math.max(...loss, ...validation), last = Math.max(frame.every * (loss.length - 1), 1);
  const at = (epoch, value) => [left + (width - left - 12) * epoch / last,
                                bottom - (bottom - 12) * value / top];
  draw.beginPath();
  draw.moveTo(left, 8);
  draw.lineTo(left, bottom);
  draw.lineTo(width - 8, bottom);
  draw.stroke();
  draw.textAlign = "right";
  for (const value of [0, top / 2, top]) draw.fillText(value.toFixed(2), left - 5, at(0, value)[1] + 4);
  draw.fillText(last, width - 8, bottom + 15);
  draw.textAlign = "center";
  draw.fillText("epoch", (left + width) / 2, bottom + 28);
  for (const [values, dash] of [[loss, []], [validation, [5, 4]]]) {
    draw.setLineDash(dash);
    draw.lineWidth = 2;
    draw.beginPath();
    if (values.length === 1) draw.arc(...at(0, values[0]), 2, 0, 7);
    values.forEach((value, i) => draw.lineTo(...at(i * frame.every, value)));
    draw.stroke();
  }
}

function drawAll() {
  const {epoch, batch, batches, now} = shown;
  const where = `Epoch ${epoch}` + (batch ? `, batch ${batch} of ${batches}` : "");
  const text = `${where} · loss ${now.loss.toFixed(3)} · validation loss ` +
    `${now.val_loss.toFixed(3)} · validation accuracy ${now.val_accuracy.toFixed(2)}`;
  find("numbers").textContent = text;
  find("boundary").setAttribute("aria-label", "The decision boundary. " + text);
  drawNetwork(shown);
  drawBoundary(shown);
  drawLosses(shown);
}

function receive() {
  const frame = props.value ? JSON.parse(props.value) : null;
  if (!frame || (shown && frame.number < shown.number)) return;  // of an earlier training
  if (find("message").textContent !== frame.message) find("message").textContent = frame.message;
  if (frame.layers) shown = frame;
  if (shown) drawAll();
}

watch("value", receive);
new ResizeObserver(() => shown && drawAll()).observe(element);
receive();
