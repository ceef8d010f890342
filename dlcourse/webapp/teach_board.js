// A button removes a picture, or a class with all its pictures.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-name]");
  if (button) trigger("remove", { ...button.dataset });
});
