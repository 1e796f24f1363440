// One picture, or two held against each other: the second lies over the first, left of a line that is dragged.
function render({ model, el }) {
  const box = Object.assign(document.createElement("div"), { className: "course-compare" });
  const pictures = ["value", "other"].map((name) => {
    const image = box.appendChild(document.createElement("img"));
    const show = () => {
      URL.revokeObjectURL(image.src);
      const data = model.get(name);
      image.hidden = !data?.byteLength;
      image.alt = name === "value" ? "the picture" : "the picture held against it";
      if (image.hidden) image.removeAttribute("src");
      else image.src = URL.createObjectURL(new Blob([data]));
      if (name === "other") line.hidden = image.hidden;
    };
    model.on(`change:${name}`, show);
    return [image, show];
  });
  const line = Object.assign(document.createElement("input"), { type: "range", min: 0, max: 100, step: 0.5, value: 50 });
  line.ariaLabel = "The line between the two pictures";
  const drag = () => box.style.setProperty("--course-at", `${line.value}%`);
  line.addEventListener("input", drag);
  box.append(line);
  el.append(box);
  pictures.forEach(([, show]) => show());
  drag();
}

export default { render };
