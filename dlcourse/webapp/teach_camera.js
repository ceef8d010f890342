// The camera. It sends `props.value`, a list of pictures as the URLs of PNGs; with `props.live`, a
// single one after the other, as fast as they are answered.
const video = element.querySelector("video"), status = element.querySelector("[role=status]");
const SIDE = 448, PAUSE = 200; // pixels, milliseconds
let stream = null, timer = null;

function show() {
  video.hidden = !stream;
  for (const button of element.querySelectorAll("[data-do]")) {
    const kind = button.dataset.do;
    button.hidden = kind === "start" ? !!stream : !stream || (props.live && kind !== "stop");
  }
}

function picture() {
  const canvas = document.createElement("canvas");
  const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = video.videoWidth * scale;
  canvas.height = video.videoHeight * scale;
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}

function send(pictures) {
  props.value = pictures;
  trigger("input");
}

async function take(number) {
  const pictures = [];
  for (; number && stream; number--) {
    pictures.push(picture());
    if (number > 1) await new Promise((done) => setTimeout(done, PAUSE));
  }
  if (pictures.length) send(pictures);
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  clearInterval(timer);
  stream = null;
  show();
}

async function start() {
  status.textContent = "";
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    status.textContent = navigator.mediaDevices
      ? `The camera cannot be used (${error.message}): add picture files.`
      : "A browser gives the camera only to https and to its own computer: add picture files.";
    return;
  }
  video.srcObject = stream;
  await new Promise((ready) => video.addEventListener("loadeddata", ready, { once: true }));
  show();
  timer = setInterval(() => {
    if (!element.offsetParent) stop(); // another tab was opened
    else if (props.live) send(picture());
  }, 2 * PAUSE);
}

const actions = { start, stop, one: () => take(1), ten: () => take(10) };
element.addEventListener("click", (event) => actions[event.target.closest("[data-do]")?.dataset.do]?.());
