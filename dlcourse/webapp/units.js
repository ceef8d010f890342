// Tells which layer, filter or neuron was clicked.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-layer], [data-unit]");
  if (button) trigger("click", { ...button.dataset });
});
