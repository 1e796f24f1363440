// A link to what a widget of this page holds. The address is made at the click: a file has one name, but many contents.
async function render({ model, el }) {
  const link = Object.assign(document.createElement("a"), { className: "course-download", href: "#" });
  const other = model.get("of") && await model.widget_manager.get_model(model.get("of"));
  const show = () => {
    link.hidden = !model.get("name");
    link.download = model.get("name");
    link.textContent = model.get("text");
  };
  link.addEventListener("click", () => {
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob([other ? other.get("value") : model.get("data")]));
  });
  el.append(link);
  model.on("change:name", show);
  show();
}

export default { render };
